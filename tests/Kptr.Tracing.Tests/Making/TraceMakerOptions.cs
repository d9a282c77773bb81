namespace Kptr.Tracing.Tests.Making;

/// <summary>How a trace is made. Faults are chances out of 1,000 of what they happen to.</summary>
internal sealed record TraceMakerOptions
{
    public int Seed { get; init; } = 1;

    public int Events { get; init; } = 20_000;

    public int Cpus { get; init; } = 4;

    /// <summary>Whether the scheduler tells what it accounted; if not, only switches do.</summary>
    public bool HasRuntimes { get; init; } = true;

    /// <summary>Of exits: the task is never heard of again.</summary>
    public int LostExits { get; init; }

    /// <summary>Of exits: nobody tells that the dead task is freed.</summary>
    public int LostFrees { get; init; }

    /// <summary>Of forks: the task is there all at once.</summary>
    public int LostForks { get; init; }

    /// <summary>Of wake-ups: it is lost, and the trace says so.</summary>
    public int LostWakeups { get; init; }

    /// <summary>How many events of each CPU come in a row, whatever those of others; 0 for the order of time.</summary>
    public int Interleaved { get; init; }
}
