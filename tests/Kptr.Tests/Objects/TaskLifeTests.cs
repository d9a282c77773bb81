using Kptr.Objects;

namespace Kptr.Tests.Objects;

/// <summary>The life of tasks, step by step, with both counts as Linux 6.12 has them.</summary>
public class TaskLifeTests
{
    [Fact]
    public void Fork_Exit_Reap_Free_CountsAreTheKernels()
    {
        using var core = TestKernel.Boot();
        var task = core.Tasks.Fork(core.Tasks.Init, "nginx");
        Counts(task).Should().Be((2, 1));               // fork: rcu_users 2 (visible, scheduler), usage 1
        core.Tasks.Exit(task, exitCode: 7, switchOut: false);
        Counts(task).Should().Be((2, 1));               // zombie, still on its CPU
        task.Phase.Should().Be(TaskPhase.Zombie);
        core.Quiesce();                                 // the address space goes
        core.Tasks.SwitchOut(task).Should().BeTrue();
        Counts(task).Should().Be((1, 1));               // finish_task_switch
        core.Tasks.Reap(task).Should().BeTrue();
        Counts(task).Should().Be((0, 1));               // release_task; the callback is queued
        task.Phase.Should().Be(TaskPhase.Reaped);
        core.Rcu.Waiting().Select(w => w.Name).Should().Equal("delayed_put_task_struct");
        core.Rcu.Step().Should().Be(1);                 // usage 0
        task.Phase.Should().Be(TaskPhase.Freed);
        core.Ledger.AssertAllReturned();
    }

    [Fact]
    public void Reap_BeforeTheLastSwitch_LeavesTheSchedulersReference()
    {
        using var core = TestKernel.Boot();
        var task = core.Tasks.Fork(core.Tasks.Init);
        core.Tasks.Exit(task, switchOut: false);
        core.Tasks.Reap(task).Should().BeTrue();
        Counts(task).Should().Be((1, 1));
        using (core.Rcu.ReadLock())
        {
            task.TryAcquire()!.Value.Release();         // still acquirable: 2, then 1
        }

        core.Tasks.SwitchOut(task).Should().BeTrue();
        core.Tasks.SwitchOut(task).Should().BeFalse();
        Counts(task).Should().Be((0, 1));
        core.Quiesce();
        task.Phase.Should().Be(TaskPhase.Freed);
        core.Faults.Should().BeEmpty();
    }

    [Fact]
    public void Zombie_CanBeFoundAndAcquired()
    {
        using var core = TestKernel.Boot();
        var task = core.Tasks.Fork(core.Tasks.Init);
        core.Tasks.Exit(task);                          // rcu_users 1
        core.Tasks.Find(task.Pid).Should().BeSameAs(task);
        var pinned = task.TryAcquire()!.Value;          // 2
        core.Tasks.Reap(task);                          // 1
        core.Tasks.Find(task.Pid).Should().BeNull();
        core.Quiesce();
        task.Phase.Should().Be(TaskPhase.Reaped, "the reference pins the task_struct");
        pinned.Release();                               // 0
        task.TryAcquire().Should().BeNull("the last user is gone");
        core.Quiesce();
        task.Phase.Should().Be(TaskPhase.Freed);
    }

    [Fact]
    public void Reader_HoldsTheFreeOff()
    {
        using var core = TestKernel.Boot();
        var task = core.Tasks.Fork(core.Tasks.Init);
        using (core.Rcu.ReadLock())
        {
            core.Tasks.Exit(task);
            core.Tasks.Reap(task);
            core.Rcu.Step().Should().Be(0);
            task.Phase.Should().Be(TaskPhase.Reaped);
            task.Read<int>("pid").Should().Be(task.Pid);
        }

        core.Rcu.Step().Should().Be(2, "the address space and the task were waiting");
        task.Phase.Should().Be(TaskPhase.Freed);
    }

    [Fact]
    public void Thread_ThatExits_IsReapedByItself()
    {
        using var core = TestKernel.Boot();
        var leader = core.Tasks.Fork(core.Tasks.Init);
        var thread = core.Tasks.ForkThread(leader);
        (thread.Tgid, thread.Leader).Should().Be((leader.Pid, leader));
        core.Tasks.Exit(thread);                        // visible dropped by release_task, scheduler by the switch
        thread.Count.Value.Should().Be(0);
        core.Quiesce();
        thread.Phase.Should().Be(TaskPhase.Freed);
        leader.Phase.Should().Be(TaskPhase.Alive);
    }

