using Kptr.Kfuncs;
using Kptr.Maps;
using Kptr.Specs;
using Kptr.Tests.Shared;

namespace Kptr.Testing.Tests.Programs;

/// <summary>Programs in many kernels: clean ones pass, a planted fault is found and named, kernels that differ are told
/// apart.</summary>
public class ProgramTestTests
{
    public static TheoryData<string> Clean =>
        ["arena", "control", "graphs", "lists", "places", "seats", "stash", "widget"];

    /// <summary>Kfuncs with one fault each, the check that finds it, and the kfunc it names.</summary>
    public static TheoryData<Type, string, string> Broken => new()
    {
        { typeof(LeakyWidgets), "NothingLost", "widget_colour at keep insn" },
        { typeof(KeptWidgets), "NothingLost", "widget_put at keep insn" },
        { typeof(TwiceWidgets), "ReleasedOnce", "widget_put" },
        { typeof(ThrowingWidgets), "NoFaults", "widget_colour at keep insn" },
        { typeof(WastefulWidgets), "NothingLost", "widget_create at keep insn" },
    };

    [Theory, MemberData(nameof(Clean))]
    public void CleanProgram_PassesInAllKernels(string name)
    {
        for (var seed = 1; seed <= Seeds.SoundCount; seed++)
        {
            var report = ProgramTest.Check(() => Open(name), With(typeof(SoundWidgets)) with
            {
                Seed = seed * 1000, Scripts = 6, Fuel = 100_000, Load = new() { Autoload = p => p.Name != "sit_down" },
            });
            report.Passed.Should().BeEquivalentTo(ProgramTest.Checks, report.ToString());
        }
    }

    [Theory, MemberData(nameof(Broken))]
    public void FaultOfAKfunc_IsFound_AndTheKfuncNamed(Type kfuncs, string check, string name)
    {
        var report = ProgramTest.Run(() => Open("widget"), With(kfuncs) with { Scripts = 20 });
        Show(kfuncs.Name, report);
        var failures = report.Failures.Where(f => f.Check.Name == check).ToList();
        failures.SelectMany(f => f.Kernels).Should().BeEquivalentTo(
            ["linux-6.12, policy Eager", "linux-6.12, policy Recycle", "linux-7.2, policy Eager",
                "linux-7.2, policy Recycle"], report.ToString());
        failures.Should().Contain(f => f.Found.Contains(name));

        // The kernel calls a destructor for what dies in a map, at the instruction that ended it where there is one.
        failures.Should().OnlyContain(f => f.Found.Contains("at widget_put") || f.Found.Contains("widget.bpf.c:"));
        failures.Should().OnlyContain(f => f.Script.Count < 8);
    }

    [Fact]
    public void FaultOnAFailingPath_IsFoundOnlyWhereSomethingFails()
    {
        var options = With(typeof(WastefulWidgets)) with { Scripts = 20 };
        ProgramTest.Run(() => Open("widget"), options with { Faults = [] }).Failures.Should().BeEmpty();
        var report = ProgramTest.Run(() => Open("widget"), options with { Faults = ["alloc_object"] });
        report.Failures.Should().ContainSingle(report.ToString()).Which.Script
            .Should().Contain(line => line.Contains("let alloc_object fail, the 2.", StringComparison.Ordinal));
    }

    [Theory, InlineData(false, "nothing is ever taken in"), InlineData(true, "nothing ever ends")]
    public void MapThatThrows_IsFound_AndDoesNotThrowFromTheTest(bool isEnd, string message)
    {
        var report = ProgramTest.Run(
            () => Open("widget"), WithMap((kernel, spec) => new ThrowingMap(kernel, spec, isEnd)));
        report.Failures.Should().Contain(f => f.Check.Name == "NoExceptions", report.ToString())
            .Which.Found.Should().Contain(message);
    }

