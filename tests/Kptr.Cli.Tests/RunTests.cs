using System.Text;
using System.Text.Json;

namespace Kptr.Cli.Tests;

public class RunTests
{
    [Fact]
    public void Scenario_IsPlayed_AndWhatItPinsIsSaid()
    {
        using var folder = new TempFolder();
        var run = Play(folder, "cgroup /web\nfork 10 bash\nfork 11 nginx parent=10 cgroup=/web\nexit 11\nreap 11\n");
        run.ExitCode.Should().Be(0, run.Errors);
        run.Output.Should().Contain("on_newtask  at task_newtask, ran 2 times")
            .And.Contain("  11   0        task_struct pid 11 \"nginx\"")
            .And.Contain("    map \"tasks\", key 11, field task, since on_newtask insn 28 (task_tracker.bpf.c:53)")
            .And.Contain("all references are back");
    }

    [Fact]
    public void Json_HasMapsPinsAndCosts()
    {
        using var folder = new TempFolder();
        var run = Play(folder, "fork 10 bash\nupdate summary 0 7\n", "--format", "json");
        run.ExitCode.Should().Be(0, run.Errors);
        var said = JsonDocument.Parse(run.Output).RootElement;
        var tasks = said.GetProperty("maps").EnumerateArray()
            .Single(m => m.GetProperty("map").GetString() == "tasks").GetProperty("rows")[0];
        tasks.GetProperty("key").GetString().Should().Be("10");
        tasks.GetProperty("fields").GetProperty("task").GetString().Should().Be("task_struct pid 10 \"bash\"");
        var pin = said.GetProperty("pins").EnumerateArray().Single();
        pin.GetProperty("holder_kind").GetString().Should().Be("map");
        said.GetProperty("cost").GetProperty("by_map").GetProperty("tasks").GetInt64()
            .Should().Be(pin.GetProperty("bytes").GetInt64());
        said.GetProperty("lost").GetArrayLength().Should().Be(0);
        said.GetProperty("programs").EnumerateArray().Select(p => p.GetProperty("program").GetString())
            .Should().Equal("on_newtask", "on_exec", "on_exit", "summarise");
    }

    [Fact]
    public void ObjectWhoseMapIsRefused_Is1_WithTheMap()
    {
        var path = Path.Combine(KptrTool.Root, "tests", "data", "elf", "refused.bpf.o");
        foreach (var line in new[] { $"kptr run '{path}' --test look", $"kptr check '{path}'" })
        {
            var run = KptrTool.RunShell(line);
            run.ExitCode.Should().Be(1, line);
            (run.Output + run.Errors).Should()
                .Contain("map \"numbers\" (Array): the kernel refuses it with EINVAL (MapRefused)");
        }
    }

    [Theory]
    [InlineData("forc 10 bash", ":1", "there is no step \"forc\"; near it are \"fork\"")]
    [InlineData("# a comment\n\nfork", ":3", "fork takes 1 to 2 words, not 0")]
    [InlineData("fork 10 bash\nfork 10 bash", ":2", "fork: ")]
    [InlineData("exit 99", ":1", "there is no task with pid 99")]
    [InlineData("fork 0", ":1", "0 is no pid")]
    [InlineData("fork 99999999999999999999", ":1", "is no number")]
    [InlineData("delete taskz 1", ":1", "there is no map \"taskz\"; near it are \"tasks\"")]
    [InlineData("delete tasks 1", ":1", "delete: ENOENT")]
    [InlineData("update tasks x01 0", ":1", "x01 has 1 bytes, and 4 are needed")]
    [InlineData("update tasks xzz 0", ":1", "is no row of hex digits")]
    [InlineData("update tasks 99999999999 0", ":1", "does not fit into 4 bytes")]
    [InlineData("raise no_such_hook", ":1", "this kernel has no tracepoint \"no_such_hook\"")]
    [InlineData("test nobody", ":1", "there is no program \"nobody\"")]
    [InlineData("advance 5", ":1", "5 is no time")]
    [InlineData("move 1 /nowhere", ":1", "there is no cgroup \"/nowhere\"")]
    [InlineData("cpu 1 5ms system=x", ":1", "x is no time")]
    [InlineData("reap 1", ":1", "reap: ")]
    public void StepThatCannotBeDone_Is2_WithFileAndLine(string steps, string place, string message)
    {
        using var folder = new TempFolder();
        var run = Play(folder, steps);
        run.ExitCode.Should().Be(2, run.Errors);
        run.Errors.Should().StartWith("kptr: ").And.Contain($"steps.txt{place}: ").And.Contain(message)
            .And.NotContain("   at ");
    }

