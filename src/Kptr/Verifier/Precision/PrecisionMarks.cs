using System.Numerics;
using Kptr.Diagnostics;
using Kptr.Verifier.State;

namespace Kptr.Verifier.Precision;

/// <summary>
/// Precision: a scalar whose exact range decided something is marked in all earlier states it came from, because only
/// marked scalars are compared when states are. One per run and thread.
/// </summary>
/// <param name="backtracker">Goes back over one instruction.</param>
/// <param name="history">The path.</param>
/// <param name="isCapable">Whether the loader has CAP_BPF; else all scalars are precise anyway.</param>
/// <param name="log">Told how it went; null where nobody asks.</param>
internal sealed class PrecisionMarks(
    Backtracker backtracker, PathHistory history, bool isCapable, IPrecisionLog? log)
{
    private const uint AllRegs = 0x3ff;
    private BacktrackSet _set;

    /// <summary>
    /// Whether states come without what nothing reads: then all that is left matters, read before or not.
    /// </summary>
    public bool HasCleanStates { get; set; }

    /// <summary>The value of a scalar register mattered (<c>mark_chain_precision</c>).</summary>
    /// <param name="state">The current state.</param>
    /// <param name="insnIdx">The current instruction.</param>
    /// <param name="regno">A register of its innermost frame.</param>
    public void MarkReg(VerifierState state, int insnIdx, int regno)
    {
        if (!isCapable)
        {
            return;
        }

        Invariant.That(state.Cur.Regs[regno].Type == RegType.Scalar, "precision of something that is no scalar");
        _set = default;
        _set.Frame = state.CurFrame;
        _set.SetReg(regno);
        _ = WalkBack(state, insnIdx);
    }

    /// <summary>The value of a scalar on the stack of some frame mattered.</summary>
    public void MarkSlot(VerifierState state, int insnIdx, int frame, int slot)
    {
        if (!isCapable)
        {
            return;
        }

        _set = default;
        _set.Frame = state.CurFrame;
        _set.SetSlot(frame, slot);
        _ = WalkBack(state, insnIdx);
    }

    /// <summary>What mattered after an old state matters after an equal one (<c>propagate_precision</c>).</summary>
    /// <returns>Whether something became precise that was not.</returns>
    public bool Propagate(VerifierState old, VerifierState cur)
    {
        _set = default;
        _set.Frame = cur.CurFrame;
        for (var fr = old.CurFrame; fr >= 0; fr--)
        {
            var frame = old.Frames[fr]!;
            for (var regs = HasCleanStates ? AllRegs : frame.Live.ReadRegs; regs != 0; regs &= regs - 1)
            {
                var i = BitOperations.TrailingZeroCount(regs);
                ref var reg = ref frame.Regs[i];
                if (reg.Precise && reg.Type == RegType.Scalar)
                {
                    _set.SetReg(fr, i);
                }
            }

            for (var slots = HasCleanStates ? frame.AllSlots : frame.Live.ReadSlots; slots != 0; slots &= slots - 1)
            {
                var i = BitOperations.TrailingZeroCount(slots);
                ref var slot = ref frame.Stack[i];
                if (slot.Spilled.Precise && slot.IsScalarSpill)
                {
                    _set.SetSlot(fr, i);
                }
            }

            log?.Propagated(_set, fr);
        }

        return isCapable && WalkBack(cur, cur.InsnIdx);
    }

    /// <summary>Walks back along the path for all of the set (<c>__mark_chain_precision</c>).</summary>
    /// <returns>Whether something became precise that was not.</returns>
    private bool WalkBack(VerifierState start, int insnIdx)
    {
        var state = start;
        int first = state.FirstInsnIdx, last = insnIdx, subseq = -1;
        var skipFirst = true;
        var changed = false;
        while (!_set.IsEmpty)
        {
            log?.Stretch(_set.Frame, last, first, subseq);
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

        if (!_set.IsEmpty)
        {
            // History ended early; the kernel takes the same way out.
            MarkAll(start);
            _set = default;
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
            else if (!backtracker.StepBack(ref _set, i, subseq, history.Of(state, histEnd, i)))
            {
                MarkAll(start);
                _set = default;
                return false;
            }

            if (_set.IsEmpty)
            {
                return false;
            }

            subseq = i;
            if (!history.TryGetPrev(state, ref i, ref histEnd))
            {
                return true;
            }

            Invariant.That((uint)i < (uint)backtracker.InsnCount, "backtracking left the program");
        }
    }

    /// <summary>At the entry of a global function only arguments can be left.</summary>
    private bool MarkEntryPrecise(VerifierState state)
    {
        var changed = false;
        var frame = state.Frames[0]!;
        Invariant.That(
            state.CurFrame == 0 && frame.Subprogno > 0 && frame.Callsite == -1 && _set.Slots == 0
            && (_set.Regs & ~BacktrackSet.ArgsMask) == 0,
            "backtracking reached an entry with more than arguments");
        for (var regs = _set.Regs; regs != 0; regs &= regs - 1)
        {
            ref var reg = ref frame.Regs[BitOperations.TrailingZeroCount(regs)];
            if (reg.Type == RegType.Scalar)
            {
                changed |= !reg.Precise;
                reg.Precise = true;
            }
        }

        _set = default;
        return changed;
    }

    private bool MarkStatePrecise(VerifierState state)
    {
        var changed = false;
        for (var fr = _set.Frame; fr >= 0; fr--)
        {
            var frame = state.Frames[fr]!;
            for (var regs = _set.RegsOf(fr); regs != 0; regs &= regs - 1)
            {
                var i = BitOperations.TrailingZeroCount(regs);
                ref var reg = ref frame.Regs[i];
                if (reg.Type != RegType.Scalar || reg.Precise)
                {
                    _set.ClearReg(fr, i);
                }
                else
                {
                    reg.Precise = changed = true;
                }
            }

            for (var slots = _set.SlotsOf(fr); slots != 0; slots &= slots - 1)
            {
                var i = BitOperations.TrailingZeroCount(slots);
                Invariant.That(i < frame.SlotCount, "backtracking met a slot out of bounds");
                ref var slot = ref frame.Stack[i];
                if (!slot.IsScalarSpill || slot.Spilled.Precise)
                {
                    _set.ClearSlot(fr, i);
                }
                else
                {
                    slot.Spilled.Precise = changed = true;
                }
            }

            log?.InState(_set, state, fr);
        }

        return changed;
    }

    /// <summary>The big hammer: every scalar of every earlier state (<c>mark_all_scalars_precise</c>).</summary>
    public void MarkAll(VerifierState from)
    {
        log?.AllMarked(from.CurFrame);
        for (var state = from.Parent; state is not null; state = state.Parent)
        {
            state.SetAllScalarsPrecise(true);
        }
    }
}
