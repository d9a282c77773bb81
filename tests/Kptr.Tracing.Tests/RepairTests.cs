using System.Runtime.InteropServices;
using Kptr.Diagnostics;
using Kptr.Objects;

namespace Kptr.Tracing.Tests;

/// <summary>
/// What a trace leaves open, case by case: the model has each task once, and the report says what was done.
/// </summary>
public sealed class RepairTests : IDisposable
{
    private readonly KernelModel _kernel = new(new() { Driver = DeferredDriver.Manual, CpuCount = 4 });

    private readonly TraceReplay _replay;

    public RepairTests() => _replay = new(_kernel, new() { ReorderWindow = 2 });

    public void Dispose() => _kernel.Dispose();

    [Fact]
    public void ForkBehindItsChild_IsTheSameTask()
    {
        var report = Run(
            Wakeup(1_000_000, 50, "a"), Fork(1_000_500, 1, 50, "a"), Wakeup(1_002_000, 50, "a"));

        Count(report).Should().Equal((TraceIssueKind.ForkNeverSeen, 1), (TraceIssueKind.ForkSeenLate, 1));
        report.TasksAlive.Should().Be(1);
        _kernel.Tasks.All.Should().HaveCount(2);
    }

    [Fact]
    public void EventsOutOfOrder_AreSorted_AndThoseTooLateAreReported()
    {
        var report = Run(
            Fork(3000, 1, 50, "a"), Fork(1000, 1, 40, "b"), Fork(4000, 1, 60, "c"), Fork(5000, 1, 61, "d"),
            Fork(2000, 1, 41, "e"), Wakeup(2500, 99, "who"));

        _kernel.Tasks.All.Select(t => t.Pid).Should().Equal(1, 40, 50, 41, 60, 61);
        Count(report).Should().Equal(
            (TraceIssueKind.OutOfOrder, 2), (TraceIssueKind.LateForEnded, 1));
        report.LeftOut.Should().Be(1);
        _kernel.NowNs.Should().Be(5000);
    }

    [Fact]
    public void BrokenTimestamp_IsReached_WithoutAllPeriodsOfATimer()
    {
        var fired = 0;
        using var timer = _kernel.VirtualClock.CreateTimer(
            _ => fired++, null, TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(1));
        var report = Run(
            Fork(7_200_000_000_000, 1, 50, "a"), Fork(7_200_010_000_000, 1, 51, "b"),
            Fork(long.MaxValue, 1, 52, "c"));

        Count(report).Should().Contain((TraceIssueKind.TimeSkipped, 1));
        _kernel.NowNs.Should().BeCloseTo(long.MaxValue, 100);
        fired.Should().Be(10, "not before the trace began, and not while its clock jumped");
    }

    [Fact]
    public void DeadTaskThatWorks_IsAnother()
    {
        var report = Run(
            Fork(1000, 1, 50, "a"), Exit(2000, 50), Exit(2100, 50), Wakeup(90_000_000, 50, "b"));

        Count(report).Should().Equal(
            (TraceIssueKind.ForkNeverSeen, 1), (TraceIssueKind.ExitTwice, 1), (TraceIssueKind.FreeNeverSeen, 1));
        _kernel.Tasks.Find(50)!.Comm.Should().Be("b");
        _kernel.Tasks.All.Should().HaveCount(2);
    }

    [Fact]
    public void WithoutFrees_TheDeadAreReapedAfterASecond()
    {
        var report = Run(
            Fork(1000, 1, 50, "a"), Exit(2000, 50), Wakeup(900_000_000, 7, "b"), Wakeup(1_100_000_000, 7, "b"));

        report.CountOf(TraceIssueKind.FreeNeverSeen).Should().Be(1);
        _kernel.Tasks.Find(50).Should().BeNull();
    }

    [Fact]
    public void LastSwitch_TellsOfALostExit()
    {
        var report = Run(
            Fork(1000, 1, 50, "a"), Switch(2000, 0, 50, "R"), Switch(5000, 50, 0, "X"),
            new("sched_process_free", 6000, new("comm", 0, "a"), new("pid", 50), new("prio", 120)));

        Count(report).Should().Equal((TraceIssueKind.ExitNeverSeen, 1));
        report.TasksAlive.Should().Be(0);
        _kernel.Tasks.Find(50).Should().BeNull();
    }

    [Fact]
    public void MissedSwitch_AccountsNoTime()
    {
        var report = Run(
            Fork(1000, 1, 50, "a"), Fork(1100, 1, 60, "b"), Switch(2000, 0, 50, "R"), Switch(5000, 50, 0, "S"),
            Switch(7000, 60, 0, "S"));

        Count(report).Should().Equal((TraceIssueKind.SwitchNeverSeen, 1));
        _kernel.Tasks.Find(50)!.UserTimeNs.Should().Be(3000);
        _kernel.Tasks.Find(60)!.UserTimeNs.Should().Be(0);
    }

