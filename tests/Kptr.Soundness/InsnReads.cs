using Kptr.Isa;
using Kptr.Specs;

namespace Kptr.Soundness;

/// <summary>Which registers an instruction reads.</summary>
internal static class InsnReads
{
    /// <summary>A bit for each register, r0 lowest. Of calls only those of helpers with a known prototype.</summary>
    /// <param name="insn">The instruction.</param>
    /// <param name="depth">Open calls: only the program's own end reads r0.</param>
    internal static int MaskOf(BpfInsn insn, int depth)
    {
        int dst = 1 << insn.Dst, src = 1 << insn.Src;
        var isReg = (insn.Opcode & BpfOp.X) != 0;
        var op = insn.Opcode & BpfOp.OpMask;
        return insn.Class switch
        {
            InsnClass.Alu or InsnClass.Alu64 when op == BpfOp.End => dst,
            InsnClass.Alu or InsnClass.Alu64 => (op == BpfOp.Mov ? 0 : dst) | (isReg ? src : 0),
            InsnClass.Ldx => src,
            InsnClass.St => dst,
            InsnClass.Stx when insn is { Imm: BpfOp.CmpXchg } && (insn.Opcode & BpfOp.ModeMask) == BpfOp.Atomic =>
                dst | src | 1,
            InsnClass.Stx => dst | src,
            InsnClass.Jmp or InsnClass.Jmp32 => OfJump(insn, op, dst | (isReg ? src : 0), depth),
            _ => 0,
        };
    }

    private static int OfJump(BpfInsn insn, int op, int operands, int depth) => op switch
    {
        BpfOp.Ja or BpfOp.Jcond => 0,
        BpfOp.Exit => depth == 0 ? 1 : 0,
        BpfOp.Call when insn.Src == 0 => ((1 << ArgCount(insn.Imm)) - 1) << 1,
        BpfOp.Call => 0,
        _ => operands,
    };

    private static int ArgCount(int helper) => HelperTable.Find((HelperId)helper)?.Args.Length ?? 0;
}
