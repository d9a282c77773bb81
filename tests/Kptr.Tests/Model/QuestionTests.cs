using Kptr.Diagnostics;
using Kptr.Kfuncs;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Tests.Model;

/// <summary>The questions that people ask about tasks kept in maps, each answered by a test.</summary>
public class QuestionTests
{
    private struct Entry
    {
        public Kptr<TaskStruct> Task;
        public ulong Seen;
    }

    [Fact]
    public void WhatPinsATask_ASlotInAMapDoes_EvenAfterItIsReaped()
    {
        using var kernel = Boot();
        using var tasks = new HashMap<int, Entry>(kernel, 16, "tasks");
        var task = Track(kernel, tasks);                                // rcu_users 3
        kernel.Tasks.Exit(task);                                        // 2: visible, map
        kernel.Tasks.Reap(task);                                        // 1: map
        kernel.Quiesce();
        task.Phase.Should().Be(TaskPhase.Reaped);
        kernel.Tasks.Find(task.Pid).Should().BeNull("its pid is free");
        kernel.Ledger.WhoPins(task).Users.Should().ContainSingle()
            .Which.Holder.Should().Be(new MapHolder("tasks", $"{task.Pid}", "Task"));
        tasks.Delete(task.Pid);
        kernel.Quiesce();
        task.Phase.Should().Be(TaskPhase.Freed);
    }

    [Fact]
    public void WhatDoesAUserSpaceDeleteDo_ItRunsTheDestructor()
    {
        using var kernel = Boot();
        using var tasks = new HashMap<int, Entry>(kernel, 16, "tasks");
        var task = Track(kernel, tasks);
        task.Count.Value.Should().Be(3);
        tasks.DeleteElem(BitConverter.GetBytes(task.Pid)).Should().Be(Errno.None);
        task.Count.Value.Should().Be(2);
    }

    [Fact]
    public void WhatDoesAUserSpaceUpdateDo_ItReleasesTheOldAndCannotInstallOne()
    {
        using var kernel = Boot();
        using var tasks = new HashMap<int, Entry>(kernel, 16, "tasks");
        var task = Track(kernel, tasks);
        var forged = new byte[16];
        BitConverter.TryWriteBytes(forged, task.Address);
        tasks.UpdateElem(BitConverter.GetBytes(task.Pid), forged).Should().Be(Errno.None);
        task.Count.Value.Should().Be(2);
        using var reader = kernel.Rcu.ReadLock();
        tasks.Lookup(task.Pid).Task.IsNull.Should().BeTrue("the bytes of a kptr are never user space's");
    }

    [Fact]
    public void WhatDoesMapDestroyDo_ItReleasesAll_LaterAndInProcessContext()
    {
        using var kernel = Boot();
        var tasks = new HashMap<int, Entry>(kernel, 16, "tasks");
        var all = Enumerable.Range(0, 10).Select(_ => Track(kernel, tasks)).ToList();
        tasks.Dispose();
        all.Should().OnlyContain(t => t.Count.Value == 3, "the map is freed by a work item");
        kernel.Quiesce();
        all.Should().OnlyContain(t => t.Count.Value == 2);
        kernel.Ledger.AssertAllReturned();
    }

    [Fact]
    public void WhatDoesALeakCost_OneTaskStructEach_AndItsCgroup()
    {
        using var kernel = Boot();
        var cgroup = kernel.Cgroups.Create("web");
        var lost = new List<KernelRef<TaskStruct>>();
        for (var i = 0; i < 100; i++)
        {
            var task = kernel.Tasks.Fork(kernel.Tasks.Init);
            kernel.Cgroups.Attach(cgroup, task);
            lost.Add(task.TryAcquire("leaky.cs", 31)!.Value);
            kernel.Tasks.Exit(task);
            kernel.Tasks.Reap(task);
        }

        kernel.Cgroups.Remove(cgroup);
        kernel.Quiesce();
        kernel.Ledger.Snapshot().PinnedBytesBySite()["leaky.cs:31"].Should().Be(100 * lost[0].Target.SizeBytes);
        cgroup.IsFreed.Should().BeFalse("the dead tasks' css set pins it");
        lost.ForEach(r => r.Release());
        kernel.Quiesce();
        cgroup.IsFreed.Should().BeTrue();
        kernel.Ledger.AssertAllReturned();
    }

    [Fact]
    public void CanADeadTaskBeAcquired_OnlyWhileSomebodyHasAReference()
    {
        using var kernel = Boot();
        using var tasks = new HashMap<int, Entry>(kernel, 16, "tasks");
        var task = Track(kernel, tasks);
        kernel.Tasks.Exit(task);
        kernel.Tasks.Reap(task);
        task.TryAcquire()!.Value.Release();                             // the map's reference keeps it
        using (kernel.Rcu.ReadLock())
        {
            tasks.Delete(task.Pid);
            task.TryAcquire().Should().BeNull();
        }
    }

    private static KernelCore Boot() => new(
        BuiltinKernel.Spec(KernelProfile.Linux6_12),
        new() { Driver = DeferredDriver.Manual, LedgerLevel = LedgerLevel.Sites });

    private static TaskStruct Track(KernelCore kernel, HashMap<int, Entry> tasks)
    {
        var task = kernel.Tasks.Fork(kernel.Tasks.Init);
        using var reader = kernel.Rcu.ReadLock();
        ref var entry = ref tasks.LookupOrInit(task.Pid);
        entry.Task.Exchange(task.TryAcquire())?.Release();
        entry.Seen = (ulong)kernel.NowNs;
        return task;
    }
}
