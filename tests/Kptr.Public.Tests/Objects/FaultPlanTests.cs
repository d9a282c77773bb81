using Kptr.Diagnostics;
using Kptr.Execution;
using Kptr.Isa;
using Kptr.Kfuncs;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Public.Tests.Objects;

/// <summary>
/// Linux's rare failures, made to happen by name: by the n-th pass, by seed, at points of a user's own.
/// </summary>
public class FaultPlanTests
{
    private const string MakeOne = """
        call bpf_cpumask_create
        if r0 == 0 goto none
        r1 = r0
        call bpf_cpumask_release
        r0 = 0
        exit
        none:
        r0 = 7
        exit
        """;

    // bpf_cpumask_acquire never returns null, and the program does not ask.
    private const string ShareOne = """
        call bpf_cpumask_create
        if r0 == 0 goto none
        r6 = r0
        r1 = r6
        call bpf_cpumask_acquire
        r1 = r0
        call bpf_cpumask_release
        r1 = r6
        call bpf_cpumask_release
        none:
        r0 = 0
        exit
        """;

    public static TheoryData<ExecEngine> Engines => [.. Enum.GetValues<ExecEngine>()];

    [Theory, MemberData(nameof(Engines))]
    public void Call_ThatIsNamed_FailsTheNthTime(ExecEngine engine)
    {
        var plan = new FaultPlan().Fail("bpf_cpumask_create", nth: 2);
        using var kernel = Boot(plan, engine);
        var prog = ProgText.Load(kernel, MakeOne);

        Enumerable.Range(0, 3).Select(_ => prog.TestRun().ReturnValue).Should().Equal(0, 7, 0);

        var failure = plan.Injected.Should().ContainSingle().Subject;
        failure.Should().BeEquivalentTo(new { Name = "bpf_cpumask_create", Nth = 2L, Subject = "prog" });
        failure.Site.Insn.Should().Be(0);
        Settle(kernel);
    }

    // Linux 7.2 knows that the value is there, and the program does not ask.
    [Theory, MemberData(nameof(Engines))]
    public void LookupInAnArray_ThatCannotMiss_DoesNotFail(ExecEngine engine)
    {
        var counts = new MapSpec("counts", BpfMapType.Array) { KeySize = 4, ValueSize = 8, MaxEntries = 4 };
        BpfInsn[] insns = [.. TextAssembler.Assemble("""
            r1 = 0
            *(u32 *)(r10 - 8) = r1
            r2 = r10
            r2 += -8
            r1 = 0 ll
            call bpf_map_lookup_elem
            r0 = *(u64 *)(r0 + 0)
            exit
            """).Insns];
        insns[4] = new(insns[4].Opcode, 1, BpfOp.PseudoMapFd, 0, 0);
        insns[6] = new(insns[6].Opcode, 0, 0, 0, (int)HelperId.MapLookupElem);
        var plan = new FaultPlan().FailAtRandom("bpf_map_lookup_elem", seed: 1, oneIn: 1);
        using var kernel = new KernelModel(new()
        {
            FaultPlan = plan, Engine = engine, Profile = KernelProfile.Linux7_2, Driver = DeferredDriver.Manual,
        });
        var prog = new ProgSpec("prog", ProgType.Syscall, [.. insns])
        {
            SectionName = "syscall", IsSleepable = true, License = "GPL", Maps = [counts],
        };
        using var obj = BpfObject.From(new("text") { Maps = [counts], Progs = [prog] }).Load(kernel);

        obj.Programs["prog"].TestRun().Should().Be(new ProgramResult(0, null));
        plan.InjectedCount.Should().Be(0);
    }

    [Fact]
    public void AllocObject_InAKfunc_GivesTheProgramNull()
    {
        var plan = new FaultPlan();
        using var kernel = Boot(plan);
        var prog = ProgText.Load(kernel, MakeOne);
        plan.Fail("alloc_object", subject: "bpf_cpumask");
        prog.TestRun().Should().Be(new ProgramResult(7, null));
        plan.Injected.Should().ContainSingle().Which.Subject.Should().Be("bpf_cpumask");
        Settle(kernel);
    }

    [Fact]
    public void AllocObject_OfAUsersOwn_ThrowsFromItsConstructor_AndItsKfuncGivesNull()
    {
        var plan = new FaultPlan().Fail("alloc_object", times: 2, subject: "widget");
        using var kernel = Boot(plan);
        var make = () => new OwnObjectTests.Widget(kernel);
        make.Should().Throw<OutOfMemoryException>().WithMessage("*widget*");
        var prog = ProgText.Load(kernel, "r1 = 5\n" + MakeOne.Replace("bpf_cpumask_create", "widget_create",
            StringComparison.Ordinal).Replace("bpf_cpumask_release", "widget_put", StringComparison.Ordinal));
        prog.TestRun().Should().Be(new ProgramResult(7, null));
        prog.TestRun().Should().Be(new ProgramResult(0, null));
        plan.Injected[^1].Site.Insn.Should().Be(1);
        Settle(kernel);
    }

