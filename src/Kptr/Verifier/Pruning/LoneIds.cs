using Kptr.Verifier.State;

namespace Kptr.Verifier.Pruning;

/// <summary>Takes the ids from numbers that no other number of a state is linked with.</summary>
/// <remarks>
/// Such a number learns from no comparison but its own, and a state with it stands for more states without the id.
/// Kernel: <c>bpf_clear_singular_ids</c> (7.2).
/// </remarks>
internal sealed class LoneIds
{
    private readonly Dictionary<int, int> _counts = [];

    public void Clear(VerifierState state)
    {
        _counts.Clear();
        Visit(state, Count);
        if (_counts.Count != 0)
        {
            Visit(state, Forget);
        }
    }

    private static void Visit(VerifierState state, ByRef visit)
    {
        for (var f = 0; f <= state.CurFrame; f++)
        {
            var frame = state.Frames[f]!;
            foreach (ref var reg in frame.Regs.AsSpan(0, 10))
            {
                visit(ref reg);
            }

            foreach (ref var slot in frame.Stack.AsSpan(0, frame.SlotCount))
            {
                if (slot.IsSpill)
                {
                    visit(ref slot.Spilled);
                }
            }
        }
    }

    private void Count(ref RegState reg)
    {
        if (reg.Type == RegType.Scalar && reg.Id != 0)
        {
            System.Runtime.InteropServices.CollectionsMarshal
                .GetValueRefOrAddDefault(_counts, reg.Id & ~RegState.AddConst, out _)++;
        }
    }

    private void Forget(ref RegState reg)
    {
        if (reg.Type == RegType.Scalar && reg.Id != 0 && _counts[reg.Id & ~RegState.AddConst] == 1)
        {
            reg.Id = 0;
            reg.Off = 0;
        }
    }

    private delegate void ByRef(ref RegState reg);
}