    [Fact]
    public void Leader_ThatExitsFirst_CanOnlyBeReapedAfterItsThreads()
    {
        using var core = TestKernel.Boot();
        var leader = core.Tasks.Fork(core.Tasks.Init);
        var thread = core.Tasks.ForkThread(leader);
        core.Tasks.Exit(leader);
        core.Tasks.Reap(leader).Should().BeFalse();
        core.Tasks.Exit(thread);
        core.Tasks.Reap(leader).Should().BeTrue();
        core.Quiesce();
        leader.Phase.Should().Be(TaskPhase.Freed);
        core.Ledger.AssertAllReturned();
    }

    [Fact]
    public void Exec_ByAThread_TakesTheLeadersPid()
    {
        using var core = TestKernel.Boot();
        var leader = core.Tasks.Fork(core.Tasks.Init, "old");
        var (pid, pinned) = (leader.Pid, leader.TryAcquire()!.Value);
        var thread = core.Tasks.ForkThread(leader);
        var other = core.Tasks.ForkThread(leader);
        var threadPid = thread.Pid;
        core.Tasks.Exec(thread, "new");
        (thread.Pid, thread.Tgid, thread.IsLeader, thread.Comm).Should().Be((pid, pid, true, "new"));
        core.Tasks.Find(pid).Should().BeSameAs(thread);
        core.Tasks.Find(threadPid).Should().BeNull();
        leader.Phase.Should().Be(TaskPhase.Reaped, "it is dead, and pinned");
        leader.Pid.Should().Be(threadPid, "the pids changed places");
        core.Quiesce();
        other.Phase.Should().Be(TaskPhase.Freed);
        pinned.Release();
        core.Quiesce();
        leader.Phase.Should().Be(TaskPhase.Freed);
        core.Tasks.ChildrenOf(core.Tasks.Init).Should().Equal(thread);
    }

    [Fact]
    public void Exec_ByAThreadOfTheFirstProcess_IsRefused_AsAllOthersHangOnItsLeader()
    {
        using var core = TestKernel.Boot();
        var thread = core.Tasks.ForkThread(core.Tasks.Init);
        var exec = () => core.Tasks.Exec(thread, "usurper");
        exec.Should().Throw<InvalidOperationException>().WithMessage("*take the place*");
        core.Tasks.Exec(core.Tasks.Init, "init");
        thread.Phase.Should().Be(TaskPhase.Reaped);
        core.Tasks.Fork(core.Tasks.Init).Parent.Should().BeSameAs(core.Tasks.Init);
    }

    [Fact]
    public void Orphans_GoToTheReaper()
    {
        using var core = TestKernel.Boot();
        var parent = core.Tasks.Fork(core.Tasks.Init);
        var child = core.Tasks.Fork(parent);
        core.Tasks.Exit(parent);
        child.Parent.Should().BeSameAs(core.Tasks.Init);
        child.Read<ulong>("real_parent").Should().Be(core.Tasks.Init.Address);
        core.Tasks.ChildrenOf(core.Tasks.Init).Should().Equal(parent, child);
    }

    [Fact]
    public void PidNamespace_SeesItsTasksWithItsOwnNumbers_AndDiesWithItsReaper()
    {
        using var core = TestKernel.Boot();
        var reaper = core.Tasks.Fork(core.Tasks.Init, flags: CloneFlags.NewPid);
        var inside = core.Tasks.Fork(reaper);
        var ns = reaper.PidNamespace;
        (reaper.PidIn(ns), inside.PidIn(ns)).Should().Be((1, 2));
        core.Tasks.Find(2, ns).Should().BeSameAs(inside);
        core.Tasks.Find(2).Should().BeSameAs(reaper, "numbers of the first namespace");
        core.Tasks.Init.PidIn(ns).Should().Be(0);
        core.Tasks.Exit(reaper);
        inside.Phase.Should().Be(TaskPhase.Reaped, "the namespace waits for what dies with it");
    }

