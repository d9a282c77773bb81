namespace Kptr.Verifier.Precision;

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