    [Fact]
    public void Prepare_RunsBeforeEachScript_AndWhatFaultsInItIsFound()
    {
        var count = 0;
        var options = With(typeof(ThrowingWidgets)) with
        {
            Scripts = 3, StepsMax = 1, Prepare = (_, obj) =>
            {
                count++;
                obj.Programs["keep"].TestRun(BitConverter.GetBytes(7));
            },
        };
        var report = ProgramTest.Run(() => Open("widget"), options);
        count.Should().BeGreaterThan(12, "four kernels, three scripts");
        var failure = report.Failures.Should().ContainSingle(report.ToString()).Which;
        failure.Check.Name.Should().Be("NoFaults");
        failure.Script.Should().BeEmpty();

        var thrown = () => ProgramTest.Run(
            () => Open("seats"), new() { Prepare = (_, _) => throw new InvalidOperationException("not now") });
        thrown.Should().Throw<InvalidOperationException>().WithMessage("not now");
    }

    [Fact]
    public void MapThatIsNeverFreed_IsFound()
    {
        var report = ProgramTest.Run(
            () => Open("widget"), WithMap((kernel, spec) => new NeverFreedMap(kernel, spec)));
        var failure = report.Failures.Should().ContainSingle(report.ToString()).Which;
        failure.Check.Name.Should().Be("AllReturned");
        failure.Found.Should().Contain("map \"slots\", key").And.Contain("widget_create at keep insn");
    }

    [Fact]
    public void ProgramThatTakesNewElementsForEmpty_IsFoundWhereSlotsAreRecycled()
    {
        var report = ProgramTest.Run(() => Open("seats"), new() { Scripts = 20 });
        var failure = report.Failures.Should().ContainSingle(report.ToString()).Which;
        failure.Check.Name.Should().Be("SamePolicies");
        failure.Kernels.Should().Equal(
            "linux-6.12, policies Eager and Recycle", "linux-7.2, policies Eager and Recycle");
        failure.Found.Should().Contain("0 under Eager, 1 under Recycle").And.Contain("recycled slot");
        failure.Script.Should().HaveCountLessThan(7)
            .And.Contain(line => line.Contains("\"sit_down\"", StringComparison.Ordinal));
        Show("seats", report);
    }

    /// <summary>docs/testing-your-program.md: its program, its test and what that prints.</summary>
    [Fact]
    public void Page_ShowsWhatIsTestedHere_AndWhatItFinds()
    {
        string[] blocks = [.. File.ReadAllText(PathOf("docs", "testing-your-program.md")).Split("```")
            .Where((_, i) => i % 2 == 1)];
        var source = File.ReadAllText(PathOf("tests", "data", "run", "seats.bpf.c"));
        string[] programs = [.. blocks.Where(b => b.StartsWith("c\n", StringComparison.Ordinal)).Select(b => b[2..])];
        programs.Should().HaveCount(2).And.OnlyContain(text => source.Contains(text));
        blocks.Should().ContainSingle(b => b.StartsWith("csharp", StringComparison.Ordinal)).Which.Should().Be(
            "csharp\n" + File.ReadAllText(PathOf("tests", "Kptr.Testing.Tests", "Programs", "Seats.cs")));
        var check = () => Seats.Check(PathOf("tests", "data", "run", "seats.bpf.o"));
        var report = check.Should().Throw<ProgramTestException>().Which.Report!;
        blocks.Should().Contain($"\n{report.Failures.Should().ContainSingle().Subject}\n");
        Seats.CheckOne(
            PathOf("tests", "data", "run", "widget.bpf.o"), "keep", typeof(SoundWidgets), Widget.Declarations);
    }

    [Fact]
    public void Seed_MakesTheSameReport_AndAFailuresSeedTheFailure()
    {
        var options = With(typeof(LeakyWidgets)) with { Scripts = 10 };
        var first = ProgramTest.Run(() => Open("widget"), options);
        ProgramTest.Run(() => Open("widget"), options).ToString().Should().Be(first.ToString());
        foreach (var failure in first.Failures)
        {
            var again = ProgramTest.Run(() => Open("widget"), options with { Scripts = 1, Seed = failure.Seed });
            again.Failures.Should().ContainSingle(f => f.Check == failure.Check)
                .Which.ToString().Should().Be(failure.ToString());
        }
    }