    [Fact]
    public void ThreadThatExecs_TakesItsLeadersNumber()
    {
        var report = Run(
            NewTask(1000, 1, 50, "a", 0), Fork(1001, 1, 50, "a"),
            NewTask(2000, 50, 51, "a", 0x10100), Fork(2001, 50, 51, "a"),
            NewTask(3000, 50, 52, "a", 0x10100), Fork(3001, 50, 52, "a"),
            new("sched_process_exec", 4000, new("filename", 0, "/bin/other"), new("pid", 50), new("old_pid", 52)),
            Wakeup(5000, 50, "other"));

        // The leader and the other thread were never seen to exit, as they must have.
        Count(report).Should().Equal((TraceIssueKind.ExitNeverSeen, 2));
        report.TasksAlive.Should().Be(1);
        var task = _kernel.Tasks.Find(50)!;
        (task.Comm, task.Tgid, task.IsLeader).Should().Be(("other", 50, true));
        _kernel.Tasks.All.Should().HaveCount(2);
    }

    [Fact]
    public void FreedThread_IsLeftAlone()
    {
        var report = Run(
            NewTask(1000, 1, 50, "a", 0), Fork(1001, 1, 50, "a"), NewTask(2000, 50, 51, "a", 0x10100),
            Switch(3000, 0, 51, "R"), Exit(4000, 51), Switch(5000, 51, 0, "X"), Wakeup(90_000_000, 50, "a"),
            new("sched_stat_runtime", 91_000_000, new("comm", 0, "a"), new("pid", 51), new("runtime", 400)));

        Count(report).Should().Equal((TraceIssueKind.LateForEnded, 1));
    }

    [Fact]
    public void Cgroups_AreThoseOfTheTrace()
    {
        var report = Run(
            Fork(1000, 1, 50, "a"), Attach(2000, 0, "/web/api", 50), Attach(3000, 4, "/old", 50),
            new("cgroup_mkdir", 4000, new("root", 0), new("id", 9), new("level", 1), new("path", 0, "/empty")),
            new("cgroup_rmdir", 5000, new("root", 0), new("id", 9), new("level", 1), new("path", 0, "/empty")));

        _kernel.Tasks.Find(50)!.Cgroup.Path.Should().Be("/web/api");
        _kernel.Cgroups.Find("/empty").Should().BeNull();
        Count(report).Should().Equal((TraceIssueKind.Unsupported, 1));
        report.LeftOut.Should().Be(1);
    }

    [Fact]
    public void RenamedTask_HasItsNewName_ToldOrNot()
    {
        var report = Run(
            Fork(1000, 1, 50, "a"), Fork(1100, 1, 60, "b"),
            new("task_rename", 2000, new("pid", 50), new("oldcomm", 0, "a"), new("newcomm", 0, "told")),
            Wakeup(3000, 50, "told"), Wakeup(4000, 60, "not told"));

        (_kernel.Tasks.Find(50)!.Comm, _kernel.Tasks.Find(60)!.Comm).Should().Be(("told", "not told"));
        Count(report).Should().Equal((TraceIssueKind.NameChanged, 1));
    }

    [Fact]
    public void EventThatMakesNoSense_IsLeftOut()
    {
        var report = Run(
            new TraceEvent("sched_switch", 1, new TraceField("prev_pid", 5)), Fork(2, 1, -4, "a"), Fork(3, 7, 7, "a"),
            new("sched_stat_runtime", 4, new("pid", 5), new("runtime", -1)), Wakeup(5, int.MaxValue, "a"),
            new("sched_process_exit", 6, new TraceField("pid", 1)), Wakeup(-7, 5, "a"));

        report.CountOf(TraceIssueKind.BadFields).Should().Be(6);
        report.CountOf(TraceIssueKind.Unsupported).Should().Be(1, "the first task does not exit");
        (report.Applied, report.LeftOut).Should().Be((0, 7));
        report.ToString().Should().Contain("BadFields: 6\n");
    }

    [Fact]
    public void Clock_IsTheTraces_AndTimersFireInBetween()
    {
        var fired = new List<long>();
        using var timer = _kernel.VirtualClock.CreateTimer(
            _ => fired.Add(_kernel.NowNs), null, TimeSpan.FromMilliseconds(3), Timeout.InfiniteTimeSpan);

        Run(Wakeup(1_000_000, 5, "a"), Wakeup(7_000_050, 5, "a"));

        fired.Should().Equal(3_000_000);
        _kernel.NowNs.Should().Be(7_000_000, "it counts 100 ns");
    }

