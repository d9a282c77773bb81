using CustomMap;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Public.Tests.Maps;

/// <summary>The sample's map type, under both destroy policies.</summary>
public class TimeWindowMapTests
{
    [Theory]
    [InlineData(DestroyBehavior.Eager)]
    [InlineData(DestroyBehavior.Recycle)]
    public void Expire_TaskOutOfTheWindow_IsReleasedOnceAtTheLatestWithTheMap(DestroyBehavior policy)
    {
        var clock = new VirtualClock();
        using var core = Boot(policy, clock);
        var map = new TimeWindowMap(core, "window", 4, TimeSpan.FromMilliseconds(10));
        var task = core.Tasks.Fork(core.Tasks.Init);
        See(map, task);
        core.Tasks.Exit(task);
        core.Tasks.Reap(task);
        core.Quiesce();
        task.IsFreed.Should().BeFalse("the window holds it");
        core.Ledger.WhoPins(task).ToString().Should().Contain("map \"window\"");
        clock.Advance(TimeSpan.FromMilliseconds(10));
        map.Expire().Should().Be(0);
        core.Quiesce();
        task.IsFreed.Should().Be(policy == DestroyBehavior.Eager);
        map.TakeCensus().IsComplete.Should().BeTrue();
        map.FreeNow();
        core.Quiesce();
        task.IsFreed.Should().BeTrue();
        core.Ledger.AssertNoLeaks();
    }

    [Fact]
    public void Update_FullWindow_GivesNothingUntilSomethingLeaves()
    {
        var clock = new VirtualClock();
        using var core = Boot(DestroyBehavior.Eager, clock);
        using var map = new TimeWindowMap(core, "window", 2, TimeSpan.FromMilliseconds(10));
        map.UpdateElem(BitConverter.GetBytes(1), new byte[16]).Should().Be(Errno.None);
        map.UpdateElem(BitConverter.GetBytes(2), new byte[16]).Should().Be(Errno.None);
        map.UpdateElem(BitConverter.GetBytes(3), new byte[16]).Should().Be(Errno.E2BIG);
        map.DeleteElem(BitConverter.GetBytes(1)).Should().Be(Errno.None);
        map.DeleteElem(BitConverter.GetBytes(1)).Should().Be(Errno.ENOENT);
        map.UpdateElem(BitConverter.GetBytes(3), new byte[16]).Should().Be(Errno.None);
        clock.Advance(TimeSpan.FromMilliseconds(20));
        map.LookupElem(BitConverter.GetBytes(3), new byte[16]).Should().Be(Errno.ENOENT);
        map.TakeCensus().Free.Should().Be(2);
    }

    [Theory]
    [InlineData(DestroyBehavior.Eager)]
    [InlineData(DestroyBehavior.Recycle)]
    public void TypedOperations_CustomMap_WorkAsOnOurs(DestroyBehavior policy)
    {
        using var core = Boot(policy, new VirtualClock());
        var map = new TimeWindowMap(core, "window", 4, TimeSpan.FromMilliseconds(10));
        map.Update(3, new SeenTask { Times = 2 }).Should().Be(Errno.None);
        map.Update(3, new SeenTask { Times = 3 }, MapUpdateFlags.NoExist).Should().Be(Errno.EEXIST);
        See(map, core.Tasks.Init);
        map.Update(core.Tasks.Init.Pid, new SeenTask { Times = 7 }).Should().Be(Errno.None);
        using (core.Rcu.ReadLock())
        {
            map.Lookup(core.Tasks.Init.Pid).Task.IsNull.Should().Be(
                policy == DestroyBehavior.Eager, "the task rides along where values are recycled");
        }

        map.Snapshot().Select(e => (e.Key, e.Value.Times)).Should().BeEquivalentTo(
            [(3, 2UL), (core.Tasks.Init.Pid, 7UL)]);
        var sum = 0UL;
        map.Visit((in int pid, ref SeenTask seen) =>
        {
            sum += seen.Times + (ulong)pid;
            return true;
        }).Should().Be(2);
        sum.Should().Be(2 + 3 + 7 + (ulong)core.Tasks.Init.Pid);
        map.FreeNow();
        core.Ledger.AssertNoLeaks();
    }

    private static void See(TimeWindowMap map, TaskStruct task)
    {
        using var reader = map.Core.Rcu.ReadLock();
        map.LookupOrInit(task.Pid).Task.Exchange(task.TryAcquire())?.Release();
    }

    private static KernelModel Boot(DestroyBehavior policy, VirtualClock clock) => PublicKernel.Boot(policy, clock);
}
