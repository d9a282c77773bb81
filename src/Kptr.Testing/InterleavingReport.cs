namespace Kptr.Testing;

/// <summary>What became of an exploration.</summary>
public enum Outcome
{
    /// <summary>No schedule failed, and all up to the bounds were tried.</summary>
    Passed,

    /// <summary>A schedule failed.</summary>
    Failed,

    /// <summary>No schedule failed, but not all up to the bounds were tried. This is no pass.</summary>
    OutOfBudget,
}

/// <summary>What an exploration found.</summary>
/// <param name="Outcome">Whether all went well.</param>
/// <param name="Schedules">How many schedules ran.</param>
/// <param name="Elapsed">How long they took.</param>
/// <param name="Seed">Seed of the random ones.</param>
/// <param name="Failure">What went wrong; null where nothing did.</param>
/// <param name="Schedule">The schedule that failed, for <c>Interleavings.Replay</c>; null where none did. Empty for the
/// usual one: each thread to its end, in their order.</param>
/// <param name="Columns">The same, to be read: a line a step, a column a thread; null where none failed.</param>
public sealed record InterleavingReport(
    Outcome Outcome, int Schedules, TimeSpan Elapsed, int Seed, string? Failure, string? Schedule, string? Columns)
{
    /// <summary>Throws unless the outcome is <see cref="Outcome.Passed"/>.</summary>
    /// <exception cref="InterleavingException">A schedule failed, or the budget was used up.</exception>
    public InterleavingReport AssertPassed() =>
        Outcome == Outcome.Passed ? this : throw new InterleavingException(this);

    /// <summary>All of it, to be read by a person.</summary>
    public override string ToString() => Outcome switch
    {
        Outcome.Failed => $"""
            {Failure}
            found in schedule {Schedules} (seed {Seed}); replay: "{Schedule}"
            {Columns}
            """,
        Outcome.OutOfBudget => $"out of budget after {Schedules} schedules: none failed, but not all were tried",
        _ => $"all {Schedules} schedules passed",
    };
}

/// <summary>An exploration did not pass; the message is the report.</summary>
public sealed class InterleavingException : Exception
{
    /// <summary>Without a report.</summary>
    public InterleavingException()
    {
    }

    /// <summary>With a message only.</summary>
    /// <param name="message">The message.</param>
    public InterleavingException(string message)
        : base(message)
    {
    }

    /// <summary>With a message and a cause.</summary>
    /// <param name="message">The message.</param>
    /// <param name="innerException">The cause.</param>
    public InterleavingException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    /// <summary>For a report.</summary>
    /// <param name="report">The report.</param>
    public InterleavingException(InterleavingReport report)
        : base(report?.ToString()) => Report = report;

    /// <summary>What was found.</summary>
    public InterleavingReport? Report { get; }
}
