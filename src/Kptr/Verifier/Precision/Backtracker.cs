using Kptr.Diagnostics;
using Kptr.Isa;
using Kptr.Specs;
using Kptr.Verifier.Cfg;

namespace Kptr.Verifier.Precision;

/// <summary>One instruction backwards: whose precision its operands need.</summary>
/// <param name="insns">The program.</param>
/// <param name="subprogs">Its functions.</param>
/// <param name="calls">What its calls of helpers and kfuncs do.</param>
/// <param name="log">Told what is looked for before each instruction; null where nobody asks.</param>
/// <remarks>Kernel: <c>backtrack_insn</c> (6.12).</remarks>
internal sealed class Backtracker(BpfInsn[] insns, SubprogTable subprogs, ICallFacts calls, IPrecisionLog? log)
{
    /// <summary>Slots of the whole program.</summary>
    public int InsnCount => insns.Length;

    /// <summary>What mattered before one instruction, given what mattered after it (<c>backtrack_insn</c>).</summary>
    /// <param name="set">What mattered.</param>
    /// <param name="idx">The instruction.</param>
    /// <param name="subseq">The one after it on the path, or -1.</param>
    /// <param name="hist">What is recorded of it.</param>
    /// <returns>False when it cannot be told and everything must be marked.</returns>
    public bool StepBack(ref BacktrackSet set, int idx, int subseq, in HistEntry hist)
    {
        ref readonly var insn = ref insns[idx];
        if (insn.Opcode == 0)
        {
            return true;
        }

        log?.Before(set, idx);
        set.SyncLinked(hist.LinkedRegs);
        switch (insn.Class)
        {
            case InsnClass.Alu or InsnClass.Alu64:
                if (!set.HasReg(insn.Dst))
                {
                    return true;
                }

                if (!BackAlu(ref set, insn))
                {
                    return true;
                }

                break;
            case InsnClass.Ldx or InsnClass.Stx when insn.Class == InsnClass.Ldx || insn.IsLoadAcquire:
                if (!BackLoad(ref set, insn.Dst, hist))
                {
                    return true;
                }

                break;
            case InsnClass.Stx when IsAtomicLoad(insn):
                if (!BackLoad(ref set, insn.Imm == BpfOp.CmpXchg ? 0 : insn.Src, hist))
                {
                    return true;
                }

                break;
            case InsnClass.Stx or InsnClass.St:
                return BackStore(ref set, insn, hist);
            case InsnClass.Jmp or InsnClass.Jmp32:
                if (BackJump(ref set, insn, idx, subseq, hist) is { } done)
                {
                    return done;
                }

                break;
            default:
                return BackLd(ref set, insn, idx, subseq);
        }

        set.SyncLinked(hist.LinkedRegs);
        return true;
    }

    private static bool IsAtomicLoad(in BpfInsn insn) =>
        insn.IsAtomic && (insn.Imm & BpfOp.Fetch) != 0;

    /// <returns>False when the linked registers need no second look.</returns>
    private static bool BackAlu(ref BacktrackSet set, in BpfInsn insn)
    {
        var op = insn.Opcode & BpfOp.OpMask;
        if (op is BpfOp.End or BpfOp.Neg)
        {
            return false;
        }

        var isReg = (insn.Opcode & BpfOp.X) != 0;
        if (op == BpfOp.Mov)
        {
            set.ClearReg(insn.Dst);
        }

        if (isReg && insn.Src != 10)
        {
            set.SetReg(insn.Src);
        }

        return true;
    }

    private static bool BackLoad(ref BacktrackSet set, int loadReg, in HistEntry hist)
    {
        if (!set.HasReg(loadReg))
        {
            return false;
        }

        set.ClearReg(loadReg);
        if ((hist.Flags & HistFlags.StackAccess) == 0)
        {
            return false;
        }

        set.SetSlot(HistFlags.FrameOf(hist.Flags), HistFlags.SlotOf(hist.Flags));
        return true;
    }

