using Kptr.Diagnostics;
using Kptr.Objects;

namespace Kptr.Tests.Objects;

/// <summary>What the heart of a kernel refuses, where it may sleep, and how its faults are made known.</summary>
public class KernelCoreTests
{
    [Fact]
    public void Options_ThatMakeNoKernel_AreRefused()
    {
        KernelCoreOptions[] wrong =
        [
            new() { CpuCount = 0 }, new() { CpuCount = TestKernel.Spec.CpuIds + 1 }, new() { PossibleCpus = [1] },
            new() { PossibleCpus = [0, 2] }, new() { PossibleCpus = [-1, 0] }, new() { Driver = (DeferredDriver)9 },
            new() { LedgerLevel = (LedgerLevel)9 },
        ];
        foreach (var options in wrong)
        {
            var boot = () => new KernelCore(TestKernel.Spec, options);
            boot.Should().Throw<ArgumentOutOfRangeException>(options.ToString());
        }

        FluentActions.Invoking(() => new KernelCore(null!)).Should().Throw<ArgumentNullException>();
        using var core = new KernelCore(TestKernel.Spec, new() { CpuCount = 4, PossibleCpus = [2, 0, 2] });
        core.PossibleCpus.Should().Equal(0, 2);
        core.ToString().Should().Be("kernel linux-6.12 (4 CPUs, Eager maps)");
        core.CurrentCpu = 2;
        core.CurrentCpu.Should().Be(2);
        foreach (var cpu in new[] { -1, 1, 3, 4 })
        {
            core.Invoking(c => c.CurrentCpu = cpu).Should().Throw<ArgumentOutOfRangeException>();
        }

        using var plain = new KernelCore(TestKernel.Spec);
        plain.PossibleCpus.Should().Equal(0, 1);
        plain.Options.ToString().Should().Be("2 CPUs, ledger Counts, deferred work Background");
    }

    [Fact]
    public void MightSleep_SaysWhatForbidsIt()
    {
        using var core = TestKernel.Boot();
        var thread = core.Thread;
        core.MightSleep("x").Should().BeTrue();
        using (core.Rcu.ReadLock())
        {
            core.MightSleep("x").Should().BeFalse();
        }

        using (core.RcuTrace.ReadLock())
        {
            core.MightSleep("x").Should().BeTrue();
        }

        using (core.EnterContext(ExecContext.SoftIrq))
        {
            core.MightSleep("x").Should().BeFalse();
        }

        thread.PreemptDepth++;
        core.MightSleep("x").Should().BeFalse();
        thread.PreemptDepth--;
        thread.IrqOffDepth++;
        core.MightSleep("x").Should().BeFalse();
        thread.IrqOffDepth--;
        thread.LockDepth++;
        core.MightSleep("x").Should().BeFalse();
        thread.LockDepth--;
        core.MightSleep("x").Should().BeTrue();
        core.TakeFaults().Select(f => f.Message).Should().Equal(
            "x may sleep, inside an RCU reader", "x may sleep, in SoftIrq context",
            "x may sleep, with preemption disabled", "x may sleep, with interrupts disabled",
            "x may sleep, with a spin lock held");
        core.Context.Should().Be(ExecContext.Process);
        default(ContextScope).Dispose();
    }