    [Fact]
    public void PidNamespace_DiesWithAllGenerationsAndNamespacesBelow()
    {
        using var core = TestKernel.Boot();
        var outer = core.Tasks.Fork(core.Tasks.Init, flags: CloneFlags.NewPid);
        var inner = core.Tasks.Fork(outer, flags: CloneFlags.NewPid);
        var grandchild = core.Tasks.Fork(core.Tasks.Fork(outer));
        var deep = core.Tasks.Fork(core.Tasks.Fork(inner));
        var thread = core.Tasks.ForkThread(deep);
        var zombie = core.Tasks.Fork(outer);
        core.Tasks.Exit(zombie);

        core.Tasks.Exit(outer);

        TaskStruct[] all = [inner, grandchild, deep, thread, zombie];
        all.Should().OnlyContain(t => t.Phase == TaskPhase.Reaped);
        outer.Phase.Should().Be(TaskPhase.Zombie, "its own parent is outside");
        core.Tasks.ChildrenOf(core.Tasks.Init).Should().Equal(outer);
        core.Tasks.Reap(outer).Should().BeTrue();
        core.Quiesce();
        core.Ledger.AssertAllReturned();
    }

    [Fact]
    public void Fork_WhileItsNamespaceEnds_IsRefused_AndOrphansFindAnHeirAboveIt()
    {
        using var core = TestKernel.Boot();
        var outer = core.Tasks.Fork(core.Tasks.Init, flags: CloneFlags.NewPid);
        var inner = core.Tasks.Fork(outer, flags: CloneFlags.NewPid);
        var last = core.Tasks.Fork(inner);
        var orphan = core.Tasks.Fork(last);
        List<string> refused = [];
        core.Hooks = new ExitHook(address =>
        {
            if (address == last.Address)
            {
                // The outer namespace has ended by now, and its other tasks are not dead yet.
                var fork = () => core.Tasks.Fork(orphan);
                refused.Add(fork.Should().Throw<InvalidOperationException>().Which.Message);
            }
        });
        core.Tasks.Exit(outer);
        refused.Should().ContainSingle().Which.Should().Contain("ends");
        orphan.Phase.Should().Be(TaskPhase.Reaped);
    }

    [Fact]
    public void PinnedTask_PinsItsCgroup()
    {
        using var core = TestKernel.Boot(LedgerLevel.Sites);
        var cgroup = core.Cgroups.Create("web");
        var task = core.Tasks.Fork(core.Tasks.Init);
        core.Cgroups.Attach(cgroup, task);
        var pinned = task.TryAcquire()!.Value;
        core.Tasks.Exit(task);
        core.Tasks.Reap(task);
        core.Cgroups.Remove(cgroup).Should().Be(Diagnostics.Errno.None);
        core.Quiesce();
        cgroup.IsFreed.Should().BeFalse();
        core.Ledger.WhoPins(cgroup).ToString().Should().Contain("css set of 1 task");
        pinned.Release();
        core.Quiesce();
        cgroup.IsFreed.Should().BeTrue();
        core.Ledger.AssertAllReturned();
    }

    [Fact]
    public void CpuTimeAndStart_AreWhatTheClockAndTheTestSay()
    {
        using var core = TestKernel.Boot();
        ((VirtualClock)core.Clock).Advance(TimeSpan.FromSeconds(3));
        var task = core.Tasks.Fork(core.Tasks.Init, "a-name-that-is-too-long");
        task.AddCpuTime(TimeSpan.FromMilliseconds(5), TimeSpan.FromMilliseconds(2));
        (task.StartTimeNs, task.UserTimeNs, task.SystemTimeNs).Should().Be((3_000_000_000, 5_000_000, 2_000_000));
        task.Comm.Should().Be("a-name-that-is-");
        task.Flags.Should().HaveFlag(TaskFlags.ForkNoExec);
        core.Tasks.Exec(task, "sh");
        task.Flags.Should().NotHaveFlag(TaskFlags.ForkNoExec);
    }

    private static (int RcuUsers, int Usage) Counts(TaskStruct task) => (task.Count.Value, task.Usage.Value);

    private sealed class ExitHook(Action<ulong> exits) : IHookSink
    {
        public void Fire(string tracepoint, ReadOnlySpan<ulong> args)
        {
            if (tracepoint == "sched_process_exit")
            {
                exits(args[0]);
            }
        }
    }
}
