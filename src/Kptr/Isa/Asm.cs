namespace Kptr.Isa;

/// <summary>
/// BPF's assembler in C#: with <c>using static Kptr.Isa.Asm</c> a program is a collection expression, of
/// <see cref="BpfInsn"/> where offsets are numbers, of <see cref="AsmItem"/> (an
/// <see cref="AsmProgram"/>) where they are labels.
/// </summary>
/// <remarks>Names are the kernel's macros without their prefixes; a trailing 32 is the 32-bit form.</remarks>
public static partial class Asm
{
#pragma warning disable CS1591 // each is one register or one opcode under its kernel name
    public const BpfReg R0 = BpfReg.R0;
    public const BpfReg R1 = BpfReg.R1;
    public const BpfReg R2 = BpfReg.R2;
    public const BpfReg R3 = BpfReg.R3;
    public const BpfReg R4 = BpfReg.R4;
    public const BpfReg R5 = BpfReg.R5;
    public const BpfReg R6 = BpfReg.R6;
    public const BpfReg R7 = BpfReg.R7;
    public const BpfReg R8 = BpfReg.R8;
    public const BpfReg R9 = BpfReg.R9;
    public const BpfReg R10 = BpfReg.R10;

    public static BpfInsn Mov(BpfReg dst, BpfReg src) => Alu64(BpfOp.Mov, dst, src);
    public static BpfInsn Mov(BpfReg dst, int imm) => Alu64(BpfOp.Mov, dst, imm);
    public static BpfInsn Mov32(BpfReg dst, BpfReg src) => Alu32(BpfOp.Mov, dst, src);
    public static BpfInsn Mov32(BpfReg dst, int imm) => Alu32(BpfOp.Mov, dst, imm);
    public static BpfInsn Add(BpfReg dst, BpfReg src) => Alu64(BpfOp.Add, dst, src);
    public static BpfInsn Add(BpfReg dst, int imm) => Alu64(BpfOp.Add, dst, imm);
    public static BpfInsn Sub(BpfReg dst, BpfReg src) => Alu64(BpfOp.Sub, dst, src);
    public static BpfInsn Sub(BpfReg dst, int imm) => Alu64(BpfOp.Sub, dst, imm);
    public static BpfInsn Mul(BpfReg dst, BpfReg src) => Alu64(BpfOp.Mul, dst, src);
    public static BpfInsn Mul(BpfReg dst, int imm) => Alu64(BpfOp.Mul, dst, imm);
    public static BpfInsn And(BpfReg dst, BpfReg src) => Alu64(BpfOp.And, dst, src);
    public static BpfInsn And(BpfReg dst, int imm) => Alu64(BpfOp.And, dst, imm);
    public static BpfInsn Or(BpfReg dst, BpfReg src) => Alu64(BpfOp.Or, dst, src);
    public static BpfInsn Or(BpfReg dst, int imm) => Alu64(BpfOp.Or, dst, imm);
    public static BpfInsn Xor(BpfReg dst, BpfReg src) => Alu64(BpfOp.Xor, dst, src);
    public static BpfInsn Xor(BpfReg dst, int imm) => Alu64(BpfOp.Xor, dst, imm);
    public static BpfInsn Lsh(BpfReg dst, BpfReg src) => Alu64(BpfOp.Lsh, dst, src);
    public static BpfInsn Lsh(BpfReg dst, int imm) => Alu64(BpfOp.Lsh, dst, imm);
    public static BpfInsn Rsh(BpfReg dst, BpfReg src) => Alu64(BpfOp.Rsh, dst, src);
    public static BpfInsn Rsh(BpfReg dst, int imm) => Alu64(BpfOp.Rsh, dst, imm);
    public static BpfInsn Arsh(BpfReg dst, BpfReg src) => Alu64(BpfOp.Arsh, dst, src);
    public static BpfInsn Arsh(BpfReg dst, int imm) => Alu64(BpfOp.Arsh, dst, imm);
    public static BpfInsn Div(BpfReg dst, BpfReg src) => Alu64(BpfOp.Div, dst, src);
    public static BpfInsn Div(BpfReg dst, int imm) => Alu64(BpfOp.Div, dst, imm);
    public static BpfInsn Mod(BpfReg dst, BpfReg src) => Alu64(BpfOp.Mod, dst, src);
    public static BpfInsn Mod(BpfReg dst, int imm) => Alu64(BpfOp.Mod, dst, imm);
    public static BpfInsn SDiv(BpfReg dst, BpfReg src) => Alu64(BpfOp.Div, dst, src, 1);
    public static BpfInsn SMod(BpfReg dst, BpfReg src) => Alu64(BpfOp.Mod, dst, src, 1);
    public static BpfInsn Neg(BpfReg dst) => Alu64(BpfOp.Neg, dst, 0);
#pragma warning restore CS1591

