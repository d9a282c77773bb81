namespace Kptr.Verifier;

/// <content>Which states form loops: open-coded iterators and may_goto allow back edges between states.</content>
internal sealed partial class VerifierRun
{
    /// <summary>
    /// The topmost entry of the loop a state is in (<c>get_loop_entry</c>); shortens the chains it walks.
    /// </summary>
    private static VerifierState? LoopEntryOf(VerifierState state)
    {
        var topmost = state.LoopEntry;
        while (topmost?.LoopEntry is { } above && topmost != above)
        {
            topmost = above;
        }

        for (var at = state; at is not null && at.LoopEntry != topmost;)
        {
            var next = at.LoopEntry;
            at.LoopEntry = topmost;
            at = next;
        }

        return topmost;
    }

    // Whether the path ends at an earlier state of a loop that is open.
    private bool _endsInLoop;

    /// <summary>
    /// The path of <paramref name="cur"/> came back to <paramref name="head"/> (<c>update_loop_entry</c>).
    /// </summary>
    private void UpdateLoopEntry(VerifierState cur, VerifierState head)
    {
        if (HasLoopVisits)
        {
            _endsInLoop = true;
            return;
        }

        var curEntry = LoopEntryOf(cur) ?? cur;
        var headEntry = LoopEntryOf(head) ?? head;
        if (headEntry.Branches != 0 && headEntry.DfsDepth <= curEntry.DfsDepth)
        {
            cur.LoopEntry = head;
            head.UsedAsLoopEntry = true;
        }
    }

    private void UpdateBranchCounts(VerifierState? state)
    {
        while (state is not null)
        {
            var left = --state.Branches;
            if (left == 0 && state.Parent is { } parent && state.LoopEntry is { } entry)
            {
                UpdateLoopEntry(parent, entry);
            }

            Diagnostics.Invariant.That(left >= 0, "a state has fewer than no branches");
            if (left != 0)
            {
                return;
            }

            ExitLoop(state);

            state = state.Parent;
        }
    }

    /// <summary>The most recent state of this path at this instruction (<c>find_prev_entry</c>).</summary>
    public VerifierState? FindPrevEntry(VerifierState? cur, int insnIdx)
    {
        if (cur is null)
        {
            return null;
        }

        for (var st = _explored[BucketOf(insnIdx)]; st is not null; st = st.Next)
        {
            if (st.InsnIdx == insnIdx && st.Branches != 0 && st.SameCallsites(cur) && st.DfsDepth < cur.DfsDepth)
            {
                return st;
            }
        }

        return null;
    }

    /// <summary>Forgets imprecise scalars of a loop's next round (<c>widen_imprecise_scalars</c>).</summary>
    public void WidenImpreciseScalars(VerifierState old, VerifierState cur) =>
        _comparer.WidenImpreciseScalars(old, cur, _idGen, AlwaysPrecise);
}