    [Fact]
    public void Acquire_OfTheNamedType_FindsTheLastReferenceGone()
    {
        var plan = new FaultPlan().Fail("acquire", nth: 2, times: 2, subject: "task_struct");
        using var kernel = Boot(plan);
        var task = kernel.Tasks.Fork(kernel.Tasks.Init);
        var cgroup = kernel.Cgroups.Create("a");
        var before = task.Count.Value;

        task.TryAcquire()!.Value.Release();
        cgroup.TryAcquire()!.Value.Release();      // counts for nothing: another type
        task.TryAcquire().Should().BeNull();
        TaskKfuncs.TaskAcquire(task).Should().BeNull();
        task.TryAcquire()!.Value.Release();

        task.Count.Value.Should().Be(before);
        plan.Injected.Select(f => f.Subject).Should().Equal("task_struct", "task_struct");
        plan.Injected.Should().OnlyContain(f => f.Site.File.EndsWith("FaultPlanTests.cs", StringComparison.Ordinal));
        Settle(kernel);
    }

    [Theory, MemberData(nameof(Engines))]
    public void Acquire_InAKfuncThatNeverGivesNull_IsSpared(ExecEngine engine)
    {
        var plan = new FaultPlan().FailAtRandom("acquire", seed: 1, oneIn: 1);
        using var kernel = Boot(plan, engine);
        ProgText.Load(kernel, ShareOne).TestRun().Should().Be(new ProgramResult(0, null));
        plan.Injected.Should().BeEmpty();
        Settle(kernel);
    }

    [Fact]
    public void Saturate_LeaksTheObject_AndIsReported()
    {
        var plan = new FaultPlan();
        using var kernel = Boot(plan);
        var widget = new OwnObjectTests.Widget(kernel);
        var first = KernelRef.Own(widget);                  // usage 1
        plan.Fail("saturate");
        var second = widget.TryAcquire()!.Value;            // saturated
        second.Release();
        first.Release();
        kernel.Quiesce();
        widget.IsFreed.Should().BeFalse("a saturated count never comes to zero");
        widget.Count.Value.Should().Be(RefCount.SaturatedValue);
        kernel.TakeFaults().Should().OnlyContain(f => f.Code == DiagCode.RefCountSaturated);
    }

    [Fact]
    public void AllocElemAndLockBucket_FailTheMapOfThatName()
    {
        var plan = new FaultPlan();
        using var kernel = Boot(plan);
        using var map = new HashMap<int, long>(kernel, 4, name: "mine");
        using var other = new HashMap<int, long>(kernel, 4, name: "other");
        plan.Fail("alloc_elem", subject: "mine").Fail("lock_bucket", nth: 2, subject: "mine");
        Update(other, 1).Should().Be(Errno.None);
        Update(map, 1).Should().Be(Errno.E2BIG);
        Update(map, 1).Should().Be(Errno.EBUSY);
        Update(map, 1).Should().Be(Errno.None);
        plan.Injected.Select(f => f.ToString()).Should().SatisfyRespectively(
            f => f.Should().StartWith("alloc_elem #2 of \"mine\" at FaultPlanTests.cs:"),
            f => f.Should().StartWith("lock_bucket #3 of \"mine\" at FaultPlanTests.cs:"));
    }

    [Theory]
    [InlineData("aquire", "\"acquire\"")]
    [InlineData("alloc", "\"alloc_elem\"")]
    [InlineData("bpf_cpumask_crate", "\"bpf_cpumask_create\"")]
    [InlineData("entirely else", "no name is near it")]
    public void UnknownName_IsAnErrorWithNearOnes_BeforeTheBootAndAfter(string name, string near)
    {
        var before = () => Boot(new FaultPlan().Fail(name));
        before.Should().Throw<ArgumentException>().WithMessage($"*\"{name}\"*{near}*");
        var plan = new FaultPlan();
        using var kernel = Boot(plan);
        var after = () => plan.FailAtRandom(name, 1, 2);
        after.Should().Throw<ArgumentException>().WithMessage($"*\"{name}\"*{near}*");
        var ask = () => plan.ShouldFail(name);
        ask.Should().Throw<ArgumentException>().WithMessage($"*\"{name}\"*{near}*");
    }

