using Kptr.Diagnostics;

namespace Kptr.Cli.Check;

/// <summary>
/// Refusals and warnings as workflow commands of GitHub Actions, which shows each beside its C line.
/// </summary>
internal sealed class GithubVerdictWriter(TextWriter output, SourcePaths paths) : IVerdictWriter
{
    public void Write(string file, ProgVerdicts verdicts)
    {
        foreach (var finding in Finding.Of(file, verdicts).OrderBy(f => !f.IsRefusal))
        {
            var (kernel, prog) = (finding.Kernel.Profile.Name, finding.Said.Prog);
            Command(finding, finding.IsRefusal
                ? $"{kernel} refuses {prog.Name} [{prog.SectionName}]: {finding.Said.Result.Explanation}"
                : $"{kernel}: {finding.Reason!.Message}");
        }
    }

    public void Refuse(Diagnostic fault) => output.WriteLine(
        $"::error file={Property(paths.Of(fault.File ?? ""))},title={fault.Code}::{Data(fault.ToString())}");

    public void Finish(VerdictCount count) => output.WriteLine(count.ToString());

    private void Command(Finding finding, string message)
    {
        var place = finding.Step is { File: { } source } at
            ? $"file={Property(paths.OfSource(source, finding.File))},line={at.Line},col={at.Column}"
            : $"file={Property(paths.Of(finding.File))}";
        var title = $"{finding.Reason?.Code} in {finding.Said.Prog.Name}";
        output.WriteLine(
            $"::{(finding.IsRefusal ? "error" : "warning")} {place},title={Property(title)}::{Data(message)}");
    }

    private static string Data(string text) =>
        text.Replace("%", "%25", StringComparison.Ordinal).Replace("\r", "%0D", StringComparison.Ordinal)
            .Replace("\n", "%0A", StringComparison.Ordinal);

    private static string Property(string text) =>
        Data(text).Replace(":", "%3A", StringComparison.Ordinal).Replace(",", "%2C", StringComparison.Ordinal);
}
