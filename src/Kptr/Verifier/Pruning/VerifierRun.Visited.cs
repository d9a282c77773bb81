using Kptr.Diagnostics;
using Kptr.Verifier.Cfg;

namespace Kptr.Verifier;

/// <content>States remembered at pruning points, and the comparison with them.</content>
internal sealed partial class VerifierRun
{
    private const int HistoryLong = 40;
    private readonly StateComparer _comparer;
    private VerifierState?[] _explored = [];
    private readonly List<VerifierState> _retired = [];
    private int _totalStates;
    private int _peakStates;
    private int _maxStatesPerInsn;

    /// <summary>Whether the current state is safe because an earlier one was; else it may be remembered.</summary>
    /// <remarks>Kernel: <c>is_state_visited</c>.</remarks>
    private bool IsStateVisited(int insnIdx)
    {
        var cur = Cur;
        var force = TestStateFreq || IsMarked(insnIdx, CodeMarks.ForceCheckpoint)
            || cur.HistEnd - cur.HistStart > HistoryLong;
        var add = force || (_jmpsProcessed - _prevJmpsProcessed >= 2 && _insnsProcessed - _prevInsnsProcessed >= 8);
        ForgetDeadRegs(cur, insnIdx);
        if (Options.Pruning || IsMarked(insnIdx, CodeMarks.ForceCheckpoint))
        {
            CleanLiveStates(insnIdx, cur);
            if (SearchExplored(insnIdx, cur, force, ref add))
            {
                return true;
            }
        }

        if (add)
        {
            Remember(insnIdx, cur);
        }

        return false;
    }

    private bool SearchExplored(int insnIdx, VerifierState cur, bool force, ref bool add)
    {
        var bucket = BucketOf(insnIdx);
        VerifierState? before = null;
        var count = 0;
        _endsInLoop = false;
        for (var st = _explored[bucket]; st is not null;)
        {
            count++;
            if (st.InsnIdx != insnIdx)
            {
                before = st;
                st = st.Next;
                continue;
            }

            if (st.Branches != 0 ? IsHitOnPath(st, cur, insnIdx, force, ref add) : IsHitDone(st, cur))
            {
                CheckRoundsSeen(st, cur);
                TakeHit(st, cur, insnIdx);
                return true;
            }

            st = MissedNext(st, ref before, bucket, insnIdx, add);
        }

        _maxStatesPerInsn = Math.Max(_maxStatesPerInsn, count);
        add &= BpfCapable || count <= Limits.ComplexityLimitStates;
        return false;
    }

    /// <summary>
    /// An old state whose paths are all explored: safe, but in a loop that is still open only if exactly equal.
    /// </summary>
    private bool IsHitDone(VerifierState st, VerifierState cur)
    {
        var exact = IsLoopOpen(st);
        if (!_comparer.AreEqual(st, cur, exact ? ExactLevel.RangeWithin : ExactLevel.NotExact, _idGen))
        {
            return false;
        }

        if (exact)
        {
            UpdateLoopEntry(cur, HasLoopVisits ? st : LoopEntryOf(st)!);
        }

        return true;
    }

    /// <summary>An old state on the current path: a loop.</summary>
    private bool IsHitOnPath(VerifierState st, VerifierState cur, int insnIdx, bool force, ref bool add)
    {
        var frame = st.Cur;
        var checkLoop = !(frame.InAsyncCallback && frame.AsyncEntryCnt != cur.Cur.AsyncEntryCnt);
        if (checkLoop && Aux[insnIdx].IsIterNext)
        {
            if (IsIterLoopClosed(st, cur))
            {
                return true;
            }

            checkLoop = false;
        }

        if (checkLoop && Insns[insnIdx].IsMayGoto && st.MayGotoDepth != cur.MayGotoDepth
            && _comparer.AreEqual(st, cur, ExactLevel.RangeWithin, _idGen))
        {
            UpdateLoopEntry(cur, st);
            return true;
        }

        if (checkLoop && IsMarked(insnIdx, CodeMarks.CallsCallback))
        {
            if (_comparer.AreEqual(st, cur, ExactLevel.RangeWithin, _idGen))
            {
                _endsInLoop = HasLoopVisits;
                return true;
            }

            checkLoop = false;
        }

        if (checkLoop)
        {
            CheckInfiniteLoop(st, cur, insnIdx);
        }

        if (!force && _jmpsProcessed - _prevJmpsProcessed < 20 && _insnsProcessed - _prevInsnsProcessed < 100)
        {
            add = false;
        }

        return false;
    }

    private bool IsIterLoopClosed(VerifierState st, VerifierState cur)
    {
        if (!_comparer.AreEqual(st, cur, ExactLevel.RangeWithin, _idGen))
        {
            return false;
        }

        ref var iterReg = ref cur.Cur.Regs[1];
        var slot = SlotOf(iterReg.Off + (int)iterReg.Var.Bits.Value);
        if (cur.FrameOf(iterReg).Stack[slot].Spilled.IterState != IterState.Active)
        {
            return false;
        }

        UpdateLoopEntry(cur, st);
        return true;
    }

    private void CheckInfiniteLoop(VerifierState st, VerifierState cur, int insnIdx)
    {
        if (MayBeLooping(st, cur) && st.MayGotoDepth == cur.MayGotoDepth
            && st.CallbackUnrollDepth == cur.CallbackUnrollDepth
            && _comparer.AreEqual(st, cur, ExactLevel.Exact, _idGen) && !IterDepthsDiffer(st, cur))
        {
            Reject(DiagCode.InfiniteLoop, $"infinite loop detected at insn {insnIdx}");
        }
    }

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

    /// <summary>
    /// The rest of the path is known to be safe; what it reads and needs precisely is read by this path too.
    /// </summary>
    private void TakeHit(VerifierState st, VerifierState cur, int insnIdx)
    {
        st.HitCount++;
        _ = PropagateLiveness(st, cur);
        if (IsMarked(insnIdx, CodeMarks.JmpPoint))
        {
            PushInsnHistory(0, 0);
        }

        cur.InsnIdx = insnIdx;
        _ = PropagatePrecision(st, cur);
        if (_endsInLoop)
        {
            AddBackEdge(st, cur, insnIdx);
        }
    }

    /// <summary>Counts a miss and drops the state if it hardly ever hits.</summary>
    private VerifierState? MissedNext(VerifierState st, ref VerifierState? before, int bucket, int insnIdx, bool add)
    {
        if (add)
        {
            st.MissCount++;
        }

        var patience = IsMarked(insnIdx, CodeMarks.ForceCheckpoint) && st.Branches > 0 ? 64 : 3;
        var next = st.Next;
        if (st.MissCount <= (st.HitCount * patience) + patience)
        {
            before = st;
            return next;
        }

        if (before is null)
        {
            _explored[bucket] = next;
        }
        else
        {
            before.Next = next;
        }

        st.Next = null;
        if ((st.Frames[0]!.Regs[0].Live & LiveMarks.Done) != 0 && !st.UsedAsLoopEntry
            && !(HasLoopVisits && IsLoopOpen(st)))
        {
            Invariant.That(st.Branches == 0, "a finished state has branches");
            Pool.Return(st);
            _peakStates--;
        }
        else
        {
            _retired.Add(st);
        }

        return next;
    }
}
