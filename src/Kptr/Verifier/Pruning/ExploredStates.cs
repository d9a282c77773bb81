using Kptr.Diagnostics;
using Kptr.Verifier.State;

namespace Kptr.Verifier.Pruning;

/// <summary>The states that a run remembers at its pruning points. One per run and thread.</summary>
/// <param name="pool">Where states come from and go back to.</param>
/// <param name="comparer">Says which states are equal.</param>
/// <param name="isCapable">Whether the loader has CAP_BPF: then scalars are precise only where it mattered.</param>
/// <param name="searches">False where every path is explored: only loops are looked for then.</param>
/// <param name="remembersAll">Whether every pruning point remembers a state (<c>BPF_F_TEST_STATE_FREQ</c>).</param>
internal sealed partial class ExploredStates(
    StatePool pool, StateComparer comparer, bool isCapable, bool searches, bool remembersAll)
{
    private const int HistoryLong = 40;
    private readonly List<VerifierState> _retired = [];
    private readonly LoneIds _loneIds = new();
    private VerifierState?[] _buckets = [];
    private int _prevInsnsProcessed;
    private int _prevJmpsProcessed;

    /// <summary>The loops by the code's own shape, in kernels that go by it; else null.</summary>
    public LoopVisits? Loops { get; set; }

    /// <summary>Whether a number that no other is linked with loses its id, in kernels that forget it.</summary>
    public bool ForgetsLoneIds { get; init; }

    /// <summary>
    /// Whether states come without what nothing reads: then no mark of what was read is carried from one to another.
    /// </summary>
    public bool StatesAreClean { get; init; }

    /// <summary>States remembered since the run began.</summary>
    public int Total { get; private set; }

    /// <summary>States remembered and not given back.</summary>
    public int Peak { get; private set; }

    /// <summary>The most states that one search went over.</summary>
    public int MaxPerInsn { get; private set; }

    /// <summary>Begins a function that is explored on its own.</summary>
    public void Begin(int insnCount)
    {
        _buckets = new VerifierState?[insnCount];
        Loops?.Forget();
    }

    /// <summary>Gives all states back.</summary>
    public void Clear()
    {
        foreach (var head in _buckets)
        {
            for (var st = head; st is not null;)
            {
                var next = st.Next;
                st.Next = null;
                pool.Return(st);
                st = next;
            }
        }

        _retired.Clear();
        _buckets = [];
    }

    /// <summary>Whether a state is safe because an earlier one was; else it may be remembered.</summary>
    /// <param name="cur">The state.</param>
    /// <param name="at">Where it is.</param>
    /// <param name="seen">The state that stands for it, where it is safe.</param>
    /// <remarks>Kernel: <c>is_state_visited</c>.</remarks>
    public Visit Look(VerifierState cur, in VisitPoint at, out VerifierState? seen)
    {
        var force = remembersAll || at.IsCheckpoint || cur.HistEnd - cur.HistStart > HistoryLong;
        var add = force
            || (at.JmpsProcessed - _prevJmpsProcessed >= 2 && at.InsnsProcessed - _prevInsnsProcessed >= 8);
        seen = null;
        if (searches || at.IsCheckpoint)
        {
            if (!StatesAreClean)
            {
                CleanLive(at.InsnIdx, cur);
            }

            var visit = Search(cur, at, force, ref add, out seen);
            if (visit != Visit.GoesOn)
            {
                return visit;
            }
        }

        if (add)
        {
            Remember(cur, at);
        }

        return Visit.GoesOn;
    }

    /// <summary>The most recent state of a path at an instruction (<c>find_prev_entry</c>).</summary>
    /// <param name="cur">The state being explored.</param>
    /// <param name="path">The state whose path it is; null where none was remembered.</param>
    /// <param name="insnIdx">The instruction.</param>
    public VerifierState? FindPrevEntry(VerifierState cur, VerifierState? path, int insnIdx)
    {
        if (path is null)
        {
            return null;
        }

        for (var st = _buckets[BucketOf(insnIdx, cur)]; st is not null; st = st.Next)
        {
            if (st.InsnIdx == insnIdx && st.Branches != 0 && st.SameCallsites(path) && st.DfsDepth < path.DfsDepth)
            {
                return st;
            }
        }

        return null;
    }

    private void Remember(VerifierState cur, in VisitPoint at)
    {
        Total++;
        Peak++;
        _prevJmpsProcessed = at.JmpsProcessed;
        _prevInsnsProcessed = at.InsnsProcessed;
        if (isCapable)
        {
            cur.SetAllScalarsPrecise(false);
        }

        if (ForgetsLoneIds)
        {
            _loneIds.Clear(cur);
        }

        var copy = pool.RentState();
        copy.CopyFrom(cur, pool);
        copy.InsnIdx = at.InsnIdx;
        copy.MissCount = copy.HitCount = 0;
        Invariant.That(copy.Branches == 1, "a new state has not one branch");
        cur.Parent = copy;
        cur.FirstInsnIdx = at.InsnIdx;
        cur.HistStart = cur.HistEnd;
        cur.DfsDepth = copy.DfsDepth + 1;
        var bucket = BucketOf(at.InsnIdx, cur);
        copy.Next = _buckets[bucket];
        _buckets[bucket] = copy;
        if (!StatesAreClean)
        {
            LinkParents(cur, copy);
        }

        Loops?.Enter(copy);
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

            frame.Live = default;
        }
    }

    /// <summary>Whether marks may still come to a state from rounds of its loop.</summary>
    private bool IsLoopOpen(VerifierState state) => Loops?.IsOpen(state) ?? LoopEntries.Of(state) is { Branches: > 0 };

    private int BucketOf(int insnIdx, VerifierState cur) =>
        (int)((uint)(insnIdx ^ cur.Cur.Callsite) % (uint)_buckets.Length);

    /// <summary>Drops what nobody read from states whose paths are all explored (<c>clean_live_states</c>).</summary>
    private void CleanLive(int insnIdx, VerifierState cur)
    {
        for (var st = _buckets[BucketOf(insnIdx, cur)]; st is not null; st = st.Next)
        {
            if (st.Branches != 0 || st.InsnIdx != insnIdx || st.Frames[0]!.Live.IsDone
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
        frame.Live.IsDone = true;
        for (var i = 0; i < 10; i++)
        {
            if (!frame.Live.HasReadReg(i))
            {
                frame.Regs[i].MarkNotInit();
                frame.Regs[i].Precise = !isCapable;
            }
        }

        for (var i = 0; i < frame.SlotCount; i++)
        {
            if (!frame.Live.HasReadSlot(i))
            {
                frame.Stack[i].Spilled.MarkNotInit();
                frame.Stack[i].Kinds = 0;
            }
        }
    }
}
