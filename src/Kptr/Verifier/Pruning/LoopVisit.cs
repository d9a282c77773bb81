using Kptr.Verifier.Precision;
using Kptr.Verifier.State;

namespace Kptr.Verifier.Pruning;

/// <summary>One entry into a loop, along one chain of calls.</summary>
/// <remarks>Kernel: <c>struct bpf_scc_visit</c> (since 6.17).</remarks>
internal sealed class LoopVisit(int[] callsites)
{
    /// <summary>The calls that led there, outermost first.</summary>
    public int[] Callsites { get; } = callsites;

    /// <summary>The state that entered the loop; null once all its paths are explored.</summary>
    public VerifierState? Entry { get; set; }

    /// <summary>States that ended their path because an earlier one of the loop covers them.</summary>
    public List<BackEdge> BackEdges { get; } = [];

    /// <summary>How much of the history that the last of them has is still that of the current path.</summary>
    public int HistoryKept { get; set; }
}

/// <summary>A state whose path ended at an earlier state of a loop that is still open.</summary>
/// <param name="State">A copy of it.</param>
/// <param name="Equal">The earlier state.</param>
/// <param name="History">
/// What its history has since the loop was entered that the one before it in the visit has not: paths that end in
/// thousands of rounds share most of it, and later ones overwrite it.
/// </param>
/// <param name="HistoryFrom">Where that begins.</param>
/// <remarks>Kernel: <c>struct bpf_scc_backedge</c>.</remarks>
internal sealed record BackEdge(VerifierState State, VerifierState Equal, HistEntry[] History, int HistoryFrom);