    [Fact]
    public void Object_ThatAKernelRefuses_IsAFailureWhateverChecksAreAsked()
    {
        var report = ProgramTest.Run(() => Open("widget"), new() { Only = ["NoFaults"] });
        report.IsSound.Should().BeFalse();
        report.Passed.Should().BeEmpty("nothing ran");
        report.Failures.Should().ContainSingle(report.ToString()).Which.Should().Match<ProgramTestFailure>(
            f => f.Check.Name == "Loads" && f.Kernels.Count == 4 && f.Found.Contains("widget_create"));
        var check = () => ProgramTest.Check(() => Open("widget"));
        check.Should().Throw<ProgramTestException>().Which.Report!.IsSound.Should().BeFalse();
    }

    [Fact]
    public void SamePolicies_IsNotSaidToPass_WhereOnlyOneIsNamed()
    {
        var report = ProgramTest.Check(
            () => Open("seats"), new() { Scripts = 3, Policies = [DestroyBehavior.Eager] });
        report.Passed.Should().BeEquivalentTo(ProgramTest.Checks.Where(c => c.Name != "SamePolicies"));
    }

    [Fact]
    public void ProgramThatNothingRuns_IsRemarked()
    {
        var report = ProgramTest.Run(() => Open("hooks"), new() { Scripts = 10 });
        report.Remarks.Should().Contain(
            r => r.StartsWith("\"first\" not run: argument 0 of file_open", StringComparison.Ordinal),
            report.ToString());
        report.IsSound.Should().BeTrue(report.ToString());
        Show("hooks", report);
    }

    [Fact]
    public void WrongNames_AreErrorsThatNameNearOnes()
    {
        Run(new() { Only = ["NoFault"] }).Should().Throw<ArgumentException>().WithMessage("*NoFault*NoFaults*");
        Run(new() { Faults = ["aquire"] }).Should().Throw<ArgumentException>().WithMessage("*aquire*\"acquire\"*");
        Run(new() { Profiles = [] }).Should().Throw<ArgumentException>().WithMessage("*no kernel*");
        Run(new() { Load = new() { Reuse = new Dictionary<string, BpfMap> { ["seats"] = null! } } })
            .Should().Throw<ArgumentException>().WithMessage("*Reuse*");

        static Action Run(ProgramTestOptions options) => () => ProgramTest.Run(() => Open("seats"), options);
    }

    [Fact]
    public void EveryCheck_IsBrokenInSomeTest() =>
        Broken.Select(row => (string)row[1]).Concat(["SamePolicies", "NoExceptions", "AllReturned", "Loads"]).Distinct()
            .Should().BeEquivalentTo(ProgramTest.Checks.Select(c => c.Name));

    private static ProgramTestOptions With(Type kfuncs) => new()
    {
        Kernel = new() { Declarations = Widget.Declarations, Kfuncs = KfuncRegistry.Builtin.With(kfuncs) },
    };

    private static ProgramTestOptions WithMap(MapMaker make) => With(typeof(SoundWidgets)) with
    {
        Scripts = 20, Faults = [], Load = new() { Make = new Dictionary<string, MapMaker> { ["slots"] = make } },
    };

    private static BpfObject Open(string name) =>
        BpfObject.Open(PathOf("tests", "data", name == "arena" ? "elf" : "run", name + ".bpf.o"));

    private static string PathOf(params ReadOnlySpan<string> parts) => Path.Combine([RepoRoot.Path, .. parts]);

    private static void Show(string name, ProgramTestReport report)
    {
        if (Environment.GetEnvironmentVariable("KPTR_SHOW_REPORTS") is { } folder)
        {
            File.WriteAllText(Path.Combine(folder, $"{name}.txt"), report.ToString());
        }
    }
}
