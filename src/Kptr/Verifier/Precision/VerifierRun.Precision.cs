using System.Numerics;
using Kptr.Diagnostics;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>
/// Precision: a scalar whose exact range decided something is marked in all earlier states it came from, because only
/// marked scalars are compared when states are.
/// </content>
internal sealed partial class VerifierRun
{
    private const uint AllRegs = 0x3ff;
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
        _ = MarkChainPrecisionOfSet(Cur, InsnIdx);
    }

    /// <summary>What mattered after an old state matters after an equal one (<c>propagate_precision</c>).</summary>
    /// <returns>Whether something became precise that was not.</returns>
    private bool PropagatePrecision(VerifierState old, VerifierState cur)
    {
        _bt = default;
        _bt.Frame = cur.CurFrame;
        for (var fr = old.CurFrame; fr >= 0; fr--)
        {
            var frame = old.Frames[fr]!;
            for (var regs = _dead is null ? frame.Live.ReadRegs : AllRegs; regs != 0; regs &= regs - 1)
            {
                var i = BitOperations.TrailingZeroCount(regs);
                ref var reg = ref frame.Regs[i];
                if (reg.Precise && reg.Type == RegType.Scalar)
                {
                    _bt.SetReg(fr, i);
                }
            }

            for (var slots = _dead is null ? frame.Live.ReadSlots : frame.AllSlots; slots != 0; slots &= slots - 1)
            {
                var i = BitOperations.TrailingZeroCount(slots);
                ref var slot = ref frame.Stack[i];
                if (slot.Spilled.Precise && slot.IsScalarSpill)
                {
                    _bt.SetSlot(fr, i);
                }
            }

            Log.Propagated(this, _bt, fr);
        }

        return BpfCapable && MarkChainPrecisionOfSet(cur, cur.InsnIdx);
    }

    /// <summary>Walks back along the path for all of <c>_bt</c> (<c>__mark_chain_precision</c>).</summary>
    /// <returns>Whether something became precise that was not.</returns>
    private bool MarkChainPrecisionOfSet(VerifierState start, int insnIdx)
    {
        var state = start;
        int first = state.FirstInsnIdx, last = insnIdx, subseq = -1;
        var skipFirst = true;
        var changed = false;
        while (!_bt.IsEmpty)
        {
            Log.Precision(this, _bt.Frame, last, first, subseq);
            if (last < 0)
            {
                return MarkEntryPrecise(state) || changed;
            }

            if (!BacktrackStretch(state, start, last, ref subseq, skipFirst))
            {
                return changed;
            }

            skipFirst = false;
            if (state.Parent is not { } parent)
            {
                break;
            }

            state = parent;
            changed |= MarkStatePrecise(state);
            subseq = first;
            last = state.LastInsnIdx;
            first = state.FirstInsnIdx;
        }

        if (!_bt.IsEmpty)
        {
            // History ended early; the kernel takes the same way out.
            MarkAllScalarsPrecise(start);
            _bt = default;
        }

        return changed;
    }

    /// <summary>Walks back over the instructions of one state.</summary>
    /// <returns>False when nothing is left to look for.</returns>
    private bool BacktrackStretch(
        VerifierState state, VerifierState start, int last, ref int subseq, bool skipFirst)
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
                    MarkAllScalarsPrecise(start);
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
    private bool MarkEntryPrecise(VerifierState state)
    {
        var changed = false;
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
                changed |= !reg.Precise;
                reg.Precise = true;
            }
        }

        _bt = default;
        return changed;
    }

    private bool MarkStatePrecise(VerifierState state)
    {
        var changed = false;
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
                    reg.Precise = changed = true;
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
                    slot.Spilled.Precise = changed = true;
                }
            }

            Log.PrecisionOf(this, _bt, state, fr);
        }

        return changed;
    }

    /// <summary>The big hammer: every scalar of every earlier state (<c>mark_all_scalars_precise</c>).</summary>
    private void MarkAllScalarsPrecise(VerifierState from)
    {
        if (Log.IsFull && Kernel.Profile.LogsPrecision)
        {
            Log.Line($"mark_precise: frame{from.CurFrame}: falling back to forcing all scalars precise");
        }

        for (var state = from.Parent; state is not null; state = state.Parent)
        {
            state.SetAllScalarsPrecise(true);
        }
    }

    private void SyncLinkedInBacktrack(in HistEntry hist, bool hasHist)
    {
        if (hasHist && hist.LinkedRegs != 0)
        {
            SyncLinkedInBacktrack(hist.LinkedRegs);
        }
    }

    private void SyncLinkedInBacktrack(ulong linked)
    {
        Span<int> entries = stackalloc int[LinkedRegs.CountMax];
        var count = LinkedRegs.Unpack(linked, entries);
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
}
