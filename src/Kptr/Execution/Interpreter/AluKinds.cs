using Kptr.Isa;

namespace Kptr.Execution;

/// <summary>An arithmetic operation as a type, so that a handler is compiled for it; the results are Isa's.</summary>
internal interface IAlu
{
    static abstract ulong Apply(ulong dst, ulong src);
}

internal readonly struct Add64 : IAlu { public static ulong Apply(ulong d, ulong s) => AluOps.Alu64(BpfOp.Add, d, s); }
internal readonly struct Sub64 : IAlu { public static ulong Apply(ulong d, ulong s) => AluOps.Alu64(BpfOp.Sub, d, s); }
internal readonly struct Mul64 : IAlu { public static ulong Apply(ulong d, ulong s) => AluOps.Alu64(BpfOp.Mul, d, s); }
internal readonly struct Or64 : IAlu { public static ulong Apply(ulong d, ulong s) => AluOps.Alu64(BpfOp.Or, d, s); }
internal readonly struct And64 : IAlu { public static ulong Apply(ulong d, ulong s) => AluOps.Alu64(BpfOp.And, d, s); }
internal readonly struct Xor64 : IAlu { public static ulong Apply(ulong d, ulong s) => AluOps.Alu64(BpfOp.Xor, d, s); }
internal readonly struct Lsh64 : IAlu { public static ulong Apply(ulong d, ulong s) => AluOps.Alu64(BpfOp.Lsh, d, s); }
internal readonly struct Rsh64 : IAlu { public static ulong Apply(ulong d, ulong s) => AluOps.Alu64(BpfOp.Rsh, d, s); }
internal readonly struct Arsh64 : IAlu { public static ulong Apply(ulong d, ulong s) =>
    AluOps.Alu64(BpfOp.Arsh, d, s); }
internal readonly struct Mov64 : IAlu { public static ulong Apply(ulong d, ulong s) => AluOps.Alu64(BpfOp.Mov, d, s); }
internal readonly struct MovSx8 : IAlu { public static ulong Apply(ulong d, ulong s) =>
    AluOps.Alu64(BpfOp.Mov, d, s, 8); }
internal readonly struct MovSx16 : IAlu { public static ulong Apply(ulong d, ulong s) =>
    AluOps.Alu64(BpfOp.Mov, d, s, 16); }
internal readonly struct MovSx32 : IAlu { public static ulong Apply(ulong d, ulong s) =>
    AluOps.Alu64(BpfOp.Mov, d, s, 32); }
internal readonly struct SpaceCast : IAlu { public static ulong Apply(ulong d, ulong s) => AluOps.AddrSpaceCast(s); }
internal readonly struct Div64 : IAlu { public static ulong Apply(ulong d, ulong s) => AluOps.Div64(d, s); }
internal readonly struct Mod64 : IAlu { public static ulong Apply(ulong d, ulong s) => AluOps.Mod64(d, s); }
internal readonly struct SDiv64 : IAlu { public static ulong Apply(ulong d, ulong s) =>
    (ulong)AluOps.SDiv64((long)d, (long)s); }
internal readonly struct SMod64 : IAlu { public static ulong Apply(ulong d, ulong s) =>
    (ulong)AluOps.SMod64((long)d, (long)s); }
internal readonly struct Neg64 : IAlu { public static ulong Apply(ulong d, ulong s) => AluOps.Alu64(BpfOp.Neg, d, 0); }
internal readonly struct Add32 : IAlu { public static ulong Apply(ulong d, ulong s) =>
    AluOps.Alu32(BpfOp.Add, (uint)d, (uint)s); }
internal readonly struct Sub32 : IAlu { public static ulong Apply(ulong d, ulong s) =>
    AluOps.Alu32(BpfOp.Sub, (uint)d, (uint)s); }
internal readonly struct Mul32 : IAlu { public static ulong Apply(ulong d, ulong s) =>
    AluOps.Alu32(BpfOp.Mul, (uint)d, (uint)s); }
internal readonly struct Or32 : IAlu { public static ulong Apply(ulong d, ulong s) =>
    AluOps.Alu32(BpfOp.Or, (uint)d, (uint)s); }
internal readonly struct And32 : IAlu { public static ulong Apply(ulong d, ulong s) =>
    AluOps.Alu32(BpfOp.And, (uint)d, (uint)s); }
