using Kptr.Diagnostics;
using Kptr.Objects;

namespace Kptr.Tests.Model;

/// <summary>
/// The sample's real object, end to end: read, linked, verified, attached, run, and every reference accounted for.
/// </summary>
public class TaskTrackerTests
{
    private static readonly string Tracker = Path.Combine(
        TestData.Root, "samples", "TaskTracker", "bpf", "task_tracker.bpf.o");

    [Theory]
    [InlineData(LedgerLevel.Counts)]
    [InlineData(LedgerLevel.Sites)]
    [InlineData(LedgerLevel.Full)]
    public void Tracker_ForkExitReapDelete_CountsAreLinuxsAtEveryStep(LedgerLevel level)
    {
        using var kernel = new KernelModel(
            new KernelModelOptions { LedgerLevel = level, Driver = DeferredDriver.Manual });
        using var obj = BpfObject.Open(Tracker).Load(kernel);
        using var link = obj.Programs["on_newtask"].Attach();

        var child = kernel.Tasks.Fork(kernel.Tasks.Init, "nginx");
        child.Count.Value.Should().Be(3, "user-visible state, scheduler, map slot");

        kernel.Tasks.Exit(child);
        kernel.Tasks.Reap(child).Should().BeTrue();
        kernel.Quiesce();
        child.Count.Value.Should().Be(1, "only the map pins it");
        child.IsFreed.Should().BeFalse();

        obj.Maps["tasks"].DeleteElem(BitConverter.GetBytes(child.Pid)).Should().Be(Errno.None);
        kernel.Quiesce();
        child.IsFreed.Should().BeTrue();
        kernel.Ledger.AssertAllReturned();
    }

    [Fact]
    public void Tracker_UnderSites_NamesMapKeyFieldInstructionAndLine()
    {
        using var kernel = new KernelModel(new KernelModelOptions { LedgerLevel = LedgerLevel.Sites });
        using var obj = BpfObject.Open(Tracker).Load(kernel);
        using var link = obj.Programs["on_newtask"].Attach();

        var child = kernel.Tasks.Fork(kernel.Tasks.Init, "nginx");

        var held = kernel.Ledger.WhoPins(child).Entries.Should().ContainSingle(e => e.Holder is MapHolder).Subject;
        held.Holder.Should().Be(
            new MapHolder("tasks", child.Pid.ToString(System.Globalization.CultureInfo.InvariantCulture), "task"));
        held.HeldSince.Prog.Should().Be("on_newtask");
        held.HeldSince.Insn.Should().BePositive();
        Path.GetFileName(held.HeldSince.File).Should().Be("task_tracker.bpf.c");
        held.AcquiredAt.ToString().Should().Be("on_newtask insn 1 (task_tracker.bpf.c:64)");
    }

    [Fact]
    public void Tracker_MapFree_ReleasesWhatItStillHolds()
    {
        using var kernel = new KernelModel();
        TaskStruct child;
        using (var obj = BpfObject.Open(Tracker).Load(kernel))
        {
            using var link = obj.Programs["on_newtask"].Attach();
            child = kernel.Tasks.Fork(kernel.Tasks.Init, "nginx");
            kernel.Tasks.Exit(child);
            kernel.Tasks.Reap(child);
        }

        kernel.Quiesce();
        child.IsFreed.Should().BeTrue();
        kernel.Ledger.AssertAllReturned();
    }

    [Fact]
    public void Tracker_Summarise_ReadsTheTaskThroughItsKptr()
    {
        using var kernel = new KernelModel();
        using var obj = BpfObject.Open(Tracker).Load(kernel);
        using var link = obj.Programs["on_newtask"].Attach();
        var child = kernel.Tasks.Fork(kernel.Tasks.Init, "nginx");
        child.AddCpuTime(TimeSpan.FromMilliseconds(3), TimeSpan.FromMilliseconds(4));

        obj.Programs["summarise"].TestRun(BitConverter.GetBytes(child.Pid)).Should().Be(new ProgramResult(1, null));

        var summary = new byte[48];
        obj.Maps["summary"].LookupElem(new byte[4], summary).Should().Be(Errno.None);
        BitConverter.ToInt32(summary, 0).Should().Be(child.Pid);
        System.Text.Encoding.ASCII.GetString(summary, 8, 5).Should().Be("nginx");
        BitConverter.ToUInt64(summary, 24).Should().Be(kernel.Cgroups.Root.Id);
        BitConverter.ToUInt64(summary, 32).Should().Be(7_000_000);
        obj.Programs["summarise"].TestRun(BitConverter.GetBytes(12345)).ReturnValue.Should().Be(0);
    }

    [Fact]
    public void Tracker_ExecAndExit_AreCountedInItsGlobals()
    {
        using var kernel = new KernelModel();
        using var obj = BpfObject.Open(Tracker).Load(kernel);
        using var exec = obj.Programs["on_exec"].Attach();
        using var exit = obj.Programs["on_exit"].Attach();

        var child = kernel.Tasks.Fork(kernel.Tasks.Init, "sh");
        kernel.Tasks.Exec(child, "ls");
        kernel.Tasks.Exit(child);

        obj.Programs["on_exec"].RunCount.Should().Be(1);
        obj.Programs["on_exit"].RunCount.Should().Be(1);
        kernel.Faults.Should().BeEmpty();
    }

    [Fact]
    public void Link_Disposed_RunsNoMore()
    {
        using var kernel = new KernelModel();
        using var obj = BpfObject.Open(Tracker).Load(kernel);
        var link = obj.Programs["on_newtask"].Attach();
        kernel.Tasks.Fork(kernel.Tasks.Init, "one");

        link.Dispose();
        kernel.Tasks.Fork(kernel.Tasks.Init, "two");

        obj.Programs["on_newtask"].RunCount.Should().Be(1);
    }

    [Fact]
    public void Leaks_AreRefused_AndNothingOfTheObjectStays()
    {
        using var kernel = new KernelModel();
        using var obj = BpfObject.Open(Path.Combine(TestData.Root, "samples", "TaskTracker", "bpf", "task_leak.bpf.o"));

        var load = () => obj.Load(kernel);

        load.Should().Throw<ProgramRejectedException>().Which.Refused.Select(r => r.Name).Should().Equal(
            "never_released", "missing_null_check", "double_release", "plain_store", "displaced_dropped",
            "used_after_release");
        obj.Maps.Should().BeEmpty();
    }

    [Fact]
    public void MendedTwins_OfTheLeaks_LoadAndRun_AndLeakNothing()
    {
        using var kernel = new KernelModel(new KernelModelOptions { LedgerLevel = LedgerLevel.Sites });
        using (var obj = BpfObject.Open(Path.Combine(TestData.Root, "samples", "TaskTracker", "bpf", "task_leak.bpf.o"))
            .Load(kernel, p => p.Name.EndsWith("_mended", StringComparison.Ordinal)))
        {
            var links = obj.Programs.Values.Select(p => p.Attach()).ToList();
            kernel.Tasks.Fork(kernel.Tasks.Init, "nginx");
            kernel.Tasks.Fork(kernel.Tasks.Init, "nginx");
            obj.Programs.Values.Should().OnlyContain(p => p.RunCount == 2);
            links.ForEach(l => l.Dispose());
            kernel.Quiesce();
            kernel.Ledger.AssertNoLeaks();
        }

        kernel.Quiesce();
        kernel.Ledger.AssertAllReturned();
    }
}
