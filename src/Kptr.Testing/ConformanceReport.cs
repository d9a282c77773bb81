using Kptr.Specs;

namespace Kptr.Testing;

/// <summary>A rule that is broken, and the shortest way found to see it.</summary>
/// <param name="Check">The check that found it.</param>
/// <param name="Policy">Under which destroy policy.</param>
/// <param name="Seed">Seed of the script.</param>
/// <param name="Script">The steps, the counts beside each, from the first to the one that shows it.</param>
/// <param name="Expected">What the rule asks for.</param>
/// <param name="Found">What there was.</param>
public sealed record ConformanceFailure(
    ConformanceCheck Check, DestroyBehavior Policy, int Seed, IReadOnlyList<string> Script, string Expected,
    string Found)
{
    /// <summary>All of it, to be read by a person.</summary>
    public override string ToString() => $"""
        {Check.Name} is broken (policy {Policy}, seed {Seed})
        rule:     {Check.Rule}
        expected: {Expected}
        found:    {Found}
        script:
        {string.Join("\n", Script.Select(line => "  " + line))}
        """;
}

/// <summary>What a conformance run found.</summary>
/// <param name="Passed">Checks that found nothing.</param>
/// <param name="Failures">What is broken: one a check and policy at most.</param>
/// <param name="Skipped">Checks that could not be asked of this map, each with the reason.</param>
public sealed record ConformanceReport(
    IReadOnlyList<ConformanceCheck> Passed, IReadOnlyList<ConformanceFailure> Failures,
    IReadOnlyList<(ConformanceCheck Check, string Reason)> Skipped)
{
    /// <summary>What of it could not be tried at all, each with the reason: kfuncs.</summary>
    public IReadOnlyList<string> Untried { get; init; } = [];

    /// <summary>The table that a map was held against, where that was asked for.</summary>
    public IReadOnlyList<MapCell> Cells { get; init; } = [];

    /// <summary>Whether no rule is broken.</summary>
    public bool IsConformant => Failures.Count == 0;

    /// <summary>Failures in full, then what passed and what was not asked.</summary>
    public override string ToString() => string.Join("\n\n", [
        .. Failures.Select(f => f.ToString()),
        $"{Passed.Count} checks passed: {string.Join(", ", Passed.Select(c => c.Name))}",
        .. Skipped.Select(s => $"{s.Check.Name} was not asked: {s.Reason}"),
        .. Untried.Select(u => $"not tried: {u}")]);
}

/// <summary>A map, object or kfunc is not conformant; the message is the report.</summary>
public sealed class ConformanceException : Exception
{
    /// <summary>Without a report.</summary>
    public ConformanceException()
    {
    }

    /// <summary>With a message only.</summary>
    /// <param name="message">The message.</param>
    public ConformanceException(string message)
        : base(message)
    {
    }

    /// <summary>With a message and a cause.</summary>
    /// <param name="message">The message.</param>
    /// <param name="innerException">The cause.</param>
    public ConformanceException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    /// <summary>For a report with failures.</summary>
    /// <param name="report">The report.</param>
    public ConformanceException(ConformanceReport report)
        : base(report?.ToString()) => Report = report;

    /// <summary>What was found.</summary>
    public ConformanceReport? Report { get; }
}
