using Kptr.Diagnostics;
using Kptr.Isa;
using Kptr.Specs;
using Kptr.Verifier.Cfg;

namespace Kptr.Verifier;

/// <content>One instruction backwards: whose precision its operands need.</content>
internal sealed partial class VerifierRun
{
    /// <summary>What mattered before one instruction, given what mattered after it (<c>backtrack_insn</c>).</summary>
    /// <returns>False when it cannot be told and everything must be marked.</returns>
    private bool BacktrackInsn(int idx, int subseq, HistEntry hist, bool hasHist)
    {
        ref readonly var insn = ref Insns[idx];
        if (insn.Opcode == 0)
        {
            return true;
        }

        Log.PrecisionBefore(this, _bt, idx);
        SyncLinkedInBacktrack(hist, hasHist);
        switch (insn.Class)
        {
            case InsnClass.Alu or InsnClass.Alu64:
                if (!_bt.HasReg(insn.Dst))
                {
                    return true;
                }

                if (!BacktrackAlu(insn))
                {
                    return true;
                }

                break;
            case InsnClass.Ldx or InsnClass.Stx when insn.Class == InsnClass.Ldx || insn.IsLoadAcquire:
                if (!BacktrackLoad(insn.Dst, hist, hasHist))
                {
                    return true;
                }

                break;
            case InsnClass.Stx when IsAtomicLoad(insn):
                if (!BacktrackLoad(insn.Imm == BpfOp.CmpXchg ? 0 : insn.Src, hist, hasHist))
                {
                    return true;
                }

                break;
            case InsnClass.Stx or InsnClass.St:
                return BacktrackStore(insn, hist, hasHist);
            case InsnClass.Jmp or InsnClass.Jmp32:
                if (BacktrackJump(insn, idx, subseq, hist, hasHist) is { } done)
                {
                    return done;
                }

                break;
            default:
                return BacktrackLd(insn, idx, subseq);
        }

        SyncLinkedInBacktrack(hist, hasHist);
        return true;
    }

    private static bool IsAtomicLoad(in BpfInsn insn) =>
        insn.IsAtomic && (insn.Imm & BpfOp.Fetch) != 0;

    /// <returns>False when the linked registers need no second look.</returns>
    private bool BacktrackAlu(in BpfInsn insn)
    {
        var op = insn.Opcode & BpfOp.OpMask;
        if (op is BpfOp.End or BpfOp.Neg)
        {
            return false;
        }

        var isReg = (insn.Opcode & BpfOp.X) != 0;
        if (op == BpfOp.Mov)
        {
            _bt.ClearReg(insn.Dst);
        }

        if (isReg && insn.Src != 10)
        {
            _bt.SetReg(insn.Src);
        }

        return true;
    }

    private bool BacktrackLoad(int loadReg, in HistEntry hist, bool hasHist)
    {
        if (!_bt.HasReg(loadReg))
        {
            return false;
        }

        _bt.ClearReg(loadReg);
        if (!hasHist || (hist.Flags & HistFlags.StackAccess) == 0)
        {
            return false;
        }

        _bt.SetSlot(HistFlags.FrameOf(hist.Flags), HistFlags.SlotOf(hist.Flags));
        return true;
    }

    private bool BacktrackStore(in BpfInsn insn, in HistEntry hist, bool hasHist)
    {
        if (_bt.HasReg(insn.Dst))
        {
            return false;
        }

        if (!hasHist || (hist.Flags & HistFlags.StackAccess) == 0)
        {
            return true;
        }

        int frame = HistFlags.FrameOf(hist.Flags), slot = HistFlags.SlotOf(hist.Flags);
        if (!_bt.HasSlot(frame, slot))
        {
            return true;
        }

        _bt.ClearSlot(frame, slot);
        if (insn.Class == InsnClass.Stx)
        {
            _bt.SetReg(insn.Src);
        }

        SyncLinkedInBacktrack(hist, hasHist);
        return true;
    }