    /// <summary>
    /// A 64-bit arithmetic instruction with a register operand; <paramref name="off"/> selects signed
    /// and sign-extending forms.
    /// </summary>
    public static BpfInsn Alu64(byte op, BpfReg dst, BpfReg src, short off = 0) =>
        new((byte)((byte)InsnClass.Alu64 | op | BpfOp.X), (int)dst, (int)src, off, 0);

    /// <summary>A 64-bit arithmetic instruction with an immediate operand.</summary>
    public static BpfInsn Alu64(byte op, BpfReg dst, int imm, short off = 0) =>
        new((byte)((byte)InsnClass.Alu64 | op), (int)dst, 0, off, imm);

    /// <summary>A 32-bit arithmetic instruction with a register operand.</summary>
    public static BpfInsn Alu32(byte op, BpfReg dst, BpfReg src, short off = 0) =>
        new((byte)((byte)InsnClass.Alu | op | BpfOp.X), (int)dst, (int)src, off, 0);

    /// <summary>A 32-bit arithmetic instruction with an immediate operand.</summary>
    public static BpfInsn Alu32(byte op, BpfReg dst, int imm, short off = 0) =>
        new((byte)((byte)InsnClass.Alu | op), (int)dst, 0, off, imm);

    /// <summary>A move that sign-extends the low 8, 16 or 32 bits.</summary>
    public static BpfInsn MovSx(BpfReg dst, BpfReg src, short bits) => Alu64(BpfOp.Mov, dst, src, bits);

    /// <summary>Reverses the low 16, 32 or 64 bits' bytes.</summary>
    public static BpfInsn Bswap(BpfReg dst, int bits) => new((byte)InsnClass.Alu64 | BpfOp.End, (int)dst, 0, 0, bits);

    /// <summary>Converts the low 16, 32 or 64 bits to big-endian.</summary>
    public static BpfInsn ToBe(BpfReg dst, int bits) =>
        new((byte)InsnClass.Alu | BpfOp.End | BpfOp.X, (int)dst, 0, 0, bits);

    /// <summary>Converts the low 16, 32 or 64 bits to little-endian.</summary>
    public static BpfInsn ToLe(BpfReg dst, int bits) => new((byte)InsnClass.Alu | BpfOp.End, (int)dst, 0, 0, bits);

    /// <summary>Loads from <c>src + off</c>; <paramref name="size"/> is <see cref="BpfOp.B"/>, H, W or Dw.</summary>
    public static BpfInsn Ldx(byte size, BpfReg dst, BpfReg src, short off) =>
        new((byte)((byte)InsnClass.Ldx | BpfOp.Mem | size), (int)dst, (int)src, off, 0);

    /// <summary>Loads from <c>src + off</c> and sign-extends.</summary>
    public static BpfInsn LdxSx(byte size, BpfReg dst, BpfReg src, short off) =>
        new((byte)((byte)InsnClass.Ldx | BpfOp.Memsx | size), (int)dst, (int)src, off, 0);

    /// <summary>Stores a register at <c>dst + off</c>.</summary>
    public static BpfInsn Stx(byte size, BpfReg dst, short off, BpfReg src) =>
        new((byte)((byte)InsnClass.Stx | BpfOp.Mem | size), (int)dst, (int)src, off, 0);

    /// <summary>Stores an immediate at <c>dst + off</c>.</summary>
    public static BpfInsn St(byte size, BpfReg dst, short off, int imm) =>
        new((byte)((byte)InsnClass.St | BpfOp.Mem | size), (int)dst, 0, off, imm);

    /// <summary>
    /// An atomic operation on <c>dst + off</c>; <paramref name="op"/> is <see cref="BpfOp.Add"/>..., with
    /// <see cref="BpfOp.Fetch"/> where wanted.
    /// </summary>
    public static BpfInsn Atomic(byte size, int op, BpfReg dst, short off, BpfReg src) =>
        new((byte)((byte)InsnClass.Stx | BpfOp.Atomic | size), (int)dst, (int)src, off, op);

    /// <summary>Loads a 64-bit constant: two slots, to be spread (<c>.. LdImm64(R1, x)</c>).</summary>
    public static BpfInsn[] LdImm64(BpfReg dst, ulong value) => LdImm64(dst, 0, (int)value, (int)(value >> 32));

    /// <summary>A two-slot load with a pseudo source (<see cref="BpfOp.PseudoMapFd"/>...), to be spread.</summary>
    public static BpfInsn[] LdImm64(BpfReg dst, int pseudo, int imm, int nextImm = 0) =>
        [new(BpfOp.LdImm64, (int)dst, pseudo, 0, imm), new(0, 0, 0, 0, nextImm)];

    /// <summary>
    /// The address of a map, variable, kernel symbol or of a label in this program: two slots, to be spread.
    /// </summary>
    public static AsmItem[] LdAddr(BpfReg dst, string name, int addend = 0) =>
        [new(new BpfInsn(BpfOp.LdImm64, (int)dst, 0, 0, 0), name, addend), new BpfInsn(0, 0, 0, 0, 0)];
}
