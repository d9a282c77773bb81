namespace Kptr.Testing;

/// <summary>What programs did that they must not, and the shortest way found to see it.</summary>
/// <param name="Check">The check that found it.</param>
/// <param name="Kernels">In which kernels, under which destroy policies, the script shows it.</param>
/// <param name="Seed">Seed of the script.</param>
/// <param name="Script">The steps with what came of them, from the first to the one that shows it.</param>
/// <param name="Expected">What the check asks for.</param>
/// <param name="Found">What there was, and which kfunc or helper had a hand in it.</param>
public sealed record ProgramTestFailure(
    ConformanceCheck Check, IReadOnlyList<string> Kernels, int Seed, IReadOnlyList<string> Script, string Expected,
    string Found)
{
    /// <summary>All of it, to be read by a person.</summary>
    public override string ToString() => $"""
        {Check.Name} is broken (seed {Seed}; {string.Join("; ", Kernels)})
        rule:     {Check.Rule}
        expected: {Expected}
        found:    {Found}
        script:
        {string.Join("\n", Script.Select(line => "  " + line))}
        """;
}

/// <summary>What a test of programs found.</summary>
/// <param name="Passed">Checks that were asked and found nothing.</param>
/// <param name="Failures">What is wrong: one a check and kernel at most, and one for all kernels in which the same
/// script shows it.</param>
/// <param name="Remarks">
/// What is no fault and good to know: kptrs that come back with recycled memory, what maps still hold when everything
/// has exited, programs and runs that were not judged and why.
/// </param>
public sealed record ProgramTestReport(
    IReadOnlyList<ConformanceCheck> Passed, IReadOnlyList<ProgramTestFailure> Failures, IReadOnlyList<string> Remarks)
{
    /// <summary>Whether nothing is wrong.</summary>
    public bool IsSound => Failures.Count == 0;

    /// <summary>Failures in full, then what passed, and the remarks.</summary>
    public override string ToString() => string.Join("\n\n", [
        .. Failures.Select(f => f.ToString()),
        $"{Passed.Count} checks passed: {string.Join(", ", Passed.Select(c => c.Name))}",
        .. Remarks.Select(r => $"remark: {r}")]);
}

/// <summary>Programs did what they must not; the message is the report.</summary>
public sealed class ProgramTestException : Exception
{
    /// <summary>Without a report.</summary>
    public ProgramTestException()
    {
    }

    /// <summary>With a message only.</summary>
    /// <param name="message">The message.</param>
    public ProgramTestException(string message)
        : base(message)
    {
    }

    /// <summary>With a message and a cause.</summary>
    /// <param name="message">The message.</param>
    /// <param name="innerException">The cause.</param>
    public ProgramTestException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    /// <summary>For a report with failures.</summary>
    /// <param name="report">The report.</param>
    public ProgramTestException(ProgramTestReport report)
        : base(report?.ToString()) => Report = report;

    /// <summary>What was found.</summary>
    public ProgramTestReport? Report { get; }
}