    [Fact]
    public void Trace_IsReplayed()
    {
        var trace = Path.Combine(KptrTool.Root, "samples", "TraceReplay", "trace.txt");
        var run = KptrTool.Run("run", KptrTool.TrackerObject, "--trace", trace);
        run.ExitCode.Should().Be(0, run.Errors);
        run.Output.Should().Contain("42 events over 0.270 s").And.Contain("task_struct pid 510 \"backup\"");
    }

    [Fact]
    public void RefusedProgram_Is1_AndNothingRuns()
    {
        using var folder = new TempFolder();
        var steps = folder.Write("steps.txt", Encoding.UTF8.GetBytes("fork 10 bash"));
        var run = KptrTool.Run("run", KptrTool.LeakObject, "--scenario", steps);
        run.ExitCode.Should().Be(1);
        run.Output.Should().BeEmpty();
        run.Errors.Should().Contain("program never_released is not loaded").And.Contain("mend it: ");

        // One of the programs that are in order can be run alone.
        KptrTool.Run("run", KptrTool.LeakObject, "--program", "never_released_mended", "--scenario", steps)
            .ExitCode.Should().Be(0);
        var unknown = KptrTool.Run("run", KptrTool.LeakObject, "--program", "never", "--scenario", steps);
        unknown.ExitCode.Should().Be(2);
        unknown.Errors.Should().Contain("no program is named \"never\"");
    }

    [Theory]
    [InlineData("run", "x.o")]
    [InlineData("run", "x.o", "--trace", "a", "--scenario", "b")]
    [InlineData("run", "x.o", "--data", "a", "--trace", "b")]
    [InlineData("run", "x.o", "--trace", "a", "--cpus", "0")]
    [InlineData("run", "x.o", "--trace", "a", "--rows", "x")]
    [InlineData("run", "--trace", "a")]
    [InlineData("run", "missing.o", "--proc")]
    public void BadUsage_Is2(params string[] args)
    {
        var run = KptrTool.Run(args);
        run.ExitCode.Should().Be(2);
        run.Errors.Should().StartWith("kptr: ").And.NotContain("   at ");
    }

    [Theory]
    [InlineData("--trace", "/dev/zero", "this is none of the known traces")]
    [InlineData("--scenario", "/dev/zero", "is larger than 67108864 bytes")]
    [InlineData("--data", "/dev/zero", "is larger than 1048576 bytes")]
    public void FileWithoutAnEnd_IsRefused(string option, string file, string message)
    {
        if (!File.Exists(file))
        {
            return; // no such device on this system
        }

        string[] test = option == "--data" ? ["--test", "summarise"] : [];
        var run = KptrTool.Run(["run", KptrTool.TrackerObject, option, file, .. test]);
        run.ExitCode.Should().Be(2);
        run.Errors.Should().StartWith($"kptr: {file}").And.Contain(message);
    }

    [Theory]
    [InlineData("--trace")]
    [InlineData("--scenario")]
    public void FileThatIsNotThere_Is2(string option)
    {
        var run = KptrTool.Run("run", KptrTool.TrackerObject, option, "missing.txt");
        run.ExitCode.Should().Be(2);
        run.Errors.Should().StartWith("kptr: ").And.Contain("missing.txt").And.NotContain("   at ");
    }

    [Fact]
    public void TestRun_OfBytes_Returns()
    {
        var run = KptrTool.Run("run", KptrTool.TrackerObject, "--test", "summarise");
        run.ExitCode.Should().Be(0, run.Errors);
        run.Output.Should().Contain("test run:").And.Contain("  returned ");
    }

    private static ToolRun Play(TempFolder folder, string steps, params string[] options)
    {
        var file = folder.Write("steps.txt", Encoding.UTF8.GetBytes(steps));
        return KptrTool.Run(["run", KptrTool.TrackerObject, "--scenario", file, .. options]);
    }
}
