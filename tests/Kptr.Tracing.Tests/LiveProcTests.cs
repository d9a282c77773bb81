using Kptr.Objects;

namespace Kptr.Tracing.Tests;

/// <summary>What differs between two looks at a /proc, which the test writes, happens in the model.</summary>
public sealed class LiveProcTests : IDisposable
{
    private readonly FakeProc _machine = new();
    private readonly KernelModel _kernel =
        new(new() { Driver = DeferredDriver.Manual, LedgerLevel = LedgerLevel.Sites });

    private readonly List<string> _events = [];

    public LiveProcTests()
    {
        _kernel.On("task_newtask", (TaskStruct task) => _events.Add($"fork {task.Pid} {task.Comm}"));
        _kernel.On("sched_process_exec", (TaskStruct task) => _events.Add($"exec {task.Pid} {task.Comm}"));
        _kernel.On("sched_process_exit", (TaskStruct task) => _events.Add($"exit {task.Pid}"));
        _machine.Write("cgroup/cgroup.controllers", "");
        _machine.Write("cgroup/web/cgroup.procs", "");
        _machine.Task(1, 1, "init", parent: 0);
        _machine.Task(10, 10, "bash", parent: 1, start: 5);
        Machine(seconds: 100, forks: 500);
    }

    public void Dispose()
    {
        _kernel.Dispose();
        _machine.Dispose();
    }

    [Fact]
    public void WhatIsThereAtFirst_WasThereBefore()
    {
        var report = Follow().Look();
        _events.Should().BeEmpty();
        (report.Found, report.Differences, report.Missed).Should().Be((2, 0, 0));
        _kernel.Tasks.Find(10)!.Comm.Should().Be("bash");
        _kernel.NowNs.Should().Be(100_000_000_000);
    }

    [Fact]
    public void PidThatPassesOnWhileItIsRead_IsTheYoungerTask()
    {
        var live = Follow();
        live.Look();
        _machine.Task(10, 20, "thread", parent: 1, start: 10040);
        _machine.Task(20, 20, "nginx", parent: 10, start: 10050);
        Machine(seconds: 101, forks: 502);
        var report = live.Look();

        (report.Forked, report.Differences).Should().Be((1, 0));
        report.Gaps.Should().ContainSingle().Which.What.Should().Be("pid used again meanwhile");
        (_kernel.Tasks.Find(20)!.Tgid, _kernel.Tasks.Find(20)!.Comm).Should().Be((20, "nginx"));
    }

    [Fact]
    public void LeaderWithANewName_RenamedItself_WhereItsThreadsLiveOn()
    {
        _machine.Task(10, 11, "worker", parent: 1, start: 6);
        var live = Follow();
        live.Look();
        _machine.Task(10, 10, "main", parent: 1, start: 5);
        var report = live.Look();

        _events.Should().BeEmpty("execve would have ended the thread");
        (report.Renamed, report.Differences).Should().Be((1, 0));
        _kernel.Tasks.Find(11)!.Phase.Should().Be(TaskPhase.Alive);
    }

    [Fact]
    public void WhatDiffers_Happens()
    {
        var live = Follow();
        live.Look();
        Machine(seconds: 101, forks: 507);
        _machine.Task(20, 20, "nginx", parent: 10, start: 10050, user: 3, cgroup: "/web");
        _machine.Task(20, 21, "worker", parent: 10, start: 10051, cgroup: "/web");
        _machine.Task(22, 22, "bash", parent: 10, start: 10060);
        _machine.Task(10, 10, "bash", parent: 1, start: 5, user: 25, system: 7, cgroup: "/web");
        var report = live.Look();

        _events.Should().Equal("fork 20 bash", "exec 20 nginx", "fork 22 bash", "fork 21 worker");
        (report.Forked, report.Exited, report.Moved, report.Missed, report.Differences).Should().Be((3, 0, 1, 4, 0));
        var bash = _kernel.Tasks.Find(10)!;
        (bash.UserTimeNs, bash.SystemTimeNs, bash.Cgroup.Path).Should().Be((250_000_000, 70_000_000, "/web"));
        (_kernel.Tasks.Find(21)!.Tgid, _kernel.Tasks.Find(20)!.UserTimeNs).Should().Be((20, 30_000_000));
        _kernel.NowNs.Should().Be(101_000_000_000);

        _events.Clear();
        _machine.End(20);
        _machine.Task(10, 10, "sh", parent: 1, start: 5, cgroup: "/");
        _machine.Task(22, 22, "bash", parent: 10, start: 10060, state: 'Z');
        report = live.Look();
        _events.Should().Equal("exit 21", "exit 20", "exec 10 sh", "exit 22");
        (report.Exited, report.Renamed, report.Differences).Should().Be((2, 1, 0));
        _kernel.Tasks.Find(20).Should().BeNull();
        _kernel.Tasks.Find(22)!.Phase.Should().Be(TaskPhase.Zombie);

        _machine.End(22);
        _machine.RemoveCgroup("/web");
        live.Look();
        _kernel.Tasks.Find(22).Should().BeNull();
        _kernel.Cgroups.Find("/web").Should().BeNull();
        _kernel.Faults.Should().BeEmpty();
        _kernel.Ledger.AssertAllReturned();
    }

