using Kptr.Diagnostics;
using Kptr.Verifier.State;

namespace Kptr.Verifier.Pruning;

/// <summary>Which states form loops: open-coded iterators and may_goto allow back edges between states.</summary>
internal static class LoopEntries
{
    /// <summary>
    /// The topmost entry of the loop a state is in (<c>get_loop_entry</c>); shortens the chains it walks.
    /// </summary>
    public static VerifierState? Of(VerifierState state)
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

    /// <summary>
    /// The path of <paramref name="cur"/> came back to <paramref name="head"/> (<c>update_loop_entry</c>).
    /// </summary>
    public static void Update(VerifierState cur, VerifierState head)
    {
        var curEntry = Of(cur) ?? cur;
        var headEntry = Of(head) ?? head;
        if (headEntry.Branches != 0 && headEntry.DfsDepth <= curEntry.DfsDepth)
        {
            cur.LoopEntry = head;
            head.UsedAsLoopEntry = true;
        }
    }

    /// <summary>One path from a state is explored to its end (<c>update_branch_counts</c>).</summary>
    /// <param name="state">The state.</param>
    /// <param name="allEnded">Told of each state whose last path that was.</param>
    public static void EndPath(VerifierState? state, Action<VerifierState>? allEnded = null)
    {
        while (state is not null)
        {
            var left = --state.Branches;
            if (left == 0 && state.Parent is { } parent && state.LoopEntry is { } entry)
            {
                Update(parent, entry);
            }

            Invariant.That(left >= 0, "a state has fewer than no branches");
            if (left != 0)
            {
                return;
            }

            allEnded?.Invoke(state);
            state = state.Parent;
        }
    }
}
