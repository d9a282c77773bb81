namespace Kptr.Tracing;

/// <summary>All of one kind that a replay met.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Count">How often; of lost events, how many events.</param>
/// <param name="First">The first ten, each with its place in the trace.</param>
public sealed record TraceIssue(TraceIssueKind Kind, long Count, IReadOnlyList<string> First)
{
    /// <summary>Kind and count.</summary>
    public override string ToString() => $"{Kind}: {Count}";
}
