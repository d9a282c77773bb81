using System.Text.Json;

namespace Kptr.Cli.Tests;

public class CheckTests
{
    private static readonly string[] s_fields =
        [
            "object", "program", "section", "verdict", "code", "message", "insn", "source",
            "processed_insns", "states", "time_us",
        ];

    // What a real Linux 6.12 says of these programs.
    public static TheoryData<string, string> Faults => new()
    {
        { "never_released", "Unreleased reference id=2 alloc_insn=1" },
        { "missing_null_check", "Possibly NULL pointer passed to trusted arg0" },
        { "double_release", "arg#0 pointer type STRUCT task_struct must point to scalar, or struct with scalar" },
        { "plain_store", "store to referenced kptr disallowed" },
        { "displaced_dropped", "Unreleased reference id=5 alloc_insn=14" },
        { "used_after_release", "arg#0 pointer type STRUCT task_struct must point to scalar, or struct with scalar" },
    };

    [Fact]
    public void Tracker_IsAccepted()
    {
        var run = KptrTool.Run("check", KptrTool.TrackerObject, "--format", "json");
        run.Errors.Should().BeEmpty();
        run.ExitCode.Should().Be(0);
        Verdicts(run).Should().Equal(
            ("on_newtask", "accept"), ("on_exec", "accept"), ("on_exit", "accept"), ("summarise", "accept"));
    }

    [Theory, MemberData(nameof(Faults))]
    public void Fault_IsRejectedWithTheKernelsMessage(string program, string message)
    {
        var run = KptrTool.Run("check", KptrTool.LeakObject, "--program", program, "--format", "json");
        run.ExitCode.Should().Be(1);
        var verdict = JsonDocument.Parse(run.Lines.Single()).RootElement;
        verdict.GetProperty("verdict").GetString().Should().Be("reject");
        verdict.GetProperty("message").GetString().Should().StartWith(message);
        verdict.GetProperty("source").GetString().Should().StartWith("task_leak.bpf.c:");
    }

    [Theory, MemberData(nameof(Faults))]
    public void MendedTwin_IsAccepted(string program, string message)
    {
        var run = KptrTool.Run("check", KptrTool.LeakObject, "--program", program + "_mended");
        run.ExitCode.Should().Be(0, $"the twin has no '{message}'");
        run.Output.Should().StartWith("accept ");
    }

    [Fact]
    public void Json_HasEveryFieldInEveryLine()
    {
        var run = KptrTool.Run("check", KptrTool.LeakObject, "--format", "json");
        run.Lines.Should().HaveCount(12);
        foreach (var line in run.Lines)
        {
            JsonDocument.Parse(line).RootElement.EnumerateObject().Select(p => p.Name).Should().Contain(s_fields);
        }
    }

    [Fact]
    public void Text_TellsTheStoryOfTheReference()
    {
        var run = KptrTool.Run("check", KptrTool.LeakObject, "--program", "never_released");
        run.Output.Should().Contain("Unreleased reference id=2 alloc_insn=1");
        run.Output.Should().Contain("task_leak.bpf.c:");
    }

    [Theory]
    [InlineData("0", false)]
    [InlineData("1", true)]
    public void Log_IsPrintedWhenAskedFor(string level, bool isPrinted)
    {
        var run = KptrTool.Run("check", KptrTool.LeakObject, "--program", "never_released", "--log-level", level);
        run.Output.Contains("(limit 1000000)", StringComparison.Ordinal).Should().Be(isPrinted);
    }

    [Fact]
    public void SeveralObjects_AreJudgedInOrder_AndOneRejectionDecidesTheExitCode()
    {
        var run = KptrTool.Run("check", KptrTool.TrackerObject, KptrTool.LeakObject, "--format", "json");
        run.ExitCode.Should().Be(1);
        run.Lines.Should().HaveCount(16);
    }

