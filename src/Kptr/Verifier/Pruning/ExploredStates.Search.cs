using Kptr.Diagnostics;
using Kptr.Verifier.State;

namespace Kptr.Verifier.Pruning;

/// <content>Holding a state against those remembered at the same instruction.</content>
internal sealed partial class ExploredStates
{
    private Visit Search(
        VerifierState cur, in VisitPoint at, bool force, ref bool add, out VerifierState? seen)
    {
        var bucket = BucketOf(at.InsnIdx, cur);
        VerifierState? before = null;
        var count = 0;
        seen = null;
        for (var st = _buckets[bucket]; st is not null;)
        {
            count++;
            if (st.InsnIdx != at.InsnIdx)
            {
                before = st;
                st = st.Next;
                continue;
            }

            var visit = st.Branches != 0 ? MeetOnPath(st, cur, at, force, ref add) : MeetDone(st, cur, at.IdGen);
            if (visit != Visit.GoesOn)
            {
                seen = st;
                return visit;
            }

            st = MissedNext(st, ref before, bucket, at.IsCheckpoint, add);
        }

        MaxPerInsn = Math.Max(MaxPerInsn, count);
        add &= isCapable || count <= Limits.ComplexityLimitStates;
        return Visit.GoesOn;
    }

    /// <summary>
    /// An old state whose paths are all explored: safe, but in a loop that is still open only if exactly equal.
    /// </summary>
    private Visit MeetDone(VerifierState st, VerifierState cur, int idGen)
    {
        var exact = IsLoopOpen(st);
        if (!comparer.AreEqual(st, cur, exact ? ExactLevel.RangeWithin : ExactLevel.NotExact, idGen))
        {
            return Visit.GoesOn;
        }

        return !exact ? Visit.Safe : CloseLoop(cur, Loops is null ? LoopEntries.Of(st)! : st);
    }

    /// <summary>An old state on the current path: a loop.</summary>
    private Visit MeetOnPath(VerifierState st, VerifierState cur, in VisitPoint at, bool force, ref bool add)
    {
        var frame = st.Cur;
        if (!frame.InAsyncCallback || frame.AsyncEntryCnt == cur.Cur.AsyncEntryCnt)
        {
            var visit = MeetLoop(st, cur, at);
            if (visit != Visit.GoesOn)
            {
                return visit;
            }
        }

        if (!force && at.JmpsProcessed - _prevJmpsProcessed < 20 && at.InsnsProcessed - _prevInsnsProcessed < 100)
        {
            add = false;
        }

        return Visit.GoesOn;
    }

    private Visit MeetLoop(VerifierState st, VerifierState cur, in VisitPoint at)
    {
        switch (at.Loop)
        {
            case LoopKind.IterNext:
                return IsWithin(st, cur, at) && IsIterActive(cur) ? CloseLoop(cur, st) : Visit.GoesOn;
            case LoopKind.MayGoto when st.MayGotoDepth != cur.MayGotoDepth && IsWithin(st, cur, at):
                return CloseLoop(cur, st);
            case LoopKind.Callback:
                return !IsWithin(st, cur, at) ? Visit.GoesOn : Loops is null ? Visit.Safe : Visit.SafeInLoop;
            default:
                return IsSameAgain(st, cur, at.IdGen) ? Visit.NeverEnds : Visit.GoesOn;
        }
    }

    private bool IsWithin(VerifierState st, VerifierState cur, in VisitPoint at) =>
        comparer.AreEqual(st, cur, ExactLevel.RangeWithin, at.IdGen);

    private static bool IsIterActive(VerifierState cur)
    {
        ref var iter = ref cur.Cur.Regs[1];
        var slot = StackSlot.IndexOf(iter.Off + (int)iter.Var.Bits.Value);
        return cur.FrameOf(iter).Stack[slot].Spilled.IterState == IterState.Active;
    }

    private Visit CloseLoop(VerifierState cur, VerifierState head)
    {
        if (Loops is not null)
        {
            return Visit.SafeInLoop;
        }

        LoopEntries.Update(cur, head);
        return Visit.Safe;
    }

    private bool IsSameAgain(VerifierState st, VerifierState cur, int idGen) =>
        MayBeLooping(st, cur) && st.MayGotoDepth == cur.MayGotoDepth
        && st.CallbackUnrollDepth == cur.CallbackUnrollDepth
        && comparer.AreEqual(st, cur, ExactLevel.Exact, idGen) && !IterDepthsDiffer(st, cur);

    private static bool MayBeLooping(VerifierState old, VerifierState cur)
    {
        if (old.CurFrame != cur.CurFrame)
        {
            return false;
        }

        RegState[] a = old.Cur.Regs, b = cur.Cur.Regs;
        for (var i = 0; i < 11; i++)
        {
            if (!a[i].SameValue(b[i]) || a[i].Id != b[i].Id || a[i].RefObjId != b[i].RefObjId)
            {
                return false;
            }
        }

        return true;
    }

    private static bool IterDepthsDiffer(VerifierState old, VerifierState cur)
    {
        for (var fr = old.CurFrame; fr >= 0; fr--)
        {
            var frame = old.Frames[fr]!;
            for (var i = 0; i < frame.SlotCount; i++)
            {
                ref var slot = ref frame.Stack[i];
                if (slot[0] == SlotKind.Iter && slot.Spilled.IterState == IterState.Active
                    && cur.Frames[fr]!.Stack[i].Spilled.IterDepth != slot.Spilled.IterDepth)
                {
                    return true;
                }
            }
        }

        return false;
    }

    /// <summary>Counts a miss and drops the state if it hardly ever hits.</summary>
    private VerifierState? MissedNext(
        VerifierState st, ref VerifierState? before, int bucket, bool isCheckpoint, bool add)
    {
        if (add)
        {
            st.MissCount++;
        }

        var patience = isCheckpoint && st.Branches > 0 ? 64 : 3;
        var next = st.Next;
        if (st.MissCount <= (st.HitCount * patience) + patience)
        {
            before = st;
            return next;
        }

        if (before is null)
        {
            _buckets[bucket] = next;
        }
        else
        {
            before.Next = next;
        }

        st.Next = null;
        var isDone = StatesAreClean ? st.Branches == 0 : st.Frames[0]!.Live.IsDone;
        if (isDone && !st.UsedAsLoopEntry && Loops?.IsOpen(st) != true)
        {
            Invariant.That(st.Branches == 0, "a finished state has branches");
            pool.Return(st);
            Peak--;
        }
        else
        {
            _retired.Add(st);
        }

        return next;
    }
}
