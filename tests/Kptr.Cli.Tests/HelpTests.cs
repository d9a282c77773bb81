namespace Kptr.Cli.Tests;

public class HelpTests
{
    [Theory]
    [InlineData("help")]
    [InlineData("--help")]
    [InlineData("-h")]
    public void Help_NamesTheCommands(params string[] args)
    {
        var run = KptrTool.Run(args);
        run.ExitCode.Should().Be(0);
        run.Errors.Should().BeEmpty();
        run.Output.Should().Contain("Usage: kptr COMMAND").And.NotContain("Kptr.Cli");
        run.Lines.Should().Contain(l => l.StartsWith("  check ")).And.Contain(l => l.StartsWith("  inspect "));
    }

    [Theory]
    [InlineData("help", "check")]
    [InlineData("check", "--help")]
    public void HelpOfACommand_HasUsageExitCodesAndExamples_AndFits80Columns(params string[] args)
    {
        var run = KptrTool.Run(args);
        run.ExitCode.Should().Be(0);
        run.Output.Should().Contain("Usage: kptr check [OPTION]... FILE...").And.Contain("--kernel-btf FILE")
            .And.Contain("linux-6.12,").And.Contain("Exit codes:").And.Contain("Examples:");
        run.Lines.Where(l => !l.StartsWith("  kptr ")).Should().OnlyContain(l => l.Length <= 80 && !l.EndsWith(' '));
    }

    [Fact]
    public void WrongOption_IsNamed_WithTheNearestAndTheUsage()
    {
        var run = KptrTool.Run("check", "x.o", "--formt", "json");
        run.ExitCode.Should().Be(2);
        run.Errors.Should().StartWith("kptr: check has no option '--formt'; near it are \"--format\"")
            .And.Contain("Usage: kptr check ").And.Contain("  --format FORMAT");
    }

    [Fact]
    public void WrongCommand_IsNamed_WithTheNearest()
    {
        KptrTool.Run("chek").Errors.Should().StartWith("kptr: there is no command 'chek'; near it are \"check\"");
        KptrTool.Run().Errors.Should().StartWith("kptr: it takes a command").And.Contain("  check ");
    }

    [Theory]
    [InlineData("check")]
    [InlineData("inspect")]
    [InlineData("run")]
    [InlineData("plugin")]
    public void EveryOption_WithNonsense_IsAnAnswerAndNoCrash(string command)
    {
        var options = KptrTool.Run("help", command).Lines.Select(l => l.TrimStart().Split(' ', ','))
            .SelectMany(w => w.Where(o => o.StartsWith("--"))).Distinct().Except(["--help"]).ToList();
        options.Should().NotBeEmpty();
        foreach (var option in options)
        {
            var run = KptrTool.Run(command, option, "\u00e9:-1=x", option);
            run.ExitCode.Should().Be(2, $"{command} {option}: {run.Errors}");
            run.Errors.Should().StartWith("kptr: ").And.NotContain("   at ");
        }
    }
}