    [Theory]
    [InlineData("check")]
    [InlineData("check", "x.o", "--format", "xml")]
    [InlineData("check", "x.o", "--profile", "linux-9.9")]
    [InlineData("check", "x.o", "--kernels", "some")]
    [InlineData("check", "x.o", "--kernels", "all", "--profile", "linux-6.1")]
    [InlineData("check", "x.o", "--nearest", "linux-6.12")]
    [InlineData("check", "x.o", "--log-level", "3")]
    [InlineData("check", "x.o", "--module-btf", "nonsense")]
    [InlineData("check", "x.o", "--frobnicate")]
    [InlineData("check", "")]
    [InlineData("check", "x.o", "--kernel-btf", "")]
    [InlineData("check", "x.o", "--kernel-btf=")]
    [InlineData("inspect", "x.o", "")]
    [InlineData("run", "")]
    [InlineData("plugin", "")]
    [InlineData("frobnicate")]
    [InlineData("--frobnicate")]
    [InlineData("help", "frobnicate")]
    [InlineData]
    public void BadUsage_Is2WithAMessage(params string[] args)
    {
        var run = KptrTool.Run(args);
        run.ExitCode.Should().Be(2);
        run.Output.Should().BeEmpty();
        run.Errors.Should().StartWith("kptr: ").And.NotContain("   at ").And.Contain("Usage: kptr ");
    }

    [Fact]
    public void DoubtfulProgram_IsAcceptedWithAWarning_AndRefusedWhereStrict()
    {
        var run = KptrTool.Run("check", KptrTool.DoubtfulObject);
        run.ExitCode.Should().Be(0);
        run.Output.Should().StartWith("accept ").And.Contain("    warning: insn ").And.Contain("(StrictLoopRounds)");

        var json = KptrTool.Run("check", KptrTool.DoubtfulObject, "--format", "json");
        var warning = JsonDocument.Parse(json.Output).RootElement.GetProperty("warnings").EnumerateArray().Single();
        warning.GetProperty("code").GetString().Should().Be("StrictLoopRounds");

        var strict = KptrTool.Run("check", KptrTool.DoubtfulObject, "--strict");
        strict.ExitCode.Should().Be(1);
        strict.Output.Should().StartWith("reject ").And.Contain("(StrictLoopRounds)");
    }

    [Fact]
    public void FileThatCannotBeRead_IsReported_AndTheOthersAreJudged()
    {
        using var folder = new TempFolder();
        var broken = folder.Write("broken.o", [1, 2, 3]);

        var run = KptrTool.Run("check", broken, KptrTool.TrackerObject);

        run.ExitCode.Should().Be(2);
        run.Errors.Should().StartWith("kptr: ").And.Contain("broken.o");
        run.Lines[..^1].Should().HaveCount(4).And.OnlyContain(l => l.StartsWith("accept "));
        run.Lines[^1].Should().Be("4 programs in 1 object: 4 accepted; 1 file not readable");
    }

    [Fact]
    public void Only_PrintsSome_AndCountsAll()
    {
        var run = KptrTool.Run("check", KptrTool.LeakObject, KptrTool.TrackerObject, "--only", "rejected");
        run.ExitCode.Should().Be(1);
        run.Output.Should().NotContain("accept ");
        run.Lines.Count(l => l.StartsWith("reject ")).Should().Be(6);
        run.Lines[^1].Should().Be("16 programs in 2 objects: 10 accepted, 6 rejected");

        var none = KptrTool.Run("check", KptrTool.LeakObject, "--only", "unsupported");
        none.ExitCode.Should().Be(1, "what is not printed is judged all the same");
        none.Output.Should().BeEmpty();
    }

    [Fact]
    public void SeveralJobs_PrintWhatOnePrints()
    {
        using var folder = new TempFolder();
        foreach (var i in Enumerable.Range(0, 12))
        {
            folder.Write($"{i:00}.o", File.ReadAllBytes(i % 3 == 0 ? KptrTool.LeakObject : KptrTool.TrackerObject));
        }

        folder.Write("05.o", [1]);
        var one = KptrTool.Run("check", folder.Path, "--jobs", "1");
        var four = KptrTool.Run("check", folder.Path, "--jobs", "4");
        one.ExitCode.Should().Be(2);
        four.Should().Be(one);
    }

