using Kptr.Diagnostics;
using Kptr.Verifier.Precision;
using Kptr.Verifier.State;

namespace Kptr.Verifier.Pruning;

/// <summary>
/// States that ended their path at an earlier one of an open loop: what one round reads and needs precisely reaches
/// them once all rounds are explored.
/// </summary>
/// <param name="loops">The loops by the code's own shape.</param>
/// <param name="pool">Where states come from and go back to.</param>
/// <param name="history">The path.</param>
/// <param name="precision">Which scalars' exact values mattered.</param>
internal sealed class LoopRounds(LoopVisits loops, StatePool pool, PathHistory history, PrecisionMarks precision)
{
    private const int RoundsMax = 64;

    /// <summary>A path ends at an earlier state of an open loop (<c>add_scc_backedge</c>).</summary>
    /// <param name="equal">The earlier state.</param>
    /// <param name="cur">The state that ends the path.</param>
    /// <param name="insnIdx">Where both are.</param>
    public void Add(VerifierState equal, VerifierState cur, int insnIdx)
    {
        var visit = loops.Find(equal);
        Invariant.That(visit?.Entry is not null, "a round of a loop that was not entered");
        var copy = pool.RentState();
        copy.CopyFrom(cur, pool);
        copy.InsnIdx = insnIdx;
        var from = Math.Max(visit!.Entry!.HistEnd, visit.BackEdges.Count == 0 ? 0 : visit.HistoryKept);
        visit.BackEdges.Add(new(copy, equal, history.Copy(from, cur.HistEnd), from));
        visit.HistoryKept = cur.HistEnd;
    }

    /// <summary>All paths from a state are explored: if it entered a loop, its rounds learn from one another.</summary>
    /// <remarks>Kernel: <c>maybe_exit_scc</c>, <c>propagate_backedges</c>.</remarks>
    public void Exit(VerifierState state)
    {
        if (loops.Find(state) is not { } visit || visit.Entry != state)
        {
            return;
        }

        loops.Close(visit);
        var rounds = 0;
        for (var changed = visit.BackEdges.Count > 0; changed; rounds++)
        {
            changed = false;
            foreach (var edge in visit.BackEdges)
            {
                changed |= Learn(edge, rounds);
            }
        }

        foreach (var edge in visit.BackEdges)
        {
            pool.Return(edge.State);
        }

        visit.BackEdges.Clear();
    }

    /// <returns>Whether something was learnt.</returns>
    private bool Learn(BackEdge edge, int rounds)
    {
        if (rounds >= RoundsMax)
        {
            precision.MarkAll(edge.State);
            return false;
        }

        history.Restore(edge.History, edge.HistoryFrom);
        return LiveReads.Propagate(edge.Equal, edge.State) | precision.Propagate(edge.Equal, edge.State);
    }
}
