using System.Runtime.InteropServices;

namespace Kptr.Isa;

/// <summary>One 8-byte instruction slot, raw: every bit is kept, reserved ones included.</summary>
/// <remarks>
/// <code>
///  byte 0   byte 1        bytes 2-3   bytes 4-7
/// +--------+-----+-----+-----------+-----------------+
/// | opcode | src | dst | off (s16) | imm (s32)       |
/// +--------+-----+-----+-----------+-----------------+
///           7..4  3..0
/// </code>
/// A 64-bit immediate load (<c>lddw</c>) takes two slots, as in the kernel, so indexes are the kernel's.
/// Kernel: <c>struct bpf_insn</c>; RFC 9669 section 3.
/// </remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1, Size = SizeBytes)]
public readonly record struct BpfInsn
{
    /// <summary>Bytes in one slot.</summary>
    public const int SizeBytes = 8;

    /// <summary>Makes an instruction from its fields.</summary>
    public BpfInsn(byte opcode, int dst, int src, short off, int imm)
    {
        Opcode = opcode;
        Regs = (byte)((dst & 0xf) | (src << 4));
        Off = off;
        Imm = imm;
    }

    /// <summary>The opcode byte, class in its low three bits.</summary>
    public byte Opcode { get; }

    /// <summary>Both register fields: destination in the low four bits, source in the high four.</summary>
    public byte Regs { get; }

    /// <summary>The signed offset: bytes for memory, slots for jumps.</summary>
    public short Off { get; }

    /// <summary>The signed immediate.</summary>
    public int Imm { get; }

    /// <summary>Destination register field, 0 to 15; only 0 to 10 name registers.</summary>
    public int Dst => Regs & 0xf;

    /// <summary>Source register field, 0 to 15; also holds the pseudo source of <c>lddw</c> and calls.</summary>
    public int Src => Regs >> 4;

    /// <summary>The class, the low three bits of <see cref="Opcode"/>.</summary>
    public InsnClass Class => (InsnClass)(Opcode & 7);

    /// <summary>Bytes that a load, store or atomic moves, from the size bits of <see cref="Opcode"/>.</summary>
    internal int AccessBytes => (Opcode & BpfOp.SizeMask) switch
    {
        BpfOp.B => 1,
        BpfOp.H => 2,
        BpfOp.W => 4,
        _ => 8,
    };

    /// <summary>Whether it reads and writes memory in one step.</summary>
    internal bool IsAtomic => IsAtomicMode && Imm is not (BpfOp.LoadAcq or BpfOp.StoreRel);

    /// <summary>Whether it loads, and nothing after it comes before the load (<c>BPF_LOAD_ACQ</c>).</summary>
    internal bool IsLoadAcquire => IsAtomicMode && Imm == BpfOp.LoadAcq;

    /// <summary>Whether it stores, and nothing before it comes after the store (<c>BPF_STORE_REL</c>).</summary>
    internal bool IsStoreRelease => IsAtomicMode && Imm == BpfOp.StoreRel;

    /// <summary>
    /// The register that gets what was in memory, of instructions that store as well or in order; else -1.
    /// </summary>
    internal int LoadedReg => !IsAtomicMode ? -1 : Imm switch
    {
        BpfOp.CmpXchg => 0,
        BpfOp.LoadAcq => Dst,
        _ => (Imm & BpfOp.Fetch) != 0 ? Src : -1,
    };

    private bool IsAtomicMode => Class == InsnClass.Stx && (Opcode & BpfOp.ModeMask) == BpfOp.Atomic;

    /// <summary>Whether it calls a function of its own program.</summary>
    internal bool IsLocalCall => Opcode == ((byte)InsnClass.Jmp | BpfOp.Call) && Src == BpfOp.PseudoCall;

    /// <summary>Whether it calls a helper by its number.</summary>
    internal bool IsHelperCall => Opcode == ((byte)InsnClass.Jmp | BpfOp.Call) && Src == 0;

    /// <summary>Whether it calls a kfunc.</summary>
    internal bool IsKfuncCall => Opcode == ((byte)InsnClass.Jmp | BpfOp.Call) && Src == BpfOp.PseudoKfuncCall;

    /// <summary>Whether it is the first slot of a <c>lddw</c> of a map or of an address in its value.</summary>
    internal bool IsMapAddress => Opcode == BpfOp.LdImm64 && Src is BpfOp.PseudoMapFd or BpfOp.PseudoMapValue;

    /// <summary>Whether it is the first slot of a <c>lddw</c> of a function's address.</summary>
    internal bool IsFuncAddress => Opcode == BpfOp.LdImm64 && Src == BpfOp.PseudoFunc;

    /// <summary>Whether it is a <c>may_goto</c>.</summary>
    internal bool IsMayGoto => Opcode == ((byte)InsnClass.Jmp | BpfOp.Jcond) && Src == 0;
}
