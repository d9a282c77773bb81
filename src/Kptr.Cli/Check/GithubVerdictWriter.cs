using Kptr.Diagnostics;
using Kptr.Verifier;

namespace Kptr.Cli.Check;

/// <summary>
/// Refusals and warnings as workflow commands of GitHub Actions, which shows each beside its C line.
/// </summary>
internal sealed class GithubVerdictWriter(TextWriter output, SourcePaths paths) : IVerdictWriter
{
    public void Write(string file, ProgVerdicts verdicts)
    {
        foreach (var (kernel, said) in verdicts.Kernels.Where(k => !k.Said.Result.IsAccepted))
        {
            var result = said.Result;
            var fault = result.Story?.Steps.LastOrDefault(s => s.Kind == StoryStepKind.Fault);
            var code = result.Diagnostics.LastOrDefault()?.Code;
            Command("error", file, fault, $"{code} in {said.Prog.Name}",
                $"{kernel.Profile.Name} refuses {said.Prog.Name} [{said.Prog.SectionName}]: {result.Explanation}");
        }

        foreach (var (kernel, said) in verdicts.Kernels)
        {
            foreach (var warning in said.Result.IsAccepted ? said.Result.Warnings : [])
            {
                Command("warning", file, WarningPlace.Of(said.Prog, warning), $"{warning.Code} in {said.Prog.Name}",
                    $"{kernel.Profile.Name}: {warning.Message}");
            }
        }
    }

    public void Refuse(Diagnostic fault) => output.WriteLine(
        $"::error file={Property(paths.Of(fault.File ?? ""))},title={fault.Code}::{Data(fault.ToString())}");

    public void Finish(VerdictCount count) => output.WriteLine(count.ToString());

    private void Command(string level, string file, StoryStep? at, string title, string message)
    {
        var place = at?.File is { } source
            ? $"file={Property(paths.OfSource(source, file))},line={at.Line},col={at.Column}"
            : $"file={Property(paths.Of(file))}";
        output.WriteLine($"::{level} {place},title={Property(title)}::{Data(message)}");
    }

    private static string Data(string text) =>
        text.Replace("%", "%25", StringComparison.Ordinal).Replace("\r", "%0D", StringComparison.Ordinal)
            .Replace("\n", "%0A", StringComparison.Ordinal);

    private static string Property(string text) =>
        Data(text).Replace(":", "%3A", StringComparison.Ordinal).Replace(",", "%2C", StringComparison.Ordinal);
}
