using System.Globalization;

namespace Kptr.Tracing.Replay;

/// <summary>Counts by kind, and the first of each in words.</summary>
internal sealed class IssueLog
{
    private const int FirstMax = 10;
    private readonly long[] _counts = new long[Enum.GetValues<TraceIssueKind>().Length];
    private readonly List<string>[] _first =
        [.. Enum.GetValues<TraceIssueKind>().Select(_ => new List<string>(FirstMax))];

    internal void Add(TraceIssueKind kind, TraceEvent at, string what, int pid = -1, long count = 1)
    {
        _counts[(int)kind] += count;
        var first = _first[(int)kind];
        if (first.Count == FirstMax)
        {
            return;
        }

        var place = at.Line > 0 ? $"line {at.Line}" : $"byte {at.Offset}";
        var (seconds, nanos) = Math.DivRem(at.TimestampNs, 1_000_000_000);
        var task = pid < 0 ? "" : $"pid {pid} ";
        first.Add(string.Create(
            CultureInfo.InvariantCulture, $"{place}, {seconds}.{Math.Abs(nanos):000000000} {at.Name}: {task}{what}"));
    }

    internal IReadOnlyList<TraceIssue> Snapshot() => [.. Enum.GetValues<TraceIssueKind>()
        .Where(kind => _counts[(int)kind] > 0)
        .Select(kind => new TraceIssue(kind, _counts[(int)kind], [.. _first[(int)kind]]))];
}