    [Fact]
    public void PidThatBeganAnew_IsAnotherTask()
    {
        var live = Follow();
        live.Look();
        var old = _kernel.Tasks.Find(10);
        _machine.End(10);
        _machine.Task(10, 10, "bash", parent: 1, start: 9000);
        var report = live.Look();
        _events.Should().Equal("exit 10", "fork 10 init", "exec 10 bash");
        _kernel.Tasks.Find(10).Should().NotBeSameAs(old);
        (report.Forked, report.Exited, report.Differences).Should().Be((1, 1, 0));
    }

    [Fact]
    public void WhatTheModelRefuses_IsReportedOnce_AndCounted()
    {
        var live = Follow();
        live.Look();
        _machine.Task(99_999_999, 99_999_999, "far", parent: 1, start: 9000);
        live.Look().Refused.Should().ContainSingle().Which.Should().StartWith("pid 99999999");
        var report = live.Look();
        report.Differences.Should().Be(1);
        report.Refused.Should().ContainSingle();
    }

    [Fact]
    public async Task Run_LooksOnceAPeriod_AndEndsWhenCancelled()
    {
        var clock = new VirtualClock();
        using var stop = new CancellationTokenSource();
        var live = new LiveProc(_kernel, new()
        {
            Proc = _machine.Proc, Cgroup = _machine.Cgroup, Time = clock, Period = TimeSpan.FromSeconds(1),
        });
        var run = Task.Run(() => live.Run(stop.Token));
        while (live.Report.Looks < 4)
        {
            clock.Advance(TimeSpan.FromSeconds(1));
            Thread.Yield();
        }

        await stop.CancelAsync();
        (await run).Looks.Should().BeGreaterThanOrEqualTo(5);
    }

    [Fact]
    public void NoProc_IsAnError()
    {
        var live = new LiveProc(_kernel, new() { Proc = _machine.Cgroup });
        live.Invoking(l => l.Look()).Should().Throw<IOException>();
        FluentActions.Invoking(() => new LiveProc(_kernel, new() { Proc = "" })).Should().Throw<ArgumentException>();
        FluentActions.Invoking(() => new LiveProc(_kernel, new() { Period = TimeSpan.FromTicks(-1) }))
            .Should().Throw<ArgumentException>();
    }

    [Fact]
    public void ThisMachine_CanBeFollowed()
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        var live = new LiveProc(_kernel);
        live.Look().Found.Should().BePositive();
        var child = System.Diagnostics.Process.Start("sleep", "60");
        try
        {
            live.Look().Forked.Should().BePositive();
            _kernel.Tasks.Find(child.Id).Should().NotBeNull();
        }
        finally
        {
            child.Kill();
            child.WaitForExit();
        }

        live.Look();
        _kernel.Tasks.Find(child.Id).Should().BeNull();
    }

    private LiveProc Follow() => new(_kernel, new() { Proc = _machine.Proc, Cgroup = _machine.Cgroup });

    private void Machine(int seconds, long forks)
    {
        _machine.Write("proc/uptime", $"{seconds}.00 1.00\n");
        _machine.Write("proc/stat", $"cpu  1 2 3\nprocesses {forks}\nprocs_running 1\n");
    }
}