    [Fact]
    public void UnknownEvent_IsRaisedAsItsRecord()
    {
        using var hooks = BpfObject.Open(Path.Combine(AppContext.BaseDirectory, "hooks.bpf.o"))
            .Load(_kernel, prog => prog.Name == "on_event");
        var format = TraceEventFormat.Parse("some", """
            name: event
            ID: 7
            format:
            TABfield:unsigned short common_type;TABoffset:0;TABsize:2;TABsigned:0;
            TABfield:int common_pid;TABoffset:4;TABsize:4;TABsigned:1;

            TABfield:u64 pid;TABoffset:8;TABsize:8;TABsigned:0;
            TABfield:__data_loc char[] what;TABoffset:16;TABsize:4;TABsigned:0;
            """.Replace("TAB", "\t"));
        var event42 = new TraceEvent("event", 1000, new("pid", 0x4242), new("what", 0, "it")) { Cpu = 2, Pid = 0 };

        var replay = new TraceReplay(_kernel, new() { RaisesRecords = true, Formats = [format] });
        using var link = hooks.Programs["on_event"].Attach();
        var report = replay.Run([event42]);

        report.RecordsRaised.Should().Be(1);
        report.Unknown.Should().Equal(new Dictionary<string, long> { ["event"] = 1 });
        var bss = new byte[hooks.Maps[".bss"].ValueSize];
        hooks.Maps[".bss"].LookupElem(new byte[4], bss).Should().Be(Errno.None);
        MemoryMarshal.Cast<byte, ulong>(bss).Contains(0x4242ul).Should().BeTrue();
        format.Encode(event42).Should().Equal(
            7, 0, 0, 0, 0, 0, 0, 0, 0x42, 0x42, 0, 0, 0, 0, 0, 0, 20, 0, 3, 0, (byte)'i', (byte)'t', 0);
    }

    [Fact]
    public void Replay_EndsOnce_AndCanBeCancelled()
    {
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        _replay.Invoking(r => r.Run([Wakeup(1, 5, "a")], cancelled.Token)).Should().Throw<OperationCanceledException>();
        _replay.Finish().Applied.Should().Be(0);
        _replay.Invoking(r => r.Apply(Wakeup(1, 5, "a"))).Should().Throw<InvalidOperationException>();
        FluentActions.Invoking(() => new TraceReplay(new(new() { Clock = TimeProvider.System })))
            .Should().Throw<InvalidOperationException>();
    }

    private TraceReplayReport Run(params TraceEvent[] events)
    {
        var report = _replay.Run(events);
        _kernel.Faults.Should().BeEmpty();
        _kernel.Ledger.AssertAllReturned();
        return report;
    }

    // ForkKindUnknown is said of every fork without task_newtask, and not what these tests are about.
    private static IEnumerable<(TraceIssueKind, long)> Count(TraceReplayReport report) =>
        report.Issues.Where(i => i.Kind != TraceIssueKind.ForkKindUnknown).Select(i => (i.Kind, i.Count));

    private static TraceEvent Fork(long ns, int parent, int child, string comm) => new("sched_process_fork", ns,
        new("parent_comm", 0, ""), new("parent_pid", parent), new("child_comm", 0, comm), new("child_pid", child));

    private static TraceEvent NewTask(long ns, int parent, int child, string comm, long flags) => new(
        "task_newtask", ns, new("pid", child), new("comm", 0, comm), new("clone_flags", flags)) { Pid = parent };

    private static TraceEvent Wakeup(long ns, int pid, string comm) =>
        new("sched_wakeup", ns, new("comm", 0, comm), new("pid", pid), new("prio", 120), new("target_cpu", 0));

    private static TraceEvent Exit(long ns, int pid) =>
        new("sched_process_exit", ns, new("comm", 0, ""), new("pid", pid), new("prio", 120));

    private static TraceEvent Switch(long ns, int prev, int next, string state) => new("sched_switch", ns,
        new("prev_comm", 0, ""), new("prev_pid", prev), new("prev_prio", 120), new("prev_state", 0, state),
        new("next_comm", 0, ""), new("next_pid", next), new("next_prio", 120)) { Cpu = 3, Pid = prev };

    private static TraceEvent Attach(long ns, int root, string path, int pid) => new("cgroup_attach_task", ns,
        new("dst_root", root), new("dst_id", 5), new("dst_level", 1), new("dst_path", 0, path), new("pid", pid),
        new("comm", 0, ""));
}
