using Kptr.Verifier.Cfg;
using Kptr.Verifier.Liveness;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>
/// Loops by the code's own shape: what one round reads and needs precisely reaches the states that ended at another,
/// once all rounds are explored.
/// </content>
internal sealed partial class VerifierRun
{
    private const int BackEdgeRoundsMax = 64;
    private LiveRegisters? _liveRegs;
    private Action<VerifierState>? _allPathsEnded;

    // 6.12's own way accepts loops that may go wrong: a strict run does not go it.
    private bool ClosesLoopsByShape => Kernel.Profile.ClosesLoopsByShape || Options.Strict;

    private void FindLoops()
    {
        if (ClosesLoopsByShape)
        {
            _allPathsEnded = ExitLoop;
            _explored.Loops = new(new LoopComponents(Insns, _marks));
            _liveRegs = new LiveRegisters(Insns, calls: _callees);
        }
    }

    /// <summary>Forgets what nothing reads any more (<c>clean_verifier_state</c>).</summary>
    /// <remarks>
    /// Rounds of a loop that differ in such things alone are then the same. A strict run of another kernel's goes by
    /// registers only.
    /// </remarks>
    private void ForgetDead(VerifierState state, int insnIdx)
    {
        _dead?.Clean(state, insnIdx);
        for (var i = 0; _dead is null && _liveRegs is not null && i <= state.CurFrame; i++)
        {
            DeadPlaces.CleanRegs(state.Frames[i]!, LiveBefore(state, i, insnIdx), AlwaysPrecise);
        }
    }

    /// <summary>The registers of a frame that something still reads, as a mask; all where nobody looked.</summary>
    private int LiveBefore(VerifierState state, int frame, int insnIdx) =>
        _liveRegs?.Before(frame == state.CurFrame ? insnIdx : state.Frames[frame + 1]!.Callsite) ?? -1;

    /// <summary>The current path ends at an earlier state of an open loop (<c>add_scc_backedge</c>).</summary>
    private void AddBackEdge(VerifierState equal, VerifierState cur, int insnIdx)
    {
        var visit = _explored.Loops!.Find(equal);
        Diagnostics.Invariant.That(visit?.Entry is not null, "a round of a loop that was not entered");
        var copy = Pool.RentState();
        copy.CopyFrom(cur, Pool);
        copy.InsnIdx = insnIdx;
        var from = Math.Max(visit!.Entry!.HistEnd, visit.BackEdges.Count == 0 ? 0 : visit.HistoryKept);
        visit.BackEdges.Add(new(copy, equal, _hist[from..Math.Max(from, cur.HistEnd)], from));
        visit.HistoryKept = cur.HistEnd;
    }

    /// <summary>All paths from a state are explored: if it entered a loop, its rounds learn from one another.</summary>
    /// <remarks>Kernel: <c>maybe_exit_scc</c>, <c>propagate_backedges</c>.</remarks>
    private void ExitLoop(VerifierState state)
    {
        if (_explored.Loops?.Find(state) is not { } visit || visit.Entry != state)
        {
            return;
        }

        _explored.Loops.Close(visit);
        var rounds = 0;
        for (var changed = visit.BackEdges.Count > 0; changed;)
        {
            changed = false;
            foreach (var edge in visit.BackEdges)
            {
                if (rounds >= BackEdgeRoundsMax)
                {
                    MarkAllScalarsPrecise(edge.State);
                    continue;
                }

                edge.History.CopyTo(_hist, edge.HistoryFrom);
                changed |= LiveReads.Propagate(edge.Equal, edge.State);
                changed |= PropagatePrecision(edge.Equal, edge.State);
            }

            rounds++;
        }

        foreach (var edge in visit.BackEdges)
        {
            Pool.Return(edge.State);
        }

        visit.BackEdges.Clear();
    }
}
