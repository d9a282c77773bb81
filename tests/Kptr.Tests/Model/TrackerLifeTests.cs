using Kptr.Maps;
using Kptr.Objects;

namespace Kptr.Tests.Model;

/// <summary>
/// The tracker object run against modelled tasks; the counts beside the steps are worked out by hand.
/// </summary>
public sealed class TrackerLifeTests : IDisposable
{
    private readonly KernelModel _kernel = new(
        new() { LedgerLevel = LedgerLevel.Sites, Driver = DeferredDriver.Manual });
    private readonly BpfObject _tracker;
    private readonly BpfLink[] _links;

    public TrackerLifeTests()
    {
        _tracker = BpfObject.Open(
            Path.Combine(TestData.Root, "samples", "TaskTracker", "bpf", "task_tracker.bpf.o")).Load(_kernel);
        _links = [
            _tracker.Programs["on_newtask"].Attach(), _tracker.Programs["on_exec"].Attach(),
            _tracker.Programs["on_exit"].Attach(),
        ];
    }

    private BpfMap Tasks => _tracker.Maps["tasks"];

    [Fact]
    public void Fork_IsSeenByTheProgram_WhichPinsTheTask()
    {
        // user-visible 1, scheduler 1, slot 1: rcu_users 3
        var task = _kernel.Tasks.Fork(_kernel.Tasks.Init, "nginx");

        task.Count.Value.Should().Be(3);
        task.Usage.Value.Should().Be(1);
        var pin = _kernel.Ledger.WhoPins(task).Users.Should().ContainSingle().Subject;
        pin.Holder.Should().Be(
            new MapHolder("tasks", task.Pid.ToString(System.Globalization.CultureInfo.InvariantCulture), "task"));
        pin.HeldSince.ToString().Should().Contain("on_newtask insn 28").And.Contain("task_tracker.bpf.c:53");
    }

    [Fact]
    public void ExitAndReap_LeaveOnlyTheSlotsReference()
    {
        var task = _kernel.Tasks.Fork(_kernel.Tasks.Init, "job");     // rcu_users 3
        _kernel.Tasks.Exit(task);                                     // scheduler's gone: 2
        task.Count.Value.Should().Be(2);
        task.Phase.Should().Be(TaskPhase.Zombie);
        _kernel.Tasks.Reap(task);                                     // user-visible one gone: 1
        _kernel.Quiesce();
        task.Count.Value.Should().Be(1);
        task.IsFreed.Should().BeFalse();
    }

    [Fact]
    public void UserSpaceDelete_RunsTheDestructor_AndTheTaskGoesAfterAGracePeriod()
    {
        var task = ForkAndReap("job");                                // slot 1
        Tasks.Delete(task.Pid).Should().Be(Diagnostics.Errno.None); // 0: queued for RCU
        task.IsFreed.Should().BeFalse();
        _kernel.Quiesce();
        task.IsFreed.Should().BeTrue();
        _kernel.Ledger.AssertAllReturned();
    }

    [Fact]
    public void UserSpaceUpdate_ReplacesTheValue_AndReleasesItsTask()
    {
        var task = ForkAndReap("job");                                // slot 1
        Tasks.Update(task.Pid, new TaskEntry { SeenNs = 7 });         // old element dies: 0
        _kernel.Quiesce();
        task.IsFreed.Should().BeTrue();
        Tasks.TryLookup(2, out TaskEntry entry).Should().BeTrue();
        entry.Should().Be(new TaskEntry { SeenNs = 7 });
    }

    [Fact]
    public void UserSpaceLookup_SeesTheSlotAsZero()
    {
        var task = _kernel.Tasks.Fork(_kernel.Tasks.Init);
        Tasks.TryLookup(task.Pid, out TaskEntry entry).Should().BeTrue();
        entry.Task.Should().Be(0);
    }

    [Fact]
    public void UserSpaceUpdate_CannotInstallAPointer()
    {
        var victim = _kernel.Tasks.Fork(_kernel.Tasks.Init);          // rcu_users 3
        Tasks.Update(99, new TaskEntry { Task = victim.Address });
        Tasks.Delete(99);
        _kernel.Quiesce();
        victim.Count.Value.Should().Be(3);
    }