    private static bool BackStore(ref BacktrackSet set, in BpfInsn insn, in HistEntry hist)
    {
        if (set.HasReg(insn.Dst))
        {
            return false;
        }

        if ((hist.Flags & HistFlags.StackAccess) == 0)
        {
            return true;
        }

        int frame = HistFlags.FrameOf(hist.Flags), slot = HistFlags.SlotOf(hist.Flags);
        if (!set.HasSlot(frame, slot))
        {
            return true;
        }

        set.ClearSlot(frame, slot);
        if (insn.Class == InsnClass.Stx)
        {
            set.SetReg(insn.Src);
        }

        set.SyncLinked(hist.LinkedRegs);
        return true;
    }

    /// <returns>What <see cref="StepBack"/> shall return, or null to go on.</returns>
    private bool? BackJump(ref BacktrackSet set, in BpfInsn insn, int idx, int subseq, in HistEntry hist)
    {
        var op = insn.Opcode & BpfOp.OpMask;
        if (op == BpfOp.Call)
        {
            return BackCall(ref set, insn, idx, subseq);
        }

        if (op == BpfOp.Exit)
        {
            BackExit(ref set, subseq);
            return true;
        }

        if ((insn.Opcode & BpfOp.X) != 0)
        {
            if (!set.HasReg(insn.Dst) && !set.HasReg(insn.Src))
            {
                return true;
            }

            if ((hist.Flags & HistFlags.SrcRegStack) == 0)
            {
                set.SetReg(insn.Src);
            }

            if ((hist.Flags & HistFlags.DstRegStack) == 0)
            {
                set.SetReg(insn.Dst);
            }
        }

        return null;
    }

    private bool? BackCall(ref BacktrackSet set, in BpfInsn insn, int idx, int subseq)
    {
        if (insn.Src == BpfOp.PseudoCall)
        {
            return BackSubprogCall(ref set, insn, idx);
        }

        if ((calls.TraitsOf(insn) & CallTraits.SyncCallback) != 0 && idx != subseq - 1)
        {
            Invariant.That((set.Regs & ~BacktrackSet.ArgsMask) == 0
                && set.Slots == 0, "a callback was entered with registers");
            set.LeaveFrame(passArgs: false);
            return true;
        }

        if (insn.Src == BpfOp.PseudoKfuncCall && insn.Imm == 0)
        {
            return false;
        }

        set.ClearReg(0);
        Invariant.That((set.Regs & BacktrackSet.ArgsMask) == 0, "arguments looked for before a call");
        if (insn.Calls(HelperId.TailCall) && subseq != idx + 1)
        {
            set.EnterFrame();
        }

        return null;
    }

    private bool BackSubprogCall(ref BacktrackSet set, in BpfInsn insn, int idx)
    {
        if (subprogs[subprogs.Find(idx + insn.Imm + 1)].IsGlobal)
        {
            Invariant.That((set.Regs & BacktrackSet.ArgsMask) == 0, "arguments looked for before a global call");
            set.ClearReg(0);
            return true;
        }

        Invariant.That((set.Regs & ~BacktrackSet.ArgsMask) == 0
            && set.Slots == 0, "a function was entered with registers");
        set.LeaveFrame(passArgs: true);
        return true;
    }

    private void BackExit(ref BacktrackSet set, int subseq)
    {
        var fromCall = subseq >= 1 && insns[subseq - 1].IsLocalCall;
        var r0 = fromCall && set.HasReg(0);
        Invariant.That(!fromCall || (set.Regs & BacktrackSet.ArgsMask) == 0, "arguments looked for after a return");
        set.ClearReg(0);
        set.EnterFrame();
        if (r0)
        {
            set.SetReg(0);
        }
    }

    private static bool BackLd(ref BacktrackSet set, in BpfInsn insn, int idx, int subseq)
    {
        if ((insn.Opcode & BpfOp.ModeMask) == BpfOp.Imm)
        {
            set.ClearReg(insn.Dst);
            return true;
        }

        if (set.HasReg(insn.Dst))
        {
            return false;
        }

        if (subseq != idx + 1)
        {
            set.EnterFrame();
        }

        return true;
    }
}
