using Kptr.Diagnostics;

namespace Kptr.Verifier;

/// <content>States that are kept, what the run learns of them later, and what equal ones pass on.</content>
internal sealed partial class VerifierRun
{
    private void Remember(int insnIdx, VerifierState cur)
    {
        _totalStates++;
        _peakStates++;
        _prevJmpsProcessed = _jmpsProcessed;
        _prevInsnsProcessed = _insnsProcessed;
        if (BpfCapable)
        {
            SetAllScalars(cur, precise: false);
        }

        var copy = Pool.RentState();
        copy.CopyFrom(cur, Pool);
        copy.InsnIdx = insnIdx;
        copy.MissCount = copy.HitCount = 0;
        Invariant.That(copy.Branches == 1, "a new state has not one branch");
        cur.Parent = copy;
        cur.FirstInsnIdx = insnIdx;
        cur.HistStart = cur.HistEnd;
        cur.DfsDepth = copy.DfsDepth + 1;
        var bucket = BucketOf(insnIdx);
        copy.Next = _explored[bucket];
        _explored[bucket] = copy;
        LinkParents(cur, copy);
        EnterLoop(copy);
    }

    /// <summary>Connects every place of the current state to the same place of the state just remembered.</summary>
    private static void LinkParents(VerifierState cur, VerifierState copy)
    {
        for (var j = 0; j <= cur.CurFrame; j++)
        {
            FuncState frame = cur.Frames[j]!, parent = copy.Frames[j]!;
            frame.Parent = parent;
            if (j == cur.CurFrame)
            {
                frame.ArgsParent = frame.R0Parent = parent;
            }

            foreach (ref var reg in frame.Regs.AsSpan(0, 10))
            {
                reg.Live = LiveMarks.None;
            }

            foreach (ref var slot in frame.Stack.AsSpan(0, frame.SlotCount))
            {
                slot.Spilled.Live = LiveMarks.None;
            }
        }
    }

    private int BucketOf(int insnIdx) => (int)((uint)(insnIdx ^ Cur.Cur.Callsite) % (uint)_explored.Length);

    /// <summary>Drops what nobody read from states whose paths are all explored (<c>clean_live_states</c>).</summary>
    private void CleanLiveStates(int insnIdx, VerifierState cur)
    {
        for (var st = _explored[BucketOf(insnIdx)]; st is not null; st = st.Next)
        {
            if (st.Branches != 0 || st.InsnIdx != insnIdx || (st.Frames[0]!.Regs[0].Live & LiveMarks.Done) != 0
                || IsLoopOpen(st) || !st.SameCallsites(cur))
            {
                continue;
            }

            for (var i = 0; i <= st.CurFrame; i++)
            {
                CleanFrame(st.Frames[i]!);
            }
        }
    }

    private void CleanFrame(FuncState frame)
    {
        foreach (ref var reg in frame.Regs.AsSpan(0, 10))
        {
            reg.Live |= LiveMarks.Done;
            if ((reg.Live & LiveMarks.Read) == 0)
            {
                reg.MarkNotInit();
                reg.Precise = AlwaysPrecise;
            }
        }

        foreach (ref var slot in frame.Stack.AsSpan(0, frame.SlotCount))
        {
            slot.Spilled.Live |= LiveMarks.Done;
            if ((slot.Spilled.Live & LiveMarks.Read) == 0)
            {
                slot.Spilled.MarkNotInit();
                slot.Kinds = 0;
            }
        }
    }

    /// <returns>Whether something is read that was not known to be.</returns>
    private static bool PropagateLiveness(VerifierState old, VerifierState cur)
    {
        var changed = false;
        for (var f = 0; f <= old.CurFrame; f++)
        {
            FuncState from = old.Frames[f]!, to = cur.Frames[f]!;
            for (var i = f < old.CurFrame ? 6 : 0; i < 10; i++)
            {
                if ((from.Regs[i].Live & LiveMarks.Read) != 0 && (to.Regs[i].Live & LiveMarks.Read) == 0)
                {
                    to.Regs[i].Live |= LiveMarks.Read;
                    changed = true;
                    MarkRegRead(to, i);
                }
            }

            var slots = Math.Min(from.SlotCount, to.SlotCount);
            for (var i = 0; i < slots; i++)
            {
                if ((from.Stack[i].Spilled.Live & LiveMarks.Read) != 0
                    && (to.Stack[i].Spilled.Live & LiveMarks.Read) == 0)
                {
                    to.Stack[i].Spilled.Live |= LiveMarks.Read;
                    changed = true;
                    MarkSlotRead(to, i);
                }
            }
        }

        return changed;
    }

    /// <returns>Whether something became precise that was not.</returns>
    private bool PropagatePrecision(VerifierState old, VerifierState cur)
    {
        _bt = default;
        _bt.Frame = cur.CurFrame;
        for (var fr = old.CurFrame; fr >= 0; fr--)
        {
            var frame = old.Frames[fr]!;
            for (var i = 0; i < 10; i++)
            {
                if (NeedsPrecision(frame.Regs[i]))
                {
                    _bt.SetReg(fr, i);
                }
            }

            for (var i = 0; i < frame.SlotCount; i++)
            {
                if (frame.Stack[i].IsSpill && NeedsPrecision(frame.Stack[i].Spilled))
                {
                    _bt.SetSlot(fr, i);
                }
            }

            Log.Propagated(this, _bt, fr);
        }

        return BpfCapable && MarkChainPrecisionOfSet(cur, cur.InsnIdx);
    }

    private static bool NeedsPrecision(in RegState reg) =>
        reg.Type == RegType.Scalar && reg.Precise && (reg.Live & LiveMarks.Read) != 0;

    private void FreeExplored()
    {
        foreach (var head in _explored)
        {
            for (var st = head; st is not null;)
            {
                var next = st.Next;
                st.Next = null;
                Pool.Return(st);
                st = next;
            }
        }

        _retired.Clear();
        _explored = [];
    }
}