    [Fact]
    public void Faults_AreMadeKnownOnce_AndWhatHandlersThrowComesLater()
    {
        using var core = TestKernel.Boot();
        List<string> heard = [];
        core.FaultReported += (sender, fault) =>
        {
            sender.Should().BeSameAs(core);
            heard.Add(fault.Message);
            core.Report(new(DiagCode.GraphCorrupt, $"of a handler, about {fault.Message}"));
            throw new FormatException(fault.Message);
        };
        core.FaultReported += (_, fault) => heard.Add($"2: {fault.Message}");

        core.Report(new(DiagCode.GraphCorrupt, "one"));
        heard.Should().Equal("one", "2: one");
        core.Faults.Select(f => f.Message).Should().Equal("one", "of a handler, about one");
        core.Invoking(c => c.Quiesce()).Should().Throw<FormatException>().WithMessage("one");
        heard.Clear();

        core.Thread.LockDepth++;
        core.Report(new(DiagCode.GraphCorrupt, "under a lock"));
        core.Thread.LockDepth--;
        core.Faults.Should().HaveCount(3);
        heard.Should().BeEmpty();
        core.Deferred.PendingCount.Should().Be(1);
        core.Invoking(c => c.Quiesce()).Should().Throw<FormatException>();
        heard.Should().Equal("under a lock", "2: under a lock");
        core.TakeFaults().Should().HaveCount(4);
        core.Faults.Should().BeEmpty();
        core.Report(new(DiagCode.GraphCorrupt, "later"));
        heard[^1].Should().Be("2: later");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Faults_HeldBack_AreMadeKnownByTheOutermostHold(bool throwOnFault)
    {
        using var core = TestKernel.Boot(throwOnFault: throwOnFault);
        List<string> heard = [];
        core.FaultReported += (_, fault) => heard.Add(fault.Message);
        var hold = () =>
        {
            using var outer = core.HoldFaults();
            using (core.HoldFaults())
            {
                core.Report(new(DiagCode.GraphCorrupt, "one"));
            }

            core.Report(new(DiagCode.GraphCorrupt, "two"));
            heard.Should().BeEmpty();
            core.Faults.Should().HaveCount(2);
        };
        if (throwOnFault)
        {
            hold.Should().Throw<KernelFaultException>()
                .Which.Faults.Select(f => f.Message).Should().Equal("one", "two");
        }
        else
        {
            hold();
        }

        heard.Should().Equal("one", "two");
        using (core.HoldFaults())
        {
        }

        heard.Should().HaveCount(2);
        core.Thread.LockDepth++;
        var underLock = () => core.Report(new(DiagCode.GraphCorrupt, "three"));
        if (throwOnFault)
        {
            underLock.Should().Throw<KernelFaultException>();
        }
        else
        {
            underLock();
        }

        core.Thread.LockDepth--;
        heard.Should().HaveCount(throwOnFault ? 3 : 2);
        core.FaultDesk.ReportLate(new(DiagCode.GraphCorrupt, "late"));
        core.Quiesce();
        heard[^1].Should().Be("late", "and it is thrown to nobody");
    }

    [Fact]
    public void Faults_WithoutEnd_AreKeptUpToABound()
    {
        using var core = TestKernel.Boot();
        var heard = 0;
        core.FaultReported += (_, _) => heard++;
        for (var i = 0; i < 10_001; i++)
        {
            core.FaultDesk.ReportLate(new(DiagCode.GraphCorrupt, "again"));
        }

        core.Faults.Should().HaveCount(10_000);
        core.Deferred.PendingCount.Should().Be(10_000);
        core.Quiesce();
        heard.Should().Be(10_000);
        core.FaultDesk.ReportLate(new(DiagCode.GraphCorrupt, "again"));
        core.Quiesce();
        heard.Should().Be(10_001);
        core.Invoking(c => c.Report(null!)).Should().Throw<ArgumentNullException>();
    }

    [Fact]
    public void Single_IsMadeOnce_AndWhatIsTooMuchIsDisposedOf()
    {
        using var core = TestKernel.Boot();
        var first = core.Single(_ => new Closing());
        core.Single<Closing>(_ => throw new InvalidOperationException("it is there")).Should().BeSameAs(first);
        core.Invoking(c => c.Single<string>(null!)).Should().Throw<ArgumentNullException>();
        var late = new Late();
        var early = new Late();
        core.Single(c =>
        {
            c.Single(_ => early).Should().BeSameAs(early);
            return late;
        }).Should().BeSameAs(early);
        (late.IsClosed, early.IsClosed).Should().Be((true, false));
    }

    [Fact]
    public void Scopes_EndInTheirOrder_OnTheirThread()
    {
        using var core = TestKernel.Boot();
        var outer = core.EnterProgram("outer");
        var inner = core.EnterProgram("inner");
        (inner.RunId, outer.ToString()).Should().Be((outer.RunId + 1, $"scope \"outer\" (run {outer.RunId}, open)"));
        outer.Invoking(o => o.Dispose()).Should().Throw<InvalidOperationException>().WithMessage(
            "scope \"outer\" ends before those inside it: \"inner\"");
        Exception? elsewhere = null;
        var other = new Thread(() => elsewhere = Record.Exception(inner.Dispose));
        other.Start();
        other.Join();
        elsewhere.Should().BeOfType<InvalidOperationException>().Which.Message.Should().Be(
            "scope \"inner\" ends on a thread that did not enter it");
        core.Ledger.IsFollowing.Should().BeTrue();
        inner.Dispose();
        inner.Dispose();
        core.CurrentScope.Should().BeSameAs(outer);
        core.Ledger.IsFollowing.Should().BeTrue();
        outer.Dispose();
        core.Ledger.IsFollowing.Should().BeFalse();
        core.CurrentScope.Should().BeNull();
        inner.ToString().Should().EndWith("ended)");
        core.Invoking(c => c.EnterProgram(new string('x', 512))).Should().Throw<ArgumentException>().WithMessage(
            "512 characters are too many: 511 at most*");
    }

    [Fact]
    public void Failures_ThatComeTogether_AreAllThrown_UpToABound()
    {
        using var core = TestKernel.Boot();
        for (var i = 0; i < 102; i++)
        {
            core.Deferred.Fail(new FormatException($"{i}"));
        }

        core.Invoking(c => c.Quiesce()).Should().Throw<AggregateException>()
            .WithMessage("deferred work or handlers failed*")
            .Which.InnerExceptions.Select(e => e.Message).Should().Equal(Enumerable.Range(0, 100).Select(i => $"{i}"));
        core.Quiesce();

        var failures = default(Failures);
        failures.ThrowIfAny();
        failures.Add(core, new FormatException("first"));
        failures.Add(core, new FormatException("second"));
        FluentActions.Invoking(failures.ThrowIfAny).Should().Throw<FormatException>().WithMessage("first");
        core.Invoking(c => c.Quiesce()).Should().Throw<FormatException>().WithMessage("second");
    }

    [Fact]
    public void Queues_SayWhatWaits()
    {
        using var core = TestKernel.Boot();
        var (a, b) = (new object(), new object());
        core.Rcu.Call(_ => { }, a, "free_a");
        core.Work.Enqueue(_ => { }, a, "work_a");
        core.Work.Enqueue(_ => { }, b, "work_b");
        core.Rcu.ToString().Should().Be("rcu: 0 grace periods, 1 callbacks wait");
        core.Work.ToString().Should().Be("workqueue: 2 items wait");
        core.Deferred.Waiting().Should().BeEquivalentTo(new Dictionary<object, DeferredHolder>
        {
            [a] = new("rcu", "free_a"), [b] = new("workqueue", "work_b"),
        });
        using (core.Rcu.ReadLock())
        {
            core.Rcu.Step().Should().Be(0, "this thread reads");
            core.Rcu.PendingCount.Should().Be(1);
            core.Deferred.Waiting()[a].Should().Be(new DeferredHolder("rcu", "free_a"));
        }

        core.Rcu.Step().Should().Be(1);
        core.Rcu.Step().Should().Be(0);
        core.Rcu.Sequence.Should().Be(1);
        core.Work.Step().Should().BeTrue();
        core.Work.Step().Should().BeTrue();
        core.Work.Step().Should().BeFalse();
        core.Deferred.PendingCount.Should().Be(0);
    }

    private sealed class Closing;

    private sealed class Late : IDisposable
    {
        internal bool IsClosed { get; private set; }

        public void Dispose() => IsClosed = true;
    }
}
