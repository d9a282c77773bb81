using System.Runtime.InteropServices;

namespace Kptr.Execution;

/// <summary>
/// One pre-decoded instruction: a handler and its operands, one cache line. Slot n of the program is op n.
/// </summary>
/// <remarks>
/// A fused op does the work of the slots after it too and leads past them; each of those still has an op of its own, so
/// that jumps between them land right.
/// </remarks>
[StructLayout(LayoutKind.Sequential, Size = SizeBytes)]
internal unsafe struct Op
{
    internal const int SizeBytes = 64;

    /// <summary>
    /// Does it, and returns the op to go on with; null to leave the loop with a <see cref="Machine.Stop"/>.
    /// </summary>
    internal delegate*<Op*, Machine*, Op*> Run;

    /// <summary>Where to go on, when a jump is taken.</summary>
    internal Op* Target;

    /// <summary>The immediate, sign-extended; of two-slot loads the value. Of fused ops the first one's.</summary>
    internal ulong Imm;

    /// <summary>The second and third immediates of fused ops.</summary>
    internal ulong Imm2;
    internal ulong Imm3;

    /// <summary>Byte offsets of the registers in <see cref="Machine"/>; 2 and 3 are those of fused ops.</summary>
    internal ushort Dst;
    internal ushort Src;
    internal ushort Dst2;
    internal ushort Src2;
    internal ushort Src3;
    internal ushort Dst3;

    /// <summary>The offset of a memory access.</summary>
    internal short Off;

    /// <summary>The slot whose memory access, call or jump this is: of fused ops the last.</summary>
    internal int Idx;

    /// <summary>What a taken backward jump or a call costs: the instructions it can lead to again.</summary>
    internal int Cost;
}
