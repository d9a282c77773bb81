using System.Numerics;
using Kptr.Diagnostics;
using Kptr.Isa;

namespace Kptr.Verifier;

/// <content>
/// Precision: a scalar whose exact range decided something is marked in all earlier states it came from, because only
/// marked scalars are compared when states are.
/// </content>
internal sealed partial class VerifierRun
{
    private BacktrackSet _bt;

    /// <summary>The value of a scalar register mattered (<c>mark_chain_precision</c>).</summary>
    public void MarkChainPrecision(int regno)
    {
        if (!BpfCapable)
        {
            return;
        }

        _bt = default;
        _bt.Frame = Cur.CurFrame;
        Invariant.That(Reg(regno).Type == RegType.Scalar, "precision of something that is no scalar");
        _bt.SetReg(regno);
        MarkChainPrecisionOfSet();
    }

    /// <summary>Walks back along the path for all of <c>_bt</c> (<c>__mark_chain_precision</c>).</summary>
    private void MarkChainPrecisionOfSet()
    {
        var state = Cur;
        int first = state.FirstInsnIdx, last = InsnIdx, subseq = -1;
        var skipFirst = true;
        while (!_bt.IsEmpty)
        {
            if (last < 0)
            {
                MarkEntryPrecise(state);
                return;
            }

            if (!BacktrackStretch(state, last, ref subseq, skipFirst))
            {
                return;
            }

            skipFirst = false;
            if (state.Parent is not { } parent)
            {
                break;
            }

            state = parent;
            MarkStatePrecise(state);
            subseq = first;
            last = state.LastInsnIdx;
            first = state.FirstInsnIdx;
        }

        if (!_bt.IsEmpty)
        {
            // History ended early; the kernel takes the same way out.
            MarkAllScalarsPrecise(Cur);
            _bt = default;
        }
    }

    /// <summary>Walks back over the instructions of one state.</summary>
    /// <returns>False when nothing is left to look for.</returns>
    private bool BacktrackStretch(VerifierState state, int last, ref int subseq, bool skipFirst)
    {
        var histEnd = state.HistEnd;
        for (var i = last; ;)
        {
            if (skipFirst)
            {
                skipFirst = false;
            }
            else
            {
                var has = histEnd > state.HistStart && _hist[histEnd - 1].Idx == i;
                if (!BacktrackInsn(i, subseq, has ? _hist[histEnd - 1] : default, has))
                {
                    MarkAllScalarsPrecise(Cur);
                    _bt = default;
                    return false;
                }
            }

            if (_bt.IsEmpty)
            {
                return false;
            }

            subseq = i;
            if (!TryGetPrevInsn(state, ref i, ref histEnd))
            {
                return true;
            }

            Invariant.That((uint)i < (uint)Insns.Length, "backtracking left the program");
        }
    }

    /// <summary>At the entry of a global function only arguments can be left.</summary>
    private void MarkEntryPrecise(VerifierState state)
    {
        var frame = state.Frames[0]!;
        Invariant.That(
            state.CurFrame == 0 && frame.Subprogno > 0 && frame.Callsite == -1 && _bt.Slots == 0
            && (_bt.Regs & ~BacktrackSet.ArgsMask) == 0,
            "backtracking reached an entry with more than arguments");
        for (var regs = _bt.Regs; regs != 0; regs &= regs - 1)
        {
            ref var reg = ref frame.Regs[BitOperations.TrailingZeroCount(regs)];
            if (reg.Type == RegType.Scalar)
            {
                reg.Precise = true;
            }
        }

        _bt = default;
    }

    private void MarkStatePrecise(VerifierState state)
    {
        for (var fr = _bt.Frame; fr >= 0; fr--)
        {
            var frame = state.Frames[fr]!;
            for (var regs = _bt.RegsOf(fr); regs != 0; regs &= regs - 1)
            {
                var i = BitOperations.TrailingZeroCount(regs);
                ref var reg = ref frame.Regs[i];
                if (reg.Type != RegType.Scalar || reg.Precise)
                {
                    _bt.ClearReg(fr, i);
                }
                else
                {
                    reg.Precise = true;
                }
            }

            for (var slots = _bt.SlotsOf(fr); slots != 0; slots &= slots - 1)
            {
                var i = BitOperations.TrailingZeroCount(slots);
                Invariant.That(i < frame.SlotCount, "backtracking met a slot out of bounds");
                ref var slot = ref frame.Stack[i];
                if (!slot.IsScalarSpill || slot.Spilled.Precise)
                {
                    _bt.ClearSlot(fr, i);
                }
                else
                {
                    slot.Spilled.Precise = true;
                }
            }
        }
    }