    /// <returns>What <see cref="BacktrackInsn"/> shall return, or null to go on.</returns>
    private bool? BacktrackJump(in BpfInsn insn, int idx, int subseq, in HistEntry hist, bool hasHist)
    {
        var op = insn.Opcode & BpfOp.OpMask;
        if (op == BpfOp.Call)
        {
            return BacktrackCall(insn, idx, subseq);
        }

        if (op == BpfOp.Exit)
        {
            BacktrackExit(subseq);
            return true;
        }

        if ((insn.Opcode & BpfOp.X) != 0)
        {
            if (!_bt.HasReg(insn.Dst) && !_bt.HasReg(insn.Src))
            {
                return true;
            }

            if (!hasHist || (hist.Flags & HistFlags.SrcRegStack) == 0)
            {
                _bt.SetReg(insn.Src);
            }

            if (!hasHist || (hist.Flags & HistFlags.DstRegStack) == 0)
            {
                _bt.SetReg(insn.Dst);
            }
        }

        return null;
    }

    private bool? BacktrackCall(in BpfInsn insn, int idx, int subseq)
    {
        if (insn.Src == BpfOp.PseudoCall)
        {
            return BacktrackSubprogCall(insn, idx);
        }

        if ((_callees.TraitsOf(insn) & CallTraits.SyncCallback) != 0 && idx != subseq - 1)
        {
            Invariant.That((_bt.Regs & ~BacktrackSet.ArgsMask) == 0
                && _bt.Slots == 0, "a callback was entered with registers");
            LeaveFrameInBacktrack(passArgs: false);
            return true;
        }

        if (insn.Src == BpfOp.PseudoKfuncCall && insn.Imm == 0)
        {
            return false;
        }

        _bt.ClearReg(0);
        Invariant.That((_bt.Regs & BacktrackSet.ArgsMask) == 0, "arguments looked for before a call");
        if (insn.IsHelperCall && insn.Imm == (int)HelperId.TailCall && subseq != idx + 1)
        {
            EnterFrameInBacktrack();
        }

        return null;
    }

    private bool BacktrackSubprogCall(in BpfInsn insn, int idx)
    {
        if (Subprogs[Subprogs.Find(idx + insn.Imm + 1)].IsGlobal)
        {
            Invariant.That((_bt.Regs & BacktrackSet.ArgsMask) == 0, "arguments looked for before a global call");
            _bt.ClearReg(0);
            return true;
        }

        Invariant.That((_bt.Regs & ~BacktrackSet.ArgsMask) == 0
            && _bt.Slots == 0, "a function was entered with registers");
        LeaveFrameInBacktrack(passArgs: true);
        return true;
    }

    private void LeaveFrameInBacktrack(bool passArgs)
    {
        Invariant.That(_bt.Frame > 0, "backtracking left the outermost frame");
        for (var i = 1; i <= 5; i++)
        {
            if (_bt.HasReg(i))
            {
                _bt.ClearReg(i);
                if (passArgs)
                {
                    _bt.SetReg(_bt.Frame - 1, i);
                }
            }
        }

        _bt.Frame--;
    }

    private void BacktrackExit(int subseq)
    {
        var fromCall = subseq >= 1 && Insns[subseq - 1].IsLocalCall;
        var r0 = fromCall && _bt.HasReg(0);
        Invariant.That(!fromCall || (_bt.Regs & BacktrackSet.ArgsMask) == 0, "arguments looked for after a return");
        _bt.ClearReg(0);
        EnterFrameInBacktrack();
        if (r0)
        {
            _bt.SetReg(0);
        }
    }

    private void EnterFrameInBacktrack()
    {
        Invariant.That(_bt.Frame < Limits.MaxCallFrames - 1, "backtracking went too deep");
        _bt.Frame++;
    }

    private bool BacktrackLd(in BpfInsn insn, int idx, int subseq)
    {
        if ((insn.Opcode & BpfOp.ModeMask) == BpfOp.Imm)
        {
            _bt.ClearReg(insn.Dst);
            return true;
        }

        if (_bt.HasReg(insn.Dst))
        {
            return false;
        }

        if (subseq != idx + 1)
        {
            EnterFrameInBacktrack();
        }

        return true;
    }
}