internal readonly struct Xor32 : IAlu { public static ulong Apply(ulong d, ulong s) =>
    AluOps.Alu32(BpfOp.Xor, (uint)d, (uint)s); }
internal readonly struct Lsh32 : IAlu { public static ulong Apply(ulong d, ulong s) =>
    AluOps.Alu32(BpfOp.Lsh, (uint)d, (uint)s); }
internal readonly struct Rsh32 : IAlu { public static ulong Apply(ulong d, ulong s) =>
    AluOps.Alu32(BpfOp.Rsh, (uint)d, (uint)s); }
internal readonly struct Arsh32 : IAlu { public static ulong Apply(ulong d, ulong s) =>
    AluOps.Alu32(BpfOp.Arsh, (uint)d, (uint)s); }
internal readonly struct Mov32 : IAlu { public static ulong Apply(ulong d, ulong s) =>
    AluOps.Alu32(BpfOp.Mov, (uint)d, (uint)s); }
internal readonly struct Mov32Sx8 : IAlu { public static ulong Apply(ulong d, ulong s) =>
    AluOps.Alu32(BpfOp.Mov, (uint)d, (uint)s, 8); }
internal readonly struct Mov32Sx16 : IAlu { public static ulong Apply(ulong d, ulong s) =>
    AluOps.Alu32(BpfOp.Mov, (uint)d, (uint)s, 16); }
internal readonly struct Div32 : IAlu { public static ulong Apply(ulong d, ulong s) => AluOps.Div32((uint)d, (uint)s); }
internal readonly struct Mod32 : IAlu { public static ulong Apply(ulong d, ulong s) => AluOps.Mod32((uint)d, (uint)s); }
internal readonly struct SDiv32 : IAlu { public static ulong Apply(ulong d, ulong s) =>
    (uint)AluOps.SDiv32((int)d, (int)s); }
internal readonly struct SMod32 : IAlu { public static ulong Apply(ulong d, ulong s) =>
    (uint)AluOps.SMod32((int)d, (int)s); }
internal readonly struct Neg32 : IAlu { public static ulong Apply(ulong d, ulong s) =>
    AluOps.Alu32(BpfOp.Neg, (uint)d, 0); }
internal readonly struct Le16 : IAlu { public static ulong Apply(ulong d, ulong s) =>
    AluOps.End((byte)InsnClass.Alu, d, 16); }
internal readonly struct Le32 : IAlu { public static ulong Apply(ulong d, ulong s) =>
    AluOps.End((byte)InsnClass.Alu, d, 32); }
internal readonly struct Le64 : IAlu { public static ulong Apply(ulong d, ulong s) =>
    AluOps.End((byte)InsnClass.Alu, d, 64); }
internal readonly struct Swap16 : IAlu { public static ulong Apply(ulong d, ulong s) =>
    AluOps.End((byte)InsnClass.Alu64, d, 16); }
internal readonly struct Swap32 : IAlu { public static ulong Apply(ulong d, ulong s) =>
    AluOps.End((byte)InsnClass.Alu64, d, 32); }
internal readonly struct Swap64 : IAlu { public static ulong Apply(ulong d, ulong s) =>
    AluOps.End((byte)InsnClass.Alu64, d, 64); }

/// <summary>Where a second operand comes from, as a type.</summary>
internal unsafe interface IOperand
{
    static abstract ulong First(Op* op, Machine* m);

    static abstract ulong Second(Op* op, Machine* m);

    static abstract ulong Third(Op* op, Machine* m);
}

/// <summary>The op's immediates.</summary>
internal readonly unsafe struct FromImm : IOperand
{
    public static ulong First(Op* op, Machine* m) => op->Imm;

    public static ulong Second(Op* op, Machine* m) => op->Imm2;

    public static ulong Third(Op* op, Machine* m) => op->Imm3;
}

/// <summary>The op's source registers.</summary>
internal readonly unsafe struct FromReg : IOperand
{
    public static ulong First(Op* op, Machine* m) => *(ulong*)((byte*)m + op->Src);

    public static ulong Second(Op* op, Machine* m) => *(ulong*)((byte*)m + op->Src2);

    public static ulong Third(Op* op, Machine* m) => *(ulong*)((byte*)m + op->Src3);
}
