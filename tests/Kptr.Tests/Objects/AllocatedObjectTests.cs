using Kptr.Btf;
using Kptr.Kfuncs;
using Kptr.Objects;

namespace Kptr.Tests.Objects;

public class AllocatedObjectTests
{
    private static readonly BtfField TaskField = new(BtfFieldKind.KptrRef, "task", 0, 8) { Dtor = "bpf_task_release" };
    private static readonly BtfField CountersField = new(BtfFieldKind.KptrPercpu, "counters", 8, 8)
    {
        IsLocalPointee = true,
    };

    [Theory]
    [InlineData(LedgerLevel.Counts)]
    [InlineData(LedgerLevel.Sites)]
    public void Drop_GivesBackWhatTheFieldsOwn_AtOnce(LedgerLevel level)
    {
        using var core = TestKernel.Boot(level);
        var run = new FakeRun();
        var task = core.Tasks.Fork(core.Tasks.Init);                            // rcu_users 2
        var stash = core.NewObject(AllocatedTypes.Stash, new BtfRecord([TaskField, CountersField]));
        core.Ledger.AcquiredByRun(stash, run);
        var counters = core.NewPercpuObject(AllocatedTypes.Counters);
        core.Ledger.AcquiredByRun(counters, run);
        task.TryAcquireCount();                                                 // 3
        core.Ledger.AcquiredByRun(task, run);
        core.Ledger.ExchangeFromRun(stash.Address, task.Address, run).Should().Be(0);
        core.Ledger.ExchangeFromRun(stash.Address + 8, counters.Address, run).Should().Be(0);
        ProgramRefs.Release(stash, run);
        task.Count.Value.Should().Be(2, "fields are freed at once");
        stash.IsFreed.Should().BeFalse("memory follows after a grace period");
        core.Quiesce();
        (stash.IsFreed, counters.IsFreed).Should().Be((true, true));
        core.Ledger.AssertAllReturned();
    }

    [Theory]
    [InlineData(LedgerLevel.Counts)]
    [InlineData(LedgerLevel.Sites)]
    public void Drop_CallsADestructorOfTheUsersOwn_Once(LedgerLevel level)
    {
        var calls = new List<ulong>();
        using var core = new KernelModel(new()
        {
            Kfuncs = KfuncRegistry.Builtin.Around("bpf_task_release", body => (ctx, r1, r2, r3, r4, r5) =>
            {
                calls.Add(r1);
                return body(ctx, r1, r2, r3, r4, r5);
            }),
            LedgerLevel = level,
            Driver = DeferredDriver.Manual,
        });
        var run = new FakeRun();
        var task = core.Tasks.Fork(core.Tasks.Init);                            // rcu_users 2
        var stash = core.NewObject(AllocatedTypes.Stash, new BtfRecord([TaskField]));
        core.Ledger.AcquiredByRun(stash, run);
        task.TryAcquireCount();                                                 // 3
        core.Ledger.AcquiredByRun(task, run);
        core.Ledger.ExchangeFromRun(stash.Address, task.Address, run);
        ProgramRefs.Release(stash, run);
        calls.Should().Equal(task.Address);
        task.Count.Value.Should().Be(2);
        core.Quiesce();
        calls.Should().ContainSingle();
        core.Ledger.AssertAllReturned();
    }

    [Fact]
    public void PercpuObject_HasACopyForEveryCpu()
    {
        using var core = TestKernel.Boot();
        var counters = core.NewPercpuObject(AllocatedTypes.Counters);
        counters.SizeBytes.Should().Be(8 * core.CpuCount);
        (counters.CopyOf(1) - counters.CopyOf(0)).Should().Be(8);
        core.Heap.TryFindRegion(counters.CopyOf(1), 8, out var region).Should().BeTrue();
        region.Object.Should().BeSameAs(counters);
        KernelRef.Own(counters).Release();
        core.Quiesce();
        core.Ledger.AssertAllReturned();
    }

    [Fact]
    public void WhoPins_AFieldOfAnObject_NamesTheObject()
    {
        using var core = TestKernel.Boot(LedgerLevel.Sites);
        var run = new FakeRun();
        var task = core.Tasks.Fork(core.Tasks.Init);
        var stash = core.NewObject(AllocatedTypes.Stash, new BtfRecord([TaskField]));
        core.Ledger.AcquiredByRun(stash, run);
        task.TryAcquireCount();
        core.Ledger.AcquiredByRun(task, run);
        core.Ledger.ExchangeFromRun(stash.Address, task.Address, run);
        var holder = core.Ledger.WhoPins(task).Users.Should().ContainSingle().Subject.Holder;
        holder.Should().BeOfType<ObjectHolder>().Which.Field.Should().Be("task");
    }
}
