using Kptr.Diagnostics;

namespace Kptr.Cli.Tests;

public class ExplainTests
{
    [Theory]
    [InlineData("UnreleasedRef")]
    [InlineData("unreleasedref")]
    [InlineData("5000")]
    public void Code_IsExplained_ByNameAndNumber(string code)
    {
        var run = KptrTool.Run("explain", code);
        run.ExitCode.Should().Be(0);
        run.Lines[0].Should().Be("UnreleasedRef (5000)");
        run.Output.Should().Contain("A path ends while it still owns a reference.")
            .And.Contain("    call bpf_task_from_pid").And.Contain("Mended:").And.NotContain("```");
    }

    [Fact]
    public void EveryCode_IsExplained()
    {
        var listed = KptrTool.Run("explain");
        listed.Lines.Where(l => char.IsDigit(l[0])).Select(l => l.Split("  ")[1])
            .Should().Equal(Enum.GetValues<DiagCode>().Where(c => c != 0).Order().Select(c => c.ToString()));
    }

    [Theory]
    [InlineData("UnrelasedRef", "\"UnreleasedRef\"")]
    [InlineData("1", "no name is near it")]
    [InlineData("99999999999999999999", "no name is near it")]
    public void WrongCode_Is2_WithTheNearest(string code, string near)
    {
        var run = KptrTool.Run("explain", code);
        run.ExitCode.Should().Be(2);
        run.Errors.Should().StartWith($"kptr: there is no code '{code}'").And.Contain(near);
    }

    [Theory]
    [InlineData("kptr che", "check")]
    [InlineData("kptr check --only ", "accepted\nrejected\nunsupported")]
    [InlineData("kptr explain UnreleasedRefI", "UnreleasedRefInScope")]
    public void Completion_InBash_OffersWhatMayStandThere(string line, string offered)
    {
        var words = line.Split(' ');
        var run = KptrTool.RunShell(
            $"source <(kptr completion bash)\nCOMP_LINE='{line}' COMP_POINT={line.Length}\n"
            + $"COMP_WORDS=({line} {(line.EndsWith(' ') ? "''" : "")}) COMP_CWORD={words.Length - 1}\n"
            + "_kptr; printf '%s\\n' \"${COMPREPLY[@]}\"");
        run.Errors.Should().BeEmpty();
        run.Output.TrimEnd().Should().Be(offered);
    }
}
