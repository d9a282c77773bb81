using Kptr.Verifier.Scalars;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <summary>
/// What the verifier took for granted of the registers before each instruction, path by path: for tests that run the
/// program and look whether it was right.
/// </summary>
/// <remarks>
/// A run is covered where, at every instruction, some recorded state contains all registers that the instruction reads.
/// Where states are recorded, pruning compares imprecise scalars too, because their later ranges are recorded as well.
/// One verification fills it, on one thread.
/// </remarks>
internal sealed class RegBeliefs
{
    /// <summary>States kept apart for one instruction; further ones are joined into the last.</summary>
    private const int StatesMax = 64;

    private readonly Dictionary<int, List<State>> _byInsn = [];

    /// <summary>The states recorded for an instruction; empty where no path reaches it.</summary>
    public IReadOnlyList<State> this[int insnIdx] => _byInsn.TryGetValue(insnIdx, out var states) ? states : [];

    /// <summary>Records the state before an instruction.</summary>
    public void Record(int insnIdx, VerifierState state)
    {
        if (!_byInsn.TryGetValue(insnIdx, out var states))
        {
            _byInsn[insnIdx] = states = [];
        }

        var regs = new Belief[11];
        for (var i = 0; i < regs.Length; i++)
        {
            ref var reg = ref state.Cur.Regs[i];
            regs[i] = new(reg.Type, reg.Off, state.CurFrame - reg.Frameno, reg.Var) { Target =
                reg.Target, Word0 = reg.Word0 };
        }

        if (states.Count < StatesMax)
        {
            states.Add(new(regs));
        }
        else
        {
            states[^1].Join(regs);
        }
    }

    /// <summary>All registers at one time.</summary>
    internal sealed record State(Belief[] Regs)
    {
        internal void Join(Belief[] others)
        {
            for (var i = 0; i < Regs.Length; i++)
            {
                Regs[i] = Regs[i].Join(others[i]);
            }
        }
    }

    /// <summary>What is believed of one register.</summary>
    /// <param name="Type">Its type; <see cref="RegType.NotInit"/> where states disagree, about which
    /// nothing is believed.</param>
    /// <param name="Off">A pointer's fixed offset.</param>
    /// <param name="FramesUp">Of stack pointers: how many frames up the stack is that it points into.</param>
    /// <param name="Var">A scalar's value; a pointer's variable offset.</param>
    internal readonly record struct Belief(RegType Type, int Off, int FramesUp, ScalarRange Var)
    {
        /// <summary>See <see cref="RegState.Target"/>.</summary>
        internal object? Target { get; init; }

        /// <summary>See <see cref="RegState.Word0"/>.</summary>
        internal int Word0 { get; init; }

        internal Belief Join(in Belief other)
        {
            if (Type != other.Type || (Type != RegType.Scalar && (Off != other.Off || FramesUp != other.FramesUp)))
            {
                return default;
            }

            var joined = Var;
            joined.Include(other.Var);
            return this with { Var = joined };
        }
    }
}