    [Fact]
    public void Seed_ChoosesTheSamePasses_WhichReplayByNumber()
    {
        var first = Failing(new FaultPlan().FailAtRandom("acquire", seed: 7, oneIn: 5));
        Failing(new FaultPlan().FailAtRandom("acquire", seed: 7, oneIn: 5)).Should().Equal(first);
        Failing(new FaultPlan().FailAtRandom("acquire", seed: 8, oneIn: 5)).Should().NotEqual(first);
        first.Should().HaveCountGreaterThan(20).And.HaveCountLessThan(80);
        var replay = new FaultPlan();
        first.ForEach(nth => replay.Fail("acquire", nth));
        Failing(replay).Should().Equal(first);
    }

    [Fact]
    public void OwnPoint_IsDeclared_AndFailsAsAsked()
    {
        var plan = new FaultPlan().Declare(new("queue_grow", "a queue has no room to grow")).Fail("queue_grow", nth: 3);
        plan.Points.Should().Contain(p => p.Name == "queue_grow");
        using var kernel = Boot(plan);
        Enumerable.Range(0, 4).Select(_ => kernel.Options.FaultPlan!.ShouldFail("queue_grow", "q")).Should()
            .Equal(false, false, true, false);
        plan.Injected.Should().ContainSingle().Which.Subject.Should().Be("q");
        plan.PassesOf("queue_grow").Should().Be(3, "a plan whose rules are spent counts nothing");
        var twice = () => plan.Declare(new("acquire", "no"));
        twice.Should().Throw<ArgumentException>().WithMessage("*\"acquire\" already*");
    }

    [Fact]
    public void Plan_IsForOneKernel()
    {
        var plan = new FaultPlan();
        using var kernel = Boot(plan);
        var second = () => Boot(plan);
        second.Should().Throw<ArgumentException>().WithMessage("*for one*");
        var wrong = () => plan.Fail("acquire", nth: 0);
        wrong.Should().Throw<ArgumentOutOfRangeException>();
    }

    [Fact]
    public async Task Threads_TogetherFailAsOftenAsAsked()
    {
        var plan = new FaultPlan().Fail("acquire", nth: 100, times: 50);
        using var kernel = Boot(plan);
        var task = kernel.Tasks.Fork(kernel.Tasks.Init);
        var nulls = 0;
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
        {
            for (var i = 0; i < 500; i++)
            {
                if (task.TryAcquire() is { } owned)
                {
                    owned.Release();
                }
                else
                {
                    Interlocked.Increment(ref nulls);
                }
            }
        })));
        nulls.Should().Be(50);
        plan.Injected.Select(f => f.Nth).Should().BeEquivalentTo(Enumerable.Range(100, 50).Select(n => (long)n));
    }

    [Fact]
    public void RuleThatAlwaysFails_KeepsTheLastFailuresAndCountsAll()
    {
        var plan = new FaultPlan().FailAtRandom("acquire", seed: 1, oneIn: 1);
        using var kernel = Boot(plan);
        var task = kernel.Tasks.Fork(kernel.Tasks.Init);
        for (var i = 0; i < 5000; i++)
        {
            task.TryAcquire().Should().BeNull();
        }

        plan.InjectedCount.Should().Be(5000);
        plan.Injected.Select(f => f.Nth).Should().Equal(Enumerable.Range(905, 4096).Select(n => (long)n));
    }

    private static KernelModel Boot(FaultPlan plan, ExecEngine engine = ExecEngine.Auto)
    {
        OwnObjectTests.WidgetKfuncs.Freed.Value = [];
        return new(new KernelModelOptions
        {
            Declarations = OwnObjectTests.Declarations,
            Kfuncs = KfuncRegistry.Builtin.With(typeof(OwnObjectTests.WidgetKfuncs)),
            Driver = DeferredDriver.Manual,
            LedgerLevel = LedgerLevel.Sites,
            FaultPlan = plan,
            Engine = engine,
        });
    }

    private static List<int> Failing(FaultPlan plan)
    {
        using var kernel = Boot(plan);
        var task = kernel.Tasks.Fork(kernel.Tasks.Init);
        for (var i = 0; i < 200; i++)
        {
            task.TryAcquire()?.Release();
        }

        return [.. plan.Injected.Select(f => (int)f.Nth)];
    }

    private static Errno Update(BpfMap map, int key) => map.UpdateElem(BitConverter.GetBytes(key), new byte[8]);

    private static void Settle(KernelModel kernel)
    {
        kernel.Quiesce();
        kernel.TakeFaults().Should().BeEmpty();
        kernel.Ledger.AssertNoLeaks();
    }
}
