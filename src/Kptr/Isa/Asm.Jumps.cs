namespace Kptr.Isa;

public static partial class Asm
{
    /// <summary>
    /// A 64-bit conditional jump over <paramref name="off"/> slots; <paramref name="op"/> is <see cref="BpfOp.Jeq"/>...
    /// </summary>
    public static BpfInsn Jmp(byte op, BpfReg dst, BpfReg src, short off) =>
        new((byte)((byte)InsnClass.Jmp | op | BpfOp.X), (int)dst, (int)src, off, 0);

    /// <summary>A 64-bit conditional jump over <paramref name="off"/> slots.</summary>
    public static BpfInsn Jmp(byte op, BpfReg dst, int imm, short off) =>
        new((byte)((byte)InsnClass.Jmp | op), (int)dst, 0, off, imm);

    /// <summary>A 64-bit conditional jump to a label.</summary>
    public static AsmItem Jmp(byte op, BpfReg dst, BpfReg src, string label) => new(Jmp(op, dst, src, 0), label);

    /// <summary>A 64-bit conditional jump to a label.</summary>
    public static AsmItem Jmp(byte op, BpfReg dst, int imm, string label) => new(Jmp(op, dst, imm, 0), label);

    /// <summary>A 32-bit conditional jump over <paramref name="off"/> slots.</summary>
    public static BpfInsn Jmp32(byte op, BpfReg dst, BpfReg src, short off) =>
        new((byte)((byte)InsnClass.Jmp32 | op | BpfOp.X), (int)dst, (int)src, off, 0);

    /// <summary>A 32-bit conditional jump over <paramref name="off"/> slots.</summary>
    public static BpfInsn Jmp32(byte op, BpfReg dst, int imm, short off) =>
        new((byte)((byte)InsnClass.Jmp32 | op), (int)dst, 0, off, imm);

    /// <summary>A 32-bit conditional jump to a label.</summary>
    public static AsmItem Jmp32(byte op, BpfReg dst, BpfReg src, string label) => new(Jmp32(op, dst, src, 0), label);

    /// <summary>A 32-bit conditional jump to a label.</summary>
    public static AsmItem Jmp32(byte op, BpfReg dst, int imm, string label) => new(Jmp32(op, dst, imm, 0), label);

#pragma warning disable CS1591 // each is one opcode under its kernel name
    public static BpfInsn Jeq(BpfReg dst, int imm, short off) => Jmp(BpfOp.Jeq, dst, imm, off);
    public static AsmItem Jeq(BpfReg dst, int imm, string label) => Jmp(BpfOp.Jeq, dst, imm, label);
    public static BpfInsn Jne(BpfReg dst, int imm, short off) => Jmp(BpfOp.Jne, dst, imm, off);
    public static AsmItem Jne(BpfReg dst, int imm, string label) => Jmp(BpfOp.Jne, dst, imm, label);
    public static BpfInsn Jgt(BpfReg dst, int imm, short off) => Jmp(BpfOp.Jgt, dst, imm, off);
    public static AsmItem Jgt(BpfReg dst, int imm, string label) => Jmp(BpfOp.Jgt, dst, imm, label);
    public static BpfInsn Jge(BpfReg dst, int imm, short off) => Jmp(BpfOp.Jge, dst, imm, off);
    public static AsmItem Jge(BpfReg dst, int imm, string label) => Jmp(BpfOp.Jge, dst, imm, label);
    public static BpfInsn Jlt(BpfReg dst, int imm, short off) => Jmp(BpfOp.Jlt, dst, imm, off);
    public static AsmItem Jlt(BpfReg dst, int imm, string label) => Jmp(BpfOp.Jlt, dst, imm, label);
    public static BpfInsn Jle(BpfReg dst, int imm, short off) => Jmp(BpfOp.Jle, dst, imm, off);
    public static AsmItem Jle(BpfReg dst, int imm, string label) => Jmp(BpfOp.Jle, dst, imm, label);
#pragma warning restore CS1591

    /// <summary>Jumps over <paramref name="off"/> slots.</summary>
    public static BpfInsn Ja(short off) => new((byte)InsnClass.Jmp | BpfOp.Ja, 0, 0, off, 0);

    /// <summary>Jumps to a label.</summary>
    public static AsmItem Ja(string label) => new(Ja(0), label);

    /// <summary>Jumps over <paramref name="imm"/> slots, however far (<c>gotol</c>).</summary>
    public static BpfInsn Gotol(int imm) => new((byte)InsnClass.Jmp32 | BpfOp.Ja, 0, 0, 0, imm);

    /// <summary>Jumps to a label, however far (<c>gotol</c>).</summary>
    public static AsmItem Gotol(string label) => new(Gotol(0), label);

    /// <summary>Jumps over <paramref name="off"/> slots once the machine has had enough (<c>may_goto</c>).</summary>
    public static BpfInsn MayGoto(short off) => new((byte)InsnClass.Jmp | BpfOp.Jcond, 0, 0, off, 0);

    /// <summary>Jumps to a label once the machine has had enough (<c>may_goto</c>).</summary>
    public static AsmItem MayGoto(string label) => new(MayGoto(0), label);

    /// <summary>Calls the helper with this number.</summary>
    public static BpfInsn Call(int helperId) => new((byte)InsnClass.Jmp | BpfOp.Call, 0, 0, 0, helperId);

    /// <summary>Calls a label of this program, or a kfunc by its name.</summary>
    public static AsmItem Call(string name) =>
        new(new BpfInsn((byte)InsnClass.Jmp | BpfOp.Call, 0, BpfOp.PseudoKfuncCall, 0, 0), name);

    /// <summary>Calls the subprogram <paramref name="delta"/> slots past the next instruction.</summary>
    public static BpfInsn CallRel(int delta) => new((byte)InsnClass.Jmp | BpfOp.Call, 0, BpfOp.PseudoCall, 0, delta);

    /// <summary>Ends the program or returns from the subprogram, with R0.</summary>
    public static BpfInsn Exit() => new((byte)InsnClass.Jmp | BpfOp.Exit, 0, 0, 0, 0);

    /// <summary>Names the next instruction.</summary>
    public static AsmItem Label(string name) => new(name);
}
