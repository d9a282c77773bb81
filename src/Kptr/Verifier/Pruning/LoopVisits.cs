using Kptr.Verifier.Cfg;
using Kptr.Verifier.State;

namespace Kptr.Verifier.Pruning;

/// <summary>Which entries into the loops of a program are open, by the code's own shape.</summary>
/// <param name="loops">The loops.</param>
/// <remarks>Kernel: <c>struct bpf_scc_info</c> (since 6.17).</remarks>
internal sealed class LoopVisits(LoopComponents loops)
{
    private readonly List<LoopVisit> _open = [];
    private List<LoopVisit>?[] _visits = [];

    /// <summary>Forgets all visits: another function is explored.</summary>
    public void Forget()
    {
        _visits = new List<LoopVisit>?[loops.Count];
        _open.Clear();
    }

    /// <summary>Whether marks may still come to a state from rounds of its loop.</summary>
    /// <remarks>Kernel: <c>incomplete_read_marks</c>.</remarks>
    public bool IsOpen(VerifierState state) => Find(state, enter: false) is { BackEdges.Count: > 0 };

    /// <summary>A state was remembered: it may be the first of a loop (<c>maybe_enter_scc</c>).</summary>
    public void Enter(VerifierState state)
    {
        if (Find(state, enter: true) is { } visit)
        {
            if (visit.Entry is null)
            {
                visit.Entry = state;
                _open.Add(visit);
            }
        }
    }

    /// <summary>All paths of a visit are explored.</summary>
    public void Close(LoopVisit visit)
    {
        visit.Entry = null;
        _open.Remove(visit);
    }

    /// <summary>Another path goes on from here in the history, and overwrites what comes after.</summary>
    public void RollBack(int histEnd)
    {
        foreach (var visit in _open)
        {
            visit.HistoryKept = Math.Min(visit.HistoryKept, histEnd);
        }
    }

    /// <summary>
    /// The way to a loop that a path ended in without a state that is remembered there, as calls and the loop's number;
    /// null where it ended in no loop, or the loop was entered.
    /// </summary>
    /// <remarks>Kernel: <c>maybe_exit_scc</c>, which takes that for a bug of its own.</remarks>
    public string? WayToMissedLoop(VerifierState state)
    {
        Span<int> callsites = stackalloc int[Limits.MaxCallFrames];
        var loop = LoopOf(state, callsites, out var calls);
        return loop == 0 || Find(loop, callsites[..calls], enter: false) is not null ? null
            : string.Join(',', [.. callsites[..calls], loop]);
    }

    /// <summary>The visit of the outermost loop that a state is in; null where it is in none, or none began.</summary>
    public LoopVisit? Find(VerifierState state) => Find(state, enter: false);

    private LoopVisit? Find(VerifierState state, bool enter)
    {
        Span<int> callsites = stackalloc int[Limits.MaxCallFrames];
        var loop = LoopOf(state, callsites, out var calls);
        return loop == 0 ? null : Find(loop, callsites[..calls], enter);
    }

    // The outermost loop that a state is in, or 0, and the calls on the way to it (compute_scc_callchain).
    private int LoopOf(VerifierState state, Span<int> callsites, out int calls)
    {
        for (calls = 0; calls <= state.CurFrame; calls++)
        {
            var at = calls == state.CurFrame ? state.InsnIdx : state.Frames[calls + 1]!.Callsite;
            if (loops.Of(at) is var loop and > 0)
            {
                return loop;
            }

            callsites[calls] = at;
        }

        return 0;
    }

    private LoopVisit? Find(int loop, ReadOnlySpan<int> callsites, bool enter)
    {
        foreach (var visit in _visits[loop] ?? [])
        {
            if (callsites.SequenceEqual(visit.Callsites))
            {
                return visit;
            }
        }

        if (!enter)
        {
            return null;
        }

        var made = new LoopVisit(callsites.ToArray());
        (_visits[loop] ??= []).Add(made);
        return made;
    }
}