    [Fact]
    public void LinksToFolders_AreNotFollowed_AndThoseToFilesAre()
    {
        using var folder = new TempFolder();
        var below = folder.Create("below");
        File.CreateSymbolicLink(Path.Combine(below, "linked.o"), KptrTool.TrackerObject);
        Directory.CreateSymbolicLink(Path.Combine(below, "back"), folder.Path);
        Directory.CreateSymbolicLink(Path.Combine(below, "root"), "/");
        KptrTool.Run("check", folder.Path).Lines.Should().HaveCount(4);
        KptrTool.Run("check", Path.Combine(folder.Path, "**", "*.o")).Lines.Should().HaveCount(4);
    }

    [Fact]
    public void DirectoriesAndPatterns_StandForTheirFiles()
    {
        using var folder = new TempFolder();
        var first = folder.Write("a.bpf.o", File.ReadAllBytes(KptrTool.TrackerObject));
        folder.Write("b.bpf.o", File.ReadAllBytes(KptrTool.TrackerObject));
        folder.Write("c.txt", [1]);
        var path = Path.GetDirectoryName(first)!;

        KptrTool.Run("check", path).Lines[..^1].Select(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1])
            .Distinct().Should().Equal("a.bpf.o", "b.bpf.o");
        KptrTool.Run("check", Path.Combine(path, "b*.o")).Lines.Should().HaveCount(4);
        KptrTool.Run("check", Path.Combine(Path.GetDirectoryName(path)!, "**", Path.GetFileName(path), "?.bpf.o"))
            .Lines[..^1].Should().HaveCount(8);
        var nothing = KptrTool.Run("check", Path.Combine(path, "d*.o"), folder.Create("empty"));
        nothing.ExitCode.Should().Be(2, "nothing is no pass");
        nothing.Errors.Should().Contain("nothing matches this pattern").And.Contain("no *.o in this directory");
    }

    [Fact]
    public void WhatIsNoFileInAFolder_IsReported_AndTheOthersAreJudged()
    {
        using var folder = new TempFolder();
        folder.Write("good.bpf.o", File.ReadAllBytes(KptrTool.TrackerObject));
        folder.Write("empty.o", []);
        var run = KptrTool.RunShell(
            $"cd '{folder.Path}' && mkfifo pipe.o && ln -s pipe.o link.o && ln -s /dev/zero zero.o && ln -s no gone.o "
            + "&& kptr check . '?i?e.o'");
        run.ExitCode.Should().Be(2);
        run.Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries).Should().HaveCount(5)
            .And.OnlyContain(l => l.Contains("FileUnreadable", StringComparison.Ordinal));
        run.Lines.Should().Contain(l => l.Contains("good.bpf.o", StringComparison.Ordinal));
    }

    [Fact]
    public void APipeThatIsNamed_IsRead()
    {
        var run = KptrTool.RunShell($"kptr check <(cat '{KptrTool.TrackerObject}')");
        run.Errors.Should().BeEmpty();
        run.ExitCode.Should().Be(0);
    }

    [Fact]
    public void AllKernels_AreAColumnEach_AndWhatDiffersIsSaid()
    {
        var run = KptrTool.Run("check", KptrTool.LeakObject, "--program", "never_released_mended", "--kernels", "all");
        run.Errors.Should().BeEmpty();
        run.ExitCode.Should().Be(1, "6.1 has no kfuncs for tasks");
        run.Lines[0].Split(' ', StringSplitOptions.RemoveEmptyEntries).Should().Equal(
            "linux-6.1", "linux-6.2", "linux-6.12", "linux-7.2");
        run.Lines[1].Split(' ', StringSplitOptions.RemoveEmptyEntries)[..4].Should().Equal(
            "reject", "accept", "accept", "accept");
        run.Lines[1].Should().EndWith("differs");
        run.Lines[2].Should().StartWith("    linux-6.1: ").And.Contain("bpf_task_");
        run.Lines[^1].Should().Be("1 of 1 programs are not judged alike by these kernels");
    }

    [Fact]
    public void SeveralProfiles_InJson_AreAnArrayOfTheSameFields()
    {
        var run = KptrTool.Run("check", KptrTool.LeakObject, "--program", "never_released", "--format", "json",
            "--profile", "linux-6.12", "--profile", "linux-7.2");
        run.ExitCode.Should().Be(1);
        var program = JsonDocument.Parse(run.Lines.Single()).RootElement;
        program.GetProperty("program").GetString().Should().Be("never_released");
        program.GetProperty("differs").GetBoolean().Should().BeFalse();
        var kernels = program.GetProperty("kernels").EnumerateArray().ToArray();
        kernels.Select(k => k.GetProperty("kernel").GetString()).Should().Equal("linux-6.12", "linux-7.2");
        kernels.Select(k => k.GetProperty("message").GetString()).Should().Equal(
            "Unreleased reference id=2 alloc_insn=1", "BPF_EXIT instruction in main prog would lead to reference leak");
        foreach (var kernel in kernels)
        {
            kernel.GetProperty("verdict").GetString().Should().Be("reject");
            kernel.EnumerateObject().Select(p => p.Name).Should().Contain(
                s_fields.Except(["object", "program", "section"]));
        }
    }

    [Fact]
    public void KernelsThatAgree_AreSaidTo_AndTheExitCodeIs0()
    {
        var run = KptrTool.Run("check", KptrTool.TrackerObject, "--profile", "linux-6.12", "--profile", "linux-7.2");
        run.ExitCode.Should().Be(0);
        run.Lines[^1].Should().Be("4 programs, which these kernels judge alike");
    }

    [Fact]
    public void KernelWithoutAProfile_IsReadFromItsTypes_AndItIsSaidWhatIsNot()
    {
        using var folder = new TempFolder();
        var types = Kptr.Kfuncs.BuiltinKernel.Spec(Kptr.Specs.KernelProfile.Linux6_12).Types.Vmlinux;
        var vmlinux = folder.Write("vendor.btf", types.ToBytes());
        var run = KptrTool.Run(
            "check", KptrTool.TrackerObject, "--kernel-btf", vmlinux, "--nearest", "linux-6.12");
        run.ExitCode.Should().Be(0);
        run.Output.Should().StartWith("accept ");
        run.Errors.Should().Contain("kptr: kfuncs and their prototypes: ").And.Contain("(its BTF)")
            .And.Contain("kptr: rules of the verifier, helpers, hooks, when values die: those of linux-6.12");
    }

    [Fact]
    public void UnknownProgram_Is2()
    {
        var run = KptrTool.Run("check", KptrTool.TrackerObject, "--program", "nobody");
        run.ExitCode.Should().Be(2);
        run.Errors.Should().Contain("nobody");
    }

    [Fact]
    public void FilesThatAreNoObjects_Are2_NamingTheFile()
    {
        using var folder = new TempFolder();
        var whole = File.ReadAllBytes(KptrTool.TrackerObject);
        var cases = new (string Name, byte[]? Content)[]
        {
            ("missing.o", null), ("empty.o", []), ("text.o", "not an object"u8.ToArray()),
            ("truncated.o", whole[..(whole.Length / 2)]), ("header.o", whole[..80]),
        };
        foreach (var (name, content) in cases)
        {
            var run = KptrTool.Run("check", folder.Write(name, content));
            run.ExitCode.Should().Be(2, name);
            run.Errors.Should().Contain(name).And.NotContain("   at ");
        }
    }

    private static IEnumerable<(string Program, string Verdict)> Verdicts(ToolRun run) =>
        run.Lines.Select(l => JsonDocument.Parse(l).RootElement)
            .Select(v => (v.GetProperty("program").GetString()!, v.GetProperty("verdict").GetString()!));
}
