using Kptr.Diagnostics;
using Kptr.Objects;

namespace Kptr.Tests.Objects;

/// <summary>
/// The lives of the objects beside tasks, cgroups and connections (which have tests of their own), step by step, with
/// the counts that Linux 6.12 has.
/// </summary>
public class LifeCycleTests
{
    [Fact]
    public void Mm_IsSharedByThreads_CopiedByProcesses_LeftByKernelThreads()
    {
        using var core = TestKernel.Boot();
        var task = core.Tasks.Fork(core.Tasks.Init);
        var mm = task.Mm!;
        mm.Count.Value.Should().Be(1);                                  // mm_users: the task
        var thread = core.Tasks.ForkThread(task);
        mm.Count.Value.Should().Be(2);                                  // task, thread
        var child = core.Tasks.Fork(task);
        child.Mm.Should().NotBeSameAs(mm);
        mm.Count.Value.Should().Be(2);                                  // a process has a copy
        core.Tasks.ForkKthread("kworker").Mm.Should().BeNull();
        core.Tasks.Exit(thread);
        mm.Count.Value.Should().Be(1);                                  // exit_mm
        var old = child.Mm!;
        core.Tasks.Exec(child, "sh");
        old.Count.Value.Should().Be(0);                                 // exec made a new one
        core.Tasks.Exit(task);
        mm.Count.Value.Should().Be(0);
        (task.Phase, task.Mm).Should().Be((TaskPhase.Zombie, null));    // a zombie has none
        mm.IsFreed.Should().BeFalse();
        core.Quiesce();
        (mm.IsFreed, old.IsFreed).Should().Be((true, true));
        core.Ledger.AssertAllReturned();
    }

    [Fact]
    public void Process_ThatExits_DropsEveryThread_AndIsReapedOnce()
    {
        using var core = TestKernel.Boot();
        var leader = core.Tasks.Fork(core.Tasks.Init);
        TaskStruct[] threads = [core.Tasks.ForkThread(leader), core.Tasks.ForkThread(leader)];
        var pinned = threads[0].TryAcquire()!.Value;                    // rcu_users 3
        core.Tasks.ExitProcess(threads[1]);
        threads.Select(t => t.Count.Value).Should().Equal(1, 0);        // threads reap themselves; one is pinned
        leader.Count.Value.Should().Be(1);                              // visible to its parent
        core.Tasks.Reap(leader).Should().BeTrue();
        core.Tasks.Reap(leader).Should().BeFalse();
        leader.Count.Value.Should().Be(0);
        core.Quiesce();
        (leader.IsFreed, threads[0].IsFreed, threads[1].IsFreed).Should().Be((true, false, true));
        pinned.Release();
        core.Quiesce();
        threads[0].IsFreed.Should().BeTrue();
        core.Ledger.AssertAllReturned();
    }

    [Fact]
    public void CpusPtr_PointsIntoTheTask_AndFollowsItsMask()
    {
        using var core = TestKernel.Boot();
        var task = core.Tasks.Fork(core.Tasks.Init);
        task.Read<ulong>("cpus_ptr").Should().BeInRange(
            task.Address, task.Address + (ulong)task.Layout.Slab.AllocBytes);
        task.Read<ulong>("cpus_mask").Should().Be(0b11, "two CPUs");
        task.SetCpus([1]);
        (task.Read<ulong>("cpus_mask"), task.Read<int>("nr_cpus_allowed")).Should().Be((0b10ul, 1));
    }

    [Fact]
    public void Sock_IsHeldByItsDescriptor_AndByThoseWhoFoundIt()
    {
        using var core = TestKernel.Boot();
        var sock = new Sock(core, new(0x0a000001, 1024, 0x0a000002, 80, 6));
        sock.Count.Value.Should().Be(1);                                // sk_refcnt: the descriptor
        core.Sockets.Add(sock);
        sock.IsRefcounted.Should().BeTrue("it is connected");
        var found = core.Sockets.Find(sock.Tuple)!.TryAcquire()!.Value;
        sock.Count.Value.Should().Be(2);                                // descriptor, me
        sock.Close();
        sock.Count.Value.Should().Be(1);                                // me
        sock.TryAcquire()!.Value.Release();
        found.Release();
        sock.TryAcquire().Should().BeNull();
        core.Quiesce();
        sock.IsFreed.Should().BeTrue();
        core.Ledger.AssertAllReturned();
    }

    [Fact]
    public void Key_LookUp_IsFreedByItsPut_WithoutAGracePeriod()
    {
        using var core = TestKernel.Boot();
        var key = new BpfKey(core, 42, isSystemKey: false);
        var reference = KernelRef.Own(key);                             // 1
        key.Read<byte>("has_ref").Should().Be(1);
        reference.Release();                                            // 0: bpf_key_put
        key.IsFreed.Should().BeTrue();
        core.Ledger.AssertAllReturned();
    }

    [Theory]
    [InlineData(LedgerLevel.Counts)]
    [InlineData(LedgerLevel.Sites)]
    public void Cpumask_AndCipher_LiveInTwoPlaces_AndGoWithTheLast(LedgerLevel level)
    {
        using var core = TestKernel.Boot(level);
        KernelObject[] objects = [new Cpumask(core), new CryptoCtx(core, "ecb(aes)", new byte[16])];
        foreach (var obj in objects)
        {
            var first = KernelRef.Own(obj);                             // usage 1
            var second = first.TryClone()!.Value;                       // 2
            first.Release();                                            // 1
            obj.Count.Value.Should().Be(1);
            second.Release();                                           // 0: call_rcu
            obj.TryAcquire().Should().BeNull();
            obj.IsFreed.Should().BeFalse();
            core.Ledger.WhoPins(obj).Entries.Should().ContainSingle().Which.Holder.Should().BeOfType<DeferredHolder>();
            core.Rcu.Step();
            obj.IsFreed.Should().BeTrue();
        }

        core.Ledger.AssertAllReturned();
    }

    [Fact]
    public void Cgroup_OfASubtree_IsPinnedFromBelow_ByChildrenAndDeadTasks()
    {
        using var core = TestKernel.Boot();
        var parent = core.Cgroups.Create("a");
        var child = core.Cgroups.Create(parent, "b");
        var task = core.Tasks.Fork(core.Tasks.Init);
        core.Cgroups.Attach(child, task).Should().Be(Errno.None);
        child.Count.Value.Should().Be(2);                               // online, css set
        var pinned = task.TryAcquire()!.Value;
        core.Tasks.Exit(task);
        core.Tasks.Reap(task);
        core.Quiesce();
        child.Count.Value.Should().Be(2, "the dead task's css set has not gone");
        core.Cgroups.Remove(child).Should().Be(Errno.None);
        core.Cgroups.Remove(parent).Should().Be(Errno.None);
        core.Quiesce();
        (child.Count.Value, parent.Count.Value).Should().Be((1, 1));    // css set; dying child
        pinned.Release();
        core.Quiesce();
        (child.IsFreed, parent.IsFreed).Should().Be((true, true));
        core.Ledger.AssertAllReturned();
    }
}
