namespace Kptr.Cli.Tests;

/// <summary>Where output goes, and what happens when it cannot.</summary>
public class OutputTests
{
    [Theory]
    [InlineData("check")]
    [InlineData("inspect")]
    public void FullDisk_Is2_AndSaid(string command)
    {
        var run = KptrTool.RunShell($"kptr {command} '{KptrTool.LeakObject}' > /dev/full");
        run.ExitCode.Should().Be(2);
        run.Errors.Should().StartWith("kptr: cannot write the output: ").And.NotContain("   at ");
    }

    [Fact]
    public void ErrorsThatCannotBeWritten_ChangeNothing()
    {
        var run = KptrTool.RunShell($"kptr check missing.o '{KptrTool.TrackerObject}' 2> /dev/full");
        run.ExitCode.Should().Be(2);
        run.Output.Should().StartWith("accept ");
    }

    [Fact]
    public void ClosedPipe_EndsQuietly()
    {
        // What is printed is more than a pipe holds, and its reader has gone.
        var run = KptrTool.RunShell(
            $"kptr check '{KptrTool.LeakObject}' '{KptrTool.TrackerObject}' --log-level 2 | true;"
                + " exit ${PIPESTATUS[0]}");
        run.ExitCode.Should().Be(2);
        run.Errors.Should().BeEmpty();
    }

    [Fact]
    public void TwoRunsIntoOneFile_StandBehindEachOther()
    {
        using var folder = new TempFolder();
        var file = folder.Write("out", null);
        KptrTool.RunShell($"(kptr check '{KptrTool.TrackerObject}'; kptr check '{KptrTool.TrackerObject}') > '{file}'")
            .ExitCode.Should().Be(0);
        File.ReadAllLines(file).Should().HaveCount(8).And.OnlyContain(l => l.StartsWith("accept "));
    }
}
