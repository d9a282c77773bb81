namespace Kptr.Isa;

/// <summary>The bits opcodes are made of, under the names of RFC 9669 and <c>include/uapi/linux/bpf.h</c>.</summary>
public static class BpfOp
{
    /// <summary>Operand source: immediate (<c>BPF_K</c>).</summary>
    public const byte K = 0x00;

    /// <summary>Operand source: register (<c>BPF_X</c>).</summary>
    public const byte X = 0x08;

    /// <summary>Mask of the operation in arithmetic and jump opcodes.</summary>
    public const byte OpMask = 0xf0;

    /// <summary>Mask of the access size in load and store opcodes.</summary>
    public const byte SizeMask = 0x18;

    /// <summary>Mask of the mode in load and store opcodes.</summary>
    public const byte ModeMask = 0xe0;

    // Arithmetic operations.
#pragma warning disable CS1591 // each is the kernel's BPF_ name of one operation, in .NET case
    public const byte Add = 0x00;
    public const byte Sub = 0x10;
    public const byte Mul = 0x20;
    public const byte Div = 0x30;
    public const byte Or = 0x40;
    public const byte And = 0x50;
    public const byte Lsh = 0x60;
    public const byte Rsh = 0x70;
    public const byte Neg = 0x80;
    public const byte Mod = 0x90;
    public const byte Xor = 0xa0;
    public const byte Mov = 0xb0;
    public const byte Arsh = 0xc0;
    public const byte End = 0xd0;

    // Jump operations.
    public const byte Ja = 0x00;
    public const byte Jeq = 0x10;
    public const byte Jgt = 0x20;
    public const byte Jge = 0x30;
    public const byte Jset = 0x40;
    public const byte Jne = 0x50;
    public const byte Jsgt = 0x60;
    public const byte Jsge = 0x70;
    public const byte Call = 0x80;
    public const byte Exit = 0x90;
    public const byte Jlt = 0xa0;
    public const byte Jle = 0xb0;
    public const byte Jslt = 0xc0;
    public const byte Jsle = 0xd0;
    public const byte Jcond = 0xe0;

    // Access sizes.
    public const byte W = 0x00;
    public const byte H = 0x08;
    public const byte B = 0x10;
    public const byte Dw = 0x18;

    // Modes.
    public const byte Imm = 0x00;
    public const byte Abs = 0x20;
    public const byte Ind = 0x40;
    public const byte Mem = 0x60;
    public const byte Memsx = 0x80;
    public const byte Atomic = 0xc0;

    // Atomic operations, in the immediate field.
    public const int Fetch = 0x01;
    public const int Xchg = 0xe0 | Fetch;
    public const int CmpXchg = 0xf0 | Fetch;
    public const int LoadAcq = 0x100;
    public const int StoreRel = 0x110;

    // Pseudo sources of lddw (BPF_PSEUDO_*).
    public const int PseudoMapFd = 1;
    public const int PseudoMapValue = 2;
    public const int PseudoBtfId = 3;
    public const int PseudoFunc = 4;
    public const int PseudoMapIdx = 5;
    public const int PseudoMapIdxValue = 6;

    // Pseudo sources of calls.
    public const int PseudoCall = 1;
    public const int PseudoKfuncCall = 2;
#pragma warning restore CS1591

    /// <summary>The whole opcode of a 64-bit immediate load, two slots (<c>lddw</c>).</summary>
    public const byte LdImm64 = (byte)InsnClass.Ld | Imm | Dw;
}
