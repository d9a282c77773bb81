using Kptr.Diagnostics;
using Kptr.Objects;

namespace Kptr.Tests.Objects;

public class RcuTests
{
    [Fact]
    public void Callback_RunsAfterTheReadersThatWereOpen_AndNotForLaterOnes()
    {
        using var core = TestKernel.Boot();
        List<string> log = [];
        using var opened = new ManualResetEventSlim();
        using var close = new ManualResetEventSlim();
        var reader = new Thread(() =>
        {
            using (core.Rcu.ReadLock())
            {
                opened.Set();
                close.Wait();
            }
        });
        reader.Start();
        opened.Wait();
        core.Rcu.Call(_ => log.Add("old"), core, "old");
        core.Rcu.Step().Should().Be(0, "the other thread's reader holds it up");
        using (core.Rcu.ReadLock())
        {
            close.Set();
            reader.Join();
            core.Rcu.Step().Should().Be(1, "this reader began after the grace period");
        }

        log.Should().Equal("old");
    }

    [Fact]
    public void Readers_Nest()
    {
        using var core = TestKernel.Boot();
        var ran = false;
        using (core.Rcu.ReadLock())
        {
            using (core.Rcu.ReadLock())
            {
                core.Rcu.Call(_ => ran = true, core, "x");
            }

            core.Rcu.IsReader.Should().BeTrue();
            core.Rcu.Step();
            ran.Should().BeFalse();
        }

        core.Rcu.IsReader.Should().BeFalse();
        core.Rcu.Step();
        ran.Should().BeTrue();
    }

    [Fact]
    public void Callbacks_MayQueueMore_WhichWaitForTheNextGracePeriod()
    {
        using var core = TestKernel.Boot();
        List<int> log = [];
        core.RcuTrace.Call(
            _ =>
            {
                log.Add(1);
                core.Rcu.Call(_ => log.Add(2), core, "second");
            },
            core,
            "first");
        core.Rcu.Step().Should().Be(0);
        core.RcuTrace.Step().Should().Be(1);
        log.Should().Equal(1);
        core.Rcu.Step().Should().Be(1);
        log.Should().Equal(1, 2);
    }

    [Fact]
    public void Synchronize_InsideAReader_IsAReportedFaultAndReturns()
    {
        using var core = TestKernel.Boot();
        using (core.Rcu.ReadLock())
        {
            core.Rcu.Synchronize();
            core.Quiesce();
        }

        core.TakeFaults().Select(f => f.Code).Should().Equal(DiagCode.WaitInsideReader, DiagCode.WaitInsideReader);
        core.Rcu.Synchronize();
        core.Faults.Should().BeEmpty();
    }

    [Fact]
    public void TraceReaders_MaySleep_AndHoldOnlyTheirOwnFlavourUp()
    {
        using var core = TestKernel.Boot();
        using (core.RcuTrace.ReadLock())
        {
            core.Rcu.Synchronize();
            core.Faults.Should().BeEmpty();
            core.RcuTrace.Synchronize();
            core.TakeFaults().Should().ContainSingle().Which.Code.Should().Be(DiagCode.WaitInsideReader);
        }
    }

    [Theory]
    [InlineData(ExecContext.Nmi)]
    [InlineData(ExecContext.HardIrq)]
    [InlineData(ExecContext.SoftIrq)]
    public void Synchronize_InInterruptContext_IsAReportedFault(ExecContext context)
    {
        using var core = TestKernel.Boot();
        using (core.EnterContext(context))
        {
            core.Rcu.Synchronize();
        }

        core.TakeFaults().Should().ContainSingle().Which.Code.Should().Be(DiagCode.SleepInAtomic);
        core.Context.Should().Be(ExecContext.Process);
    }

    [Fact]
    public void Unlock_WithoutALock_IsAReportedFault()
    {
        using var core = TestKernel.Boot();
        core.Rcu.TryLeave().Should().BeFalse();
        core.TakeFaults().Should().ContainSingle().Which.Code.Should().Be(DiagCode.UnbalancedUnlock);
    }

    [Fact]
    public void Background_FreesWithoutAnybodyAsking()
    {
        using var core = TestKernel.Boot(driver: DeferredDriver.Background);
        using var ran = new ManualResetEventSlim();
        core.Rcu.Call(_ => core.Work.Enqueue(_ => ran.Set(), core, "work"), core, "rcu");
        ran.Wait(TimeSpan.FromSeconds(60)).Should().BeTrue();
    }

    [Fact]
    public void WorkAndIrqWork_RunInTheirContexts_InOrder()
    {
        using var core = TestKernel.Boot();
        List<ExecContext> seen = [];
        core.Work.Enqueue(_ => seen.Add(core.Context), core, "w");
        core.IrqWork.Enqueue(_ => seen.Add(core.Context), core, "i");
        core.Rcu.Call(_ => seen.Add(core.Context), core, "r");
        core.Deferred.PendingCount.Should().Be(3);
        core.Quiesce();
        seen.Should().Equal(ExecContext.HardIrq, ExecContext.Process, ExecContext.SoftIrq);
    }

    [Fact]
    public void Quiesce_InsideDeferredWork_IsAReportedFault()
    {
        using var core = TestKernel.Boot();
        core.Work.Enqueue(_ => core.Quiesce(), core, "w");
        core.Quiesce();
        core.TakeFaults().Should().ContainSingle().Which.Code.Should().Be(DiagCode.WaitInsideReader);
    }

    [Theory]
    [InlineData(DeferredDriver.Manual)]
    [InlineData(DeferredDriver.Background)]
    public void Callback_ThatThrows_IsSeenByTheNextQuiesce_AndKeepsNoOtherFromRunning(DeferredDriver driver)
    {
        using var core = TestKernel.Boot(driver: driver);
        var ran = 0;
        using (core.Rcu.ReadLock())
        {
            core.Rcu.Call(_ => throw new InvalidOperationException("destructor"), core, "a");
            core.Rcu.Call(_ => Interlocked.Increment(ref ran), core, "b");
        }

        var quiesce = () =>
        {
            core.Quiesce();
            core.Quiesce();
        };
        quiesce.Should().Throw<InvalidOperationException>().WithMessage("destructor");
        core.Quiesce();
        ran.Should().Be(1);
        core.Deferred.PendingCount.Should().Be(0);
    }

    [Fact]
    public void SpinLock_TakenTwiceByOneThread_IsAReportedFault()
    {
        using var core = TestKernel.Boot();
        var at = core.Heap.AllocateBlock("lock", 8);
        KernelSpinLock.Lock(core, at).Should().BeTrue();
        KernelSpinLock.Lock(core, at).Should().BeFalse();
        core.MightSleep("x").Should().BeFalse();
        KernelSpinLock.Unlock(core, at).Should().BeTrue();
        KernelSpinLock.Unlock(core, at).Should().BeFalse();
        core.TakeFaults().Select(f => f.Code).Should().Equal(
            DiagCode.LockRecursion, DiagCode.SleepInAtomic, DiagCode.UnbalancedUnlock);
    }
}
