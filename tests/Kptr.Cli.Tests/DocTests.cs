using System.Text;
using System.Text.RegularExpressions;

namespace Kptr.Cli.Tests;

/// <summary>Runs what <c>docs/cli.md</c> tells people to run.</summary>
public partial class DocTests
{
    private static readonly string s_page = File.ReadAllText(Path.Combine(KptrTool.Root, "docs", "cli.md"));

    public static TheoryData<string, int> Commands
    {
        get
        {
            var commands = new TheoryData<string, int>();
            foreach (var line in ShellBlock().Matches(s_page)
                .SelectMany(b => b.Groups[1].Value.Split('\n', StringSplitOptions.RemoveEmptyEntries)))
            {
                var match = Command().Match(line);
                commands.Add(match.Groups[1].Value, int.Parse(match.Groups[2].Value, null));
            }

            return commands;
        }
    }

    [Theory, MemberData(nameof(Commands))]
    public void Command_OfThePage_EndsAsItSays(string command, int exitCode)
    {
        using var folder = Objects();
        var run = KptrTool.RunShell($"cd '{folder.Path}'\n{command}");
        run.ExitCode.Should().Be(exitCode, run.Errors);
        run.Errors.Should().BeEmpty();
        (run.Output.Length > 0 || command.Contains('>', StringComparison.Ordinal)).Should().BeTrue();
    }

    [Fact]
    public void Rejection_OfThePage_IsWhatIsPrinted()
    {
        using var folder = Objects();
        var run = KptrTool.RunShell($"cd '{folder.Path}'\nkptr check leak.bpf.o --program missing_null_check");
        s_page.Should().Contain($"```\n{run.Output.TrimEnd()}\n```");
    }

    private static TempFolder Objects()
    {
        var folder = new TempFolder();
        folder.Write("leak.bpf.o", File.ReadAllBytes(KptrTool.LeakObject));
        folder.Write("tracker.bpf.o", File.ReadAllBytes(KptrTool.TrackerObject));
        var trace = Path.Combine(KptrTool.Root, "samples", "TraceReplay", "trace.txt");
        folder.Write("trace.txt", File.ReadAllBytes(trace));
        folder.Write("steps.txt", Encoding.UTF8.GetBytes(StepsBlock().Match(s_page).Groups[1].Value));
        return folder;
    }

    [GeneratedRegex("^```\n(# steps.txt.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex StepsBlock();

    [GeneratedRegex("^```sh\n(.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex ShellBlock();

    [GeneratedRegex("^(kptr .*?) *#.*-> ([0-9])$")]
    private static partial Regex Command();
}
