using Kptr.Isa;

namespace Kptr.Verifier.Liveness;

/// <summary>Conditional jumps that constants decide, on every way alike.</summary>
internal static class DeadBranches
{
    /// <summary>Puts jumps without a condition in their place, so that the other branch counts for nothing.</summary>
    /// <remarks>Kernel: <c>bpf_prune_dead_branches</c> (kernel/bpf/const_fold.c, 7.2).</remarks>
    /// <returns>Whether there was one.</returns>
    public static bool Cut(BpfInsn[] insns, ConstantRegs known)
    {
        var any = false;
        for (var i = 0; i < insns.Length; i++)
        {
            if (IsTaken(insns, known, i) is { } taken)
            {
                insns[i] = new((byte)InsnClass.Jmp | BpfOp.Ja, 0, 0, taken ? insns[i].Off : (short)0, 0);
                any = true;
            }
        }

        return any;
    }

    private static bool? IsTaken(BpfInsn[] insns, ConstantRegs known, int at)
    {
        ref readonly var insn = ref insns[at];
        var op = insn.Opcode & BpfOp.OpMask;
        if (insn.Class is not (InsnClass.Jmp or InsnClass.Jmp32) || !JumpOps.IsConditional(op)
            || !known.TryNumber(at, insn.Dst, out var dst))
        {
            return null;
        }

        var src = (ulong)insn.Imm;
        if ((insn.Opcode & BpfOp.X) != 0)
        {
            if (!known.TryNumber(at, insn.Src, out var number))
            {
                return null;
            }

            src = number;
        }

        return insn.Class == InsnClass.Jmp ? JumpOps.IsTaken64(op, dst, src) : JumpOps.IsTaken32(op, dst, (uint)src);
    }
}
