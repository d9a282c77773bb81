using Kptr.Objects;

namespace Kptr.Tracing.Tests;

/// <summary>A machine's /proc, made by the test, becomes tasks; what is missing is said.</summary>
public sealed class ProcTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("kptr-proc").FullName;

    private string Proc => Path.Combine(_root, "proc");

    private string Cgroup => Path.Combine(_root, "cgroup");

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void Snapshot_BecomesTheMachine()
    {
        Write("proc/uptime", "5000.25 9000.00\n");
        Write("cgroup/cgroup.controllers", "");
        Write("cgroup/web/api/cgroup.procs", "");
        Task(1, 1, "systemd", parent: 0, cgroup: "/");
        Task(2, 2, "kthreadd", parent: 0, flags: 0x208040, cgroup: "/");
        Task(9, 9, "kworker/0:1 (x)", parent: 2, flags: 0x4208060, cgroup: "/");
        Task(900, 900, "nginx) S 1 (", parent: 1, user: 120, system: 30, start: 4000, uid: 33, cgroup: "/web/api");
        Task(900, 901, "worker", parent: 1, user: 7, cgroup: "/web/api");
        Task(850, 850, "child", parent: 900, cgroup: "/new");
        Task(950, 950, "gone", parent: 900, state: 'Z', cgroup: "/");

        var snapshot = ProcSnapshot.Read(Proc, Cgroup);

        snapshot.Gaps.Should().BeEmpty();
        snapshot.ToString().Should().Be("6 processes of 7 threads, 2 cgroups");
        using var kernel = new KernelModel(new() { Driver = DeferredDriver.Manual });
        snapshot.MakeIn(kernel).Should().BeEmpty();

        kernel.NowNs.Should().Be(5_000_250_000_000);
        kernel.Tasks.All.Select(t => t.Pid).Should().BeEquivalentTo([1, 2, 9, 850, 900, 901, 950]);
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
        (kernel.Tasks.Find(9)!.Mm, kernel.Tasks.Find(9)!.Parent!.Pid).Should().Be((null, 2));
        kernel.Faults.Should().BeEmpty();
        kernel.Ledger.AssertAllReturned();
    }

    [Fact]
    public void WhatCannotBeRead_IsSaid()
    {
        Task(40, 40, "mine", parent: 12, cgroup: null);
        Write("proc/50/task/50/stat", "50 (broken\n");
        Directory.CreateDirectory(Path.Combine(Proc, "60"));
        Directory.CreateDirectory(Cgroup);

        var snapshot = ProcSnapshot.Read(Proc, Cgroup);

        snapshot.Tasks.Should().ContainSingle().Which.Comm.Should().Be("mine");
        snapshot.Gaps.Select(g => g.What).Should().BeEquivalentTo(
            "cgroup not there (any more)", "cgroups of v2 not mounted", "processes of others are hidden",
            "stat not understood", "threads not there (any more)", "uptime not there (any more)");
        using var kernel = new KernelModel(new() { Driver = DeferredDriver.Manual });
        snapshot.MakeIn(kernel).Should().BeEmpty();
        kernel.Tasks.Find(40)!.Parent.Should().BeSameAs(kernel.Tasks.Init);
        FluentActions.Invoking(() => ProcSnapshot.Read(Cgroup)).Should().Throw<IOException>();
    }

    [Fact]
    public void ParentsInACircle_AndNumbersOutOfRange_AreTaken()
    {
        Task(40, 40, "a", parent: 41);
        Task(41, 41, "b", parent: 40);
        Task(42, 42, "c", parent: 42);
        Task(99_999_999, 99_999_999, "far", parent: 40);

        using var kernel = new KernelModel(new() { Driver = DeferredDriver.Manual });
        ProcSnapshot.Read(Proc, Cgroup).MakeIn(kernel)
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

    private void Task(
        int tgid, int pid, string comm, int parent, char state = 'S', uint flags = 0x400040, long user = 0,
        long system = 0, long start = 1, uint uid = 0, string? cgroup = "/")
    {
        var folder = $"proc/{tgid}/task/{pid}";
        Write($"{folder}/stat", $"{pid} ({comm}) {state} {parent} 1 1 0 -1 {flags} 0 0 0 0 {user} {system} "
            + $"0 0 20 0 1 0 {start} 1 2 3\n");
        Write($"{folder}/status", $"Name:\tx\nUid:\t{uid}\t0\t0\t0\nGid:\t{uid}\t0\t0\t0\n");
        if (cgroup is not null)
        {
            Write($"{folder}/cgroup", $"4:memory:/x\n0::{cgroup}\n");
        }
    }

    private void Write(string path, string text)
    {
        var file = Path.Combine(_root, path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, text);
    }
}
