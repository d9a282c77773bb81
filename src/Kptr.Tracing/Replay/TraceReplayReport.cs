using System.Globalization;
using System.Text;

namespace Kptr.Tracing;

/// <summary>What a replay did, and what the trace left open.</summary>
public sealed record TraceReplayReport
{
    /// <summary>Events that happened in the model.</summary>
    public long Applied { get; init; }

    /// <summary>Events that were left out, for the reasons in <see cref="Issues"/>.</summary>
    public long LeftOut { get; init; }

    /// <summary>Events that the model has nothing to do for, by name.</summary>
    public IReadOnlyDictionary<string, long> Unknown { get; init; } = new Dictionary<string, long>();

    /// <summary>Records raised for programs at <c>tp/</c>.</summary>
    public long RecordsRaised { get; init; }

    /// <summary>Time of the first event, in nanoseconds of the trace's clock.</summary>
    public long FirstNs { get; init; }

    /// <summary>Time of the last event.</summary>
    public long LastNs { get; init; }

    /// <summary>Tasks that the trace has made or met and that have not exited.</summary>
    public int TasksAlive { get; init; }

    /// <summary>What the trace did not say, or said wrongly.</summary>
    public IReadOnlyList<TraceIssue> Issues { get; init; } = [];

    /// <summary>How often something was met; of lost events, how many events.</summary>
    public long CountOf(TraceIssueKind kind) => Issues.FirstOrDefault(i => i.Kind == kind)?.Count ?? 0;

    /// <summary>All of it, with the first of each kind.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        var seconds = (LastNs - FirstNs) / 1e9;
        text.Append(CultureInfo.InvariantCulture,
            $"{Applied} events over {seconds:0.000} s; {LeftOut} left out; {TasksAlive} tasks alive\n");
        foreach (var (name, count) in Unknown.OrderBy(u => (-u.Value, u.Key)))
        {
            text.Append(CultureInfo.InvariantCulture, $"not acted on: {name} ({count})\n");
        }

        foreach (var issue in Issues)
        {
            text.Append(CultureInfo.InvariantCulture, $"{issue.Kind}: {issue.Count}\n");
            foreach (var line in issue.First)
            {
                text.Append(CultureInfo.InvariantCulture, $"    {line}\n");
            }
        }

        return text.ToString();
    }
}