    [Fact]
    public void ClosingTheObject_FreesTheMap_AndReturnsEveryReference()
    {
        var tasks = Enumerable.Range(0, 10).Select(i => _kernel.Tasks.Fork(_kernel.Tasks.Init, $"t{i}")).ToList();
        tasks.Should().OnlyContain(t => t.Count.Value == 3);
        Unload();
        _kernel.Quiesce();
        tasks.Should().OnlyContain(t => t.Count.Value == 2);
        _kernel.Ledger.AssertAllReturned();
        _kernel.Faults.Should().BeEmpty();
    }

    [Fact]
    public void Detached_ProgramsSeeNothing()
    {
        Unload();
        _kernel.Tasks.Fork(_kernel.Tasks.Init).Count.Value.Should().Be(2);
    }

    [Fact]
    public void ExecAndExit_AreCounted()
    {
        var task = _kernel.Tasks.Fork(_kernel.Tasks.Init);
        _kernel.Tasks.Exec(task, "sh");
        _kernel.Tasks.Exec(task, "ls");
        _kernel.Tasks.Exit(task);
        _tracker.Maps[".bss"].TryLookup(0, out (ulong Execs, ulong Exits) counts).Should().BeTrue();
        counts.Should().Be((2, 1));
    }

    [Fact]
    public void Summarise_TellsWhoATaskWas_EvenWhenItIsReaped()
    {
        var cgroup = _kernel.Cgroups.Create("web");
        var task = _kernel.Tasks.Fork(_kernel.Tasks.Init, "nginx");
        _kernel.Cgroups.Attach(cgroup, task);
        task.AddCpuTime(TimeSpan.FromMilliseconds(3), TimeSpan.FromMilliseconds(4));
        var pid = task.Pid;
        _kernel.Tasks.Exit(task);
        _kernel.Tasks.Reap(task);
        _kernel.Quiesce();

        _tracker.Programs["summarise"].TestRun(BitConverter.GetBytes(pid)).ReturnValue.Should().Be(1);
        _tracker.Maps["summary"].TryLookup(0, out Summary summary).Should().BeTrue();
        summary.Pid.Should().Be(pid);
        summary.CgroupId.Should().Be(cgroup.Id);
        summary.CpuTimeNs.Should().Be(7_000_000);
        System.Text.Encoding.ASCII.GetString(summary.Comm).TrimEnd('\0').Should().Be("nginx");
    }

    [Fact]
    public void Summarise_OfAnUnknownPid_FindsNothing()
    {
        var pid = 4711;
        _tracker.Programs["summarise"].TestRun(BitConverter.GetBytes(pid)).ReturnValue.Should().Be(0);
    }

    [Fact]
    public void Load_OfALeakingObject_NamesEveryRefusedProgram_AndLeavesNothingBehind()
    {
        var spec = BpfObject.Open(Path.Combine(TestData.Root, "samples", "TaskTracker", "bpf", "task_leak.bpf.o"));
        var load = () => spec.Load(_kernel);
        load.Should().Throw<ProgramRejectedException>().Which.Refused.Select(r => r.Name).Should().BeEquivalentTo(
            "never_released", "missing_null_check", "double_release", "plain_store", "displaced_dropped",
            "used_after_release");
    }

    public void Dispose()
    {
        Unload();
        _kernel.Dispose();
    }

    private void Unload()
    {
        Array.ForEach(_links, l => l.Dispose());
        _tracker.Dispose();
    }

    private TaskStruct ForkAndReap(string comm)
    {
        var task = _kernel.Tasks.Fork(_kernel.Tasks.Init, comm);
        _kernel.Tasks.Exit(task);
        _kernel.Tasks.Reap(task);
        _kernel.Quiesce();
        task.Count.Value.Should().Be(1);
        return task;
    }

    private record struct TaskEntry(ulong Task, ulong SeenNs);

    [System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Sequential)]
    private struct Summary
    {
        public int Pid;
        public int Tgid;
        public CommBytes Comm;
        public ulong CgroupId;
        public ulong CpuTimeNs;
        public ulong SeenNs;
    }

    [System.Runtime.CompilerServices.InlineArray(16)]
    private struct CommBytes
    {
        private byte _first;
    }
}
