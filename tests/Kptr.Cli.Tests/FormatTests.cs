using System.Text.Json;
using System.Text.Json.Nodes;
using Json.Schema;

namespace Kptr.Cli.Tests;

/// <summary>What other programs read.</summary>
public class FormatTests
{
    private static readonly JsonSchema s_schema =
        JsonSchema.FromFile(Path.Combine(KptrTool.Root, "docs", "check.schema.json"));

    [Theory]
    [InlineData]
    [InlineData("--kernels", "all")]
    [InlineData("--strict", "--log-level", "1")]
    public void Json_IsWhatItsSchemaSays(params string[] options)
    {
        var run = KptrTool.Run(
        [
            "check", KptrTool.LeakObject, KptrTool.TrackerObject, KptrTool.DoubtfulObject, "--format", "json",
            .. options,
        ]);
        run.Lines.Length.Should().BeGreaterThan(16);
        foreach (var line in run.Lines)
        {
            var found = s_schema.Evaluate(JsonNode.Parse(line), new() { OutputFormat = OutputFormat.List });
            found.IsValid.Should().BeTrue(line);
        }
    }

    [Fact]
    public void Schema_RefusesWhatIsNone()
    {
        var run = KptrTool.Run("check", KptrTool.TrackerObject, "--program", "on_exit", "--format", "json");
        var line = JsonNode.Parse(run.Lines.Single())!.AsObject();
        s_schema.Evaluate(line).IsValid.Should().BeTrue();
        line.Remove("path");
        s_schema.Evaluate(line).IsValid.Should().BeFalse();
    }

    [Fact]
    public void Json_HasThePath_InTheOrderOfExecution()
    {
        var run = KptrTool.Run("check", KptrTool.LeakObject, "--program", "plain_store", "--format", "json");
        var path = JsonDocument.Parse(run.Lines.Single()).RootElement.GetProperty("path").EnumerateArray().ToList();
        path.Select(s => s.GetProperty("insn").GetInt32()).Should().BeInAscendingOrder();
        path.Select(s => s.GetProperty("kind").GetString()).Should().Equal(
            "acquired", "branch", "origin", "branch", "fault");
        var fault = path[^1];
        fault.GetProperty("line_text").GetString().Should().Be("entry->task = task;");
        fault.GetProperty("line_text")
            .GetString()![(fault.GetProperty("line_text_column").GetInt32() - 1)..].Should().Be("= task;");
    }

    [Fact]
    public void Sarif_HasAResultForEachRefusal_WithItsPath_AndFilesThatCannotBeRead()
    {
        using var folder = new TempFolder();
        var broken = folder.Write("broken.o", [1]);
        var run = KptrTool.RunShell(
            $"cd '{KptrTool.Root}'\nkptr check '{broken}' samples/TaskTracker/bpf/task_leak.bpf.o "
            + $"'{KptrTool.DoubtfulObject}' --format sarif");
        run.ExitCode.Should().Be(2);
        var log = JsonDocument.Parse(run.Output).RootElement;
        log.GetProperty("version").GetString().Should().Be("2.1.0");
        var ran = log.GetProperty("runs")[0];
        var rules = ran.GetProperty("tool").GetProperty("driver").GetProperty("rules").EnumerateArray().ToList();
        var invocation = ran.GetProperty("invocations")[0];
        invocation.GetProperty("executionSuccessful").GetBoolean().Should().BeFalse();
        invocation.GetProperty("toolExecutionNotifications").GetArrayLength().Should().Be(1);
        var results = ran.GetProperty("results").EnumerateArray().ToList();
        results.Select(r => r.GetProperty("level").GetString()).Should().Equal(
            "error", "error", "error", "error", "error", "error", "warning");
        foreach (var result in results)
        {
            rules[result.GetProperty("ruleIndex").GetInt32()].GetProperty("id").GetString()
                .Should().Be(result.GetProperty("ruleId").GetString());
        }

        var place = results[0].GetProperty("locations")[0].GetProperty("physicalLocation");
        place.GetProperty("artifactLocation").GetProperty("uri").GetString()
            .Should().Be("samples/TaskTracker/bpf/task_leak.bpf.c", "that is where the C file is");
        place.GetProperty("region").GetProperty("startLine").GetInt32().Should().Be(30);
        var steps = results[0].GetProperty("codeFlows")[0].GetProperty("threadFlows")[0].GetProperty("locations");
        steps.EnumerateArray().Select(s => s.GetProperty("kinds")[0].GetString()).Should().Equal(
            "acquired", "branch", "branch", "lost", "fault");
    }

    [Fact]
    public void Github_EscapesWhatCommandsAreMadeOf()
    {
        var run = KptrTool.RunShell(
            $"cd '{KptrTool.Root}'\nkptr check samples/TaskTracker/bpf/*.o missing,x.o --format github");
        run.ExitCode.Should().Be(2);
        run.Lines.Count(l => l.StartsWith("::error file=samples/TaskTracker/bpf/task_leak.bpf.c,line=")).Should().Be(6);
        run.Lines.Should().Contain(l => l.StartsWith("::error file=missing%2Cx.o,title=FileUnreadable::"));
        run.Lines[..^1].Should().OnlyContain(l => l.StartsWith("::error "));
        run.Lines[0].Should().Contain("%0A").And.Contain(",title=UnreleasedRef in never_released::");
        run.Lines[^1].Should().Be("16 programs in 2 objects: 10 accepted, 6 rejected; 1 file not readable");
    }

    [Fact]
    public void Colours_AreForTerminals_UnlessAskedFor()
    {
        KptrTool.Run("check", KptrTool.LeakObject).Output.Should().NotContain("\u001b");
        KptrTool.Run("check", KptrTool.LeakObject, "--color", "always").Output.Should().Contain("\u001b[");
        KptrTool.Run("check", KptrTool.LeakObject, "--color", "sometimes").ExitCode.Should().Be(2);
    }
}