    /// <summary>The big hammer: every scalar of every earlier state (<c>mark_all_scalars_precise</c>).</summary>
    private static void MarkAllScalarsPrecise(VerifierState from)
    {
        for (var state = from.Parent; state is not null; state = state.Parent)
        {
            SetAllScalars(state, precise: true);
        }
    }

    private static void SetAllScalars(VerifierState state, bool precise)
    {
        for (var i = 0; i <= state.CurFrame; i++)
        {
            var frame = state.Frames[i]!;
            foreach (ref var reg in frame.Regs.AsSpan(0, 10))
            {
                if (reg.Type == RegType.Scalar)
                {
                    reg.Precise = precise;
                }
            }

            foreach (ref var slot in frame.Stack.AsSpan(0, frame.SlotCount))
            {
                if (slot.IsScalarSpill)
                {
                    slot.Spilled.Precise = precise;
                }
            }
        }
    }

    private void SyncLinkedInBacktrack(in HistEntry hist, bool hasHist)
    {
        if (!hasHist || hist.LinkedRegs == 0)
        {
            return;
        }

        Span<int> entries = stackalloc int[LinkedRegs.CountMax];
        var count = LinkedRegs.Unpack(hist.LinkedRegs, entries);
        var some = false;
        for (var i = 0; i < count && !some; i++)
        {
            int frame = LinkedRegs.FrameOf(entries[i]), at = LinkedRegs.IndexOf(entries[i]);
            some = LinkedRegs.IsReg(entries[i]) ? _bt.HasReg(frame, at) : _bt.HasSlot(frame, at);
        }

        for (var i = 0; i < count && some; i++)
        {
            int frame = LinkedRegs.FrameOf(entries[i]), at = LinkedRegs.IndexOf(entries[i]);
            if (LinkedRegs.IsReg(entries[i]))
            {
                _bt.SetReg(frame, at);
            }
            else
            {
                _bt.SetSlot(frame, at);
            }
        }
    }

    /// <summary>What mattered before one instruction, given what mattered after it (<c>backtrack_insn</c>).</summary>
    /// <returns>False when it cannot be told and everything must be marked.</returns>
    private bool BacktrackInsn(int idx, int subseq, HistEntry hist, bool hasHist)
    {
        ref readonly var insn = ref Insns[idx];
        if (insn.Opcode == 0)
        {
            return true;
        }

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
            case InsnClass.Ldx:
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
        insn.Class == InsnClass.Stx && (insn.Opcode & BpfOp.ModeMask) == BpfOp.Atomic && (insn.Imm & BpfOp.Fetch) != 0;

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

        if ((TraitsOf(insn) & CallTraits.SyncCallback) != 0 && idx != subseq - 1)
        {
            Invariant.That((_bt.Regs & ~BacktrackSet.ArgsMask) == 0 && _bt.Slots == 0, "a callback was entered with registers");
            LeaveFrameInBacktrack(passArgs: false);
            return true;
        }

        if (insn.Src == BpfOp.PseudoKfuncCall && insn.Imm == 0)
        {
            return false;
        }

        _bt.ClearReg(0);
        Invariant.That((_bt.Regs & BacktrackSet.ArgsMask) == 0, "arguments looked for before a call");
        return null;
    }

    private bool BacktrackSubprogCall(in BpfInsn insn, int idx)
    {
        if (Subprogs[FindSubprog(idx + insn.Imm + 1)].IsGlobal)
        {
            Invariant.That((_bt.Regs & BacktrackSet.ArgsMask) == 0, "arguments looked for before a global call");
            _bt.ClearReg(0);
            return true;
        }

        Invariant.That((_bt.Regs & ~BacktrackSet.ArgsMask) == 0 && _bt.Slots == 0, "a function was entered with registers");
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
        var fromCall = subseq >= 1 && IsPseudoCall(Insns[subseq - 1]);
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
