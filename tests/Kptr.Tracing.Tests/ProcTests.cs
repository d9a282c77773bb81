using Kptr.Objects;

namespace Kptr.Tracing.Tests;

/// <summary>A machine's /proc, made by the test, becomes tasks; what is missing is said.</summary>
public sealed class ProcTests : IDisposable
{
    private readonly FakeProc _machine = new();

    public void Dispose() => _machine.Dispose();

    [Fact]
    public void Snapshot_BecomesTheMachine()
    {
        _machine.Write("proc/uptime", "5000.25 9000.00\n");
        _machine.Write("cgroup/cgroup.controllers", "");
        _machine.Write("cgroup/web/api/cgroup.procs", "");
        _machine.Task(1, 1, "systemd", parent: 0, cgroup: "/");
        _machine.Task(3, 3, "pool_workqueue_release", parent: 2, flags: 0x208040, cgroup: "/");
        _machine.Task(2, 2, "kthreadd", parent: 0, flags: 0x208040, cgroup: "/");
        _machine.Task(8, 8, "kworker/u8:3-kvfree_rcu_reclaim", parent: 2, flags: 0x4208060, cgroup: "/");
        _machine.Task(9, 9, "kworker/0:1 (x)", parent: 2, flags: 0x4208060, cgroup: "/");
        _machine.Task(
            900, 900, "nginx) S 1 (", parent: 1, user: 120, system: 30, start: 4000, uid: 33, cgroup: "/web/api");
        _machine.Task(900, 901, "worker", parent: 1, user: 7, cgroup: "/web/api");
        _machine.Task(850, 850, "child", parent: 900, cgroup: "/new");
        _machine.Task(950, 950, "gone", parent: 900, state: 'Z', cgroup: "/");

        var snapshot = ProcSnapshot.Read(_machine.Proc, _machine.Cgroup);

        snapshot.Gaps.Should().BeEmpty();
        snapshot.ToString().Should().Be("8 processes of 9 threads, 2 cgroups");
        using var kernel = new KernelModel(new() { Driver = DeferredDriver.Manual });
        snapshot.MakeIn(kernel).Should().BeEmpty();

        kernel.NowNs.Should().Be(5_000_250_000_000);
        kernel.Tasks.All.Select(t => t.Pid).Should().BeEquivalentTo([1, 2, 3, 8, 9, 850, 900, 901, 950]);
        kernel.Tasks.Init.Comm.Should().Be("systemd");
        var nginx = kernel.Tasks.Find(900)!;
        (nginx.Comm, nginx.Cgroup.Path, nginx.Parent!.Pid).Should().Be(("nginx) S 1 (", "/web/api", 1));
        (nginx.UserTimeNs, nginx.SystemTimeNs, nginx.StartTimeNs).Should().Be(
            (1_200_000_000, 300_000_000, 40_000_000_000));
        (kernel.Tasks.Find(901)!.Tgid, kernel.Tasks.Find(901)!.Cgroup.Path).Should().Be((900, "/web/api"));
        kernel.Tasks.Find(850)!.Parent.Should().BeSameAs(nginx);
        kernel.Tasks.Find(850)!.Cgroup.Path.Should().Be("/new", "it is made where only a task tells of it");
        kernel.Tasks.Find(950)!.Phase.Should().Be(TaskPhase.Zombie);
        (kernel.Tasks.Find(9)!.Flags & TaskFlags.Kthread).Should().Be(TaskFlags.Kthread);
        kernel.Tasks.Find(8)!.Comm.Should().Be("kworker/u8:3", "what it works at is no part of its name");
        snapshot.Tasks.Single(t => t.Pid == 3).Comm.Should().Be("pool_workqueue_", "a name has 15 characters");
        snapshot.Tasks.Single(t => t.Pid == 8).Comm.Should().Be("kworker/u8:3", "what it works at is none of its name");
        (kernel.Tasks.Find(9)!.Mm, kernel.Tasks.Find(9)!.Parent!.Pid).Should().Be((null, 2));
        kernel.Faults.Should().BeEmpty();
        kernel.Ledger.AssertAllReturned();
    }

    [Fact]
    public void WhatCannotBeRead_IsSaid()
    {
        _machine.Task(40, 40, "mine", parent: 12, cgroup: null);
        _machine.Write("proc/50/task/50/stat", "50 (broken\n");
        Directory.CreateDirectory(Path.Combine(_machine.Proc, "60"));
        Directory.CreateDirectory(_machine.Cgroup);

        var snapshot = ProcSnapshot.Read(_machine.Proc, _machine.Cgroup);

        snapshot.Tasks.Should().ContainSingle().Which.Comm.Should().Be("mine");
        snapshot.Gaps.Select(g => g.What).Should().BeEquivalentTo(
            "cgroup not there (any more)", "cgroups of v2 not mounted", "processes of others are hidden",
            "stat not understood", "threads not there (any more)", "uptime not there (any more)");
        using var kernel = new KernelModel(new() { Driver = DeferredDriver.Manual });
        snapshot.MakeIn(kernel).Should().BeEmpty();
        kernel.Tasks.Find(40)!.Parent.Should().BeSameAs(kernel.Tasks.Init);
        FluentActions.Invoking(() => ProcSnapshot.Read(_machine.Cgroup)).Should().Throw<IOException>();
    }

    [Fact]
    public void ParentsInACircle_AndNumbersOutOfRange_AreTaken()
    {
        _machine.Task(40, 40, "a", parent: 41);
        _machine.Task(41, 41, "b", parent: 40);
        _machine.Task(42, 42, "c", parent: 42);
        _machine.Task(99_999_999, 99_999_999, "far", parent: 40);

        using var kernel = new KernelModel(new() { Driver = DeferredDriver.Manual });
        ProcSnapshot.Read(_machine.Proc, _machine.Cgroup).MakeIn(kernel)
            .Should().ContainSingle().Which.Should().StartWith("pid 99999999");

        kernel.Tasks.All.Select(t => t.Pid).Should().BeEquivalentTo([1, 40, 41, 42]);
    }

    [Fact]
    public void ThisMachine_CanBeRead()
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        var snapshot = ProcSnapshot.Read();

        snapshot.Tasks.Should().Contain(t => t.Pid == Environment.ProcessId && t.IsLeader && t.User != null);
        using var kernel = new KernelModel(new() { Driver = DeferredDriver.Manual });
        snapshot.MakeIn(kernel).Should().BeEmpty();
        kernel.Tasks.Find(Environment.ProcessId)!.UserTimeNs.Should().BePositive();
        kernel.Tasks.All.Should().HaveCount(snapshot.Tasks.Count + (snapshot.Tasks[0].Pid == 1 ? 0 : 1));
    }
}
