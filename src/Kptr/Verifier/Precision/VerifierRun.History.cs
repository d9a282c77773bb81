using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <summary>One recorded step that was not simply to the next instruction, or that touched the stack.</summary>
/// <param name="Idx">The instruction.</param>
/// <param name="PrevIdx">The instruction before it on the path.</param>
/// <param name="Flags">What it did to the stack: see <see cref="HistFlags"/>.</param>
/// <param name="LinkedRegs">Registers that learnt something together, packed; 0 for none.</param>
internal record struct HistEntry(int Idx, int PrevIdx, int Flags, ulong LinkedRegs);

/// <summary>
/// Bits of <see cref="HistEntry.Flags"/> (<c>INSN_F_*</c>): frame number in bits 0-3, slot in bits 4-9.
/// </summary>
internal static class HistFlags
{
    public const int StackAccess = 1 << 10;
    public const int DstRegStack = 1 << 11;
    public const int SrcRegStack = 1 << 12;

    public static int Access(int frameno, int slot) => StackAccess | (slot << 4) | frameno;

    public static int FrameOf(int flags) => flags & 15;

    public static int SlotOf(int flags) => (flags >> 4) & 0x3f;
}

/// <content>The history of the path, that precision is tracked back along.</content>
internal sealed partial class VerifierRun
{
    private HistEntry[] _hist = new HistEntry[256];
    private bool _hasHistEntry;

    /// <summary>Records the current instruction, or adds to its record (<c>push_insn_history</c>).</summary>
    private void PushInsnHistory(int flags, ulong linkedRegs)
    {
        var state = Cur;
        if (_hasHistEntry)
        {
            ref var last = ref _hist[state.HistEnd - 1];
            last.Flags |= flags;
            last.LinkedRegs = linkedRegs;
            return;
        }

        if (state.HistEnd == _hist.Length)
        {
            Array.Resize(ref _hist, _hist.Length * 2);
        }

        _hist[state.HistEnd++] = new(InsnIdx, PrevInsnIdx, flags, linkedRegs);
        _hasHistEntry = true;
    }

    /// <summary>The instruction before <paramref name="idx"/> inside one state's stretch, or -1 at its start.</summary>
    private bool TryGetPrevInsn(VerifierState state, ref int idx, ref int histEnd)
    {
        var count = histEnd - state.HistStart;
        if (idx == state.FirstInsnIdx && (count == 0 || (count == 1 && _hist[state.HistStart].Idx == idx)))
        {
            return false;
        }

        if (count > 0 && _hist[histEnd - 1].Idx == idx)
        {
            idx = _hist[--histEnd].PrevIdx;
        }
        else
        {
            idx--;
        }

        return true;
    }
}
