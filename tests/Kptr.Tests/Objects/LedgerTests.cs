using System.Text.Json;
using Kptr.Objects;

namespace Kptr.Tests.Objects;

public class LedgerTests
{
    [Fact]
    public void WhoPins_AtSites_NamesHolderRegisterAndAcquireSite()
    {
        using var core = TestKernel.Boot(LedgerLevel.Sites);
        var run = new FakeRun();
        var task = core.Tasks.Fork(core.Tasks.Init, "nginx");
        task.TryAcquireCount();
        core.Ledger.AcquiredByRun(task, run);
        core.Ledger.WhoPins(task).ToString().Should().Be(string.Join(
            Environment.NewLine,
            $"task_struct pid {task.Pid} \"nginx\": 3 references",
            "  kernel (visible until reaped)",
            "  kernel (scheduler)",
            "  program \"prog\" run 1 in r6, since prog insn 14 (prog.bpf.c:31)"));
        run.IsActive = false;
        core.Ledger.FindLeaks().Should().ContainSingle().Which.Holder.ToString().Should().Contain("which has ended");
    }

    [Fact]
    public void WhoPins_AtCounts_FindsSlotsAndSaysWhatItDoesNotKnow()
    {
        using var core = TestKernel.Boot();
        var slots = new FakeMap(core);
        var task = core.Tasks.Fork(core.Tasks.Init);
        slots.Slot(0).Exchange(task.TryAcquire()).Should().BeNull();
        var mine = task.TryAcquire()!.Value;
        core.Ledger.WhoPins(task).Users.Select(e => e.Holder).Should().Equal(
            new MapHolder("fake", "0", "task"), new UnknownHolder());
        mine.Release();
        core.Ledger.FindLeaks().Should().BeEmpty("a reference in a live element is no leak");
        var all = () => core.Ledger.AssertAllReturned();
        all.Should().Throw<LedgerLeakException>().WithMessage("*map \"fake\", key 0, field task*");
    }

    [Fact]
    public void AssertNoLeaks_WithALostReference_NamesTheLineThatTookIt()
    {
        using var core = TestKernel.Boot(LedgerLevel.Sites);
        var task = core.Tasks.Fork(core.Tasks.Init);
        var lost = task.TryAcquire("Handler.cs", 42)!.Value;
        var assert = () => core.Ledger.AssertNoLeaks();
        assert.Should().Throw<LedgerLeakException>().WithMessage("*held by C# at Handler.cs:42*");
        lost.Release();
        core.Ledger.AssertNoLeaks();
    }

    [Fact]
    public void Snapshot_DiffShowsWhatCameAndWent_AndDoesNotChange()
    {
        using var core = TestKernel.Boot(LedgerLevel.Sites);
        var slots = new FakeMap(core);
        var task = core.Tasks.Fork(core.Tasks.Init);
        var mine = task.TryAcquire()!.Value;
        var before = core.Ledger.Snapshot();
        slots.Slot(1).Exchange(mine).Should().BeNull();
        var after = core.Ledger.Snapshot();
        var diff = after.Since(before);
        diff.Added.Should().ContainSingle().Which.Holder.Should().BeOfType<MapHolder>();
        diff.Removed.Should().ContainSingle().Which.Holder.Should().BeOfType<CSharpHolder>();
        after.Since(after).IsEmpty.Should().BeTrue();
        slots.Slot(1).Exchange(null)!.Value.Release();
        core.Ledger.Snapshot().Since(before).Added.Should().BeEmpty();
        after.Entries.Should().Contain(e => e.Holder is MapHolder, "a snapshot is immutable");
    }

    [Fact]
    public void Full_KeepsTheWayThatAReferenceTook()
    {
        using var core = TestKernel.Boot(LedgerLevel.Full);
        var slots = new FakeMap(core);
        var task = core.Tasks.Fork(core.Tasks.Init);
        slots.Slot(0).Exchange(task.TryAcquire("A.cs", 1), "B.cs", 2).Should().BeNull();
        var mine = slots.Slot(0).Exchange(null, "C.cs", 3);
        var entry = core.Ledger.WhoPins(task).Users.Should().ContainSingle().Subject;
        entry.AcquiredAt.Should().Be(new RefSite("A.cs", 1));
        entry.HeldSince.Should().Be(new RefSite("C.cs", 3));
        entry.History.Should().HaveCount(2).And.Contain(
            h => h.Contains("map \"fake\", key 0", StringComparison.Ordinal));
        mine!.Value.Release();
    }

    [Fact]
    public void PinnedBytes_CountsEachObjectOnce_ByTypeMapAndSite()
    {
        using var core = TestKernel.Boot(LedgerLevel.Sites);
        var slots = new FakeMap(core);
        var (a, b) = (core.Tasks.Fork(core.Tasks.Init), core.Tasks.Fork(core.Tasks.Init));
        slots.Slot(0).Exchange(a.TryAcquire("Track.cs", 7)).Should().BeNull();
        slots.Slot(1).Exchange(a.TryAcquire("Track.cs", 7)).Should().BeNull();
        slots.Slot(2).Exchange(b.TryAcquire("Track.cs", 8)).Should().BeNull();
        core.Ledger.PinnedBytes().Should().Be(2 * a.SizeBytes);
        var snapshot = core.Ledger.Snapshot();
        snapshot.PinnedBytesByMap()["fake"].Should().Be(2 * a.SizeBytes);
        snapshot.PinnedBytesBySite()["Track.cs:7"].Should().Be(a.SizeBytes);
        snapshot.PinnedBytesByType()["task_struct"].Should().Be(3 * a.SizeBytes, "the first task is there too");
    }

    [Fact]
    public void SizesThatNoNumberHolds_AreAsMuchAsThereIs()
    {
        using var core = TestKernel.Boot(LedgerLevel.Sites);
        var slots = new FakeMap(core);
        slots.Slot(0).Exchange(core.Tasks.Fork(core.Tasks.Init).TryAcquire()).Should().BeNull();
        slots.Slot(1).Exchange(core.Tasks.Fork(core.Tasks.Init).TryAcquire()).Should().BeNull();
        var huge = new LedgerSnapshot(
            0, [.. core.Ledger.Snapshot().Entries.Select(e => e with { SizeBytes = long.MaxValue })]);
        huge.PinnedBytesByMap()["fake"].Should().Be(long.MaxValue);
        huge.ToHtml().Should().Contain($"{long.MaxValue} bytes");
    }

    [Fact]
    public void Formats_AreWellFormed()
    {
        using var core = TestKernel.Boot(LedgerLevel.Sites);
        var slots = new FakeMap(core);
        slots.Slot(0).Exchange(core.Tasks.Fork(core.Tasks.Init, "a \"quoted\"").TryAcquire()).Should().BeNull();
        var snapshot = core.Ledger.Snapshot();
        using var json = JsonDocument.Parse(snapshot.ToJson());
        json.RootElement.GetArrayLength().Should().Be(snapshot.Entries.Length);
        json.RootElement.EnumerateArray().Select(e => e.GetProperty("holder_kind").GetString()).Should().Contain("map");
        snapshot.ToMermaid().Should().StartWith("graph LR").And.Contain("#quot;quoted#quot;");
        snapshot.ToDot().Should().StartWith("digraph ledger {").And.EndWith("}\n").And.Contain("\\\"quoted\\\"");
        snapshot.ToString().Should().Contain("map \"fake\", key 0, field task");
    }

    [Fact]
    public void DroppedReference_IsReportedWhenTheCollectorFindsIt()
    {
        using var core = TestKernel.Boot(LedgerLevel.Sites);
        var raisedOn = 0;
        core.FaultReported += (_, _) => raisedOn = Environment.CurrentManagedThreadId;
        Drop(core.Tasks.Init);
        while (core.Faults.Count == 0)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        raisedOn.Should().Be(0, "nothing is raised on the finalizer's thread");
        core.Quiesce();
        raisedOn.Should().Be(Environment.CurrentManagedThreadId);
        var fault = core.TakeFaults().Should().ContainSingle().Subject;
        (fault.Code, fault.EarlierSite).Should().Be((Diagnostics.DiagCode.RefDropped, new RefSite("Drop.cs", 5)));

        [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
#pragma warning disable KPTR001 // the leak that is meant
        static void Drop(TaskStruct task) => task.TryAcquire("Drop.cs", 5);
#pragma warning restore KPTR001
    }

    /// <summary>Eight kptr slots with keys, as the ledger sees a map.</summary>
    private sealed unsafe class FakeMap : IReferenceSource
    {
        private const int SlotCount = 8;
        private readonly ulong _values;

        internal FakeMap(KernelCore core)
        {
            _values = core.Heap.AllocateBlock("fake", SlotCount * 8, this);
            core.Ledger.AddSource(this);
        }

        public Holder DescribeSlot(ulong slotAddress) =>
            new MapHolder("fake", $"{(slotAddress - _values) / 8}", "task");

        public bool IsSpecial(ulong address, int sizeBytes) => false;

        public IEnumerable<HeldSlot> HeldSlots() => Enumerable.Range(0, SlotCount)
            .Select(i => _values + ((ulong)i * 8))
            .Where(at => Word(at) != 0)
            .Select(at => new HeldSlot(at, Word(at), DescribeSlot(at)));

        internal ref Kptr<TaskStruct> Slot(int i) => ref *(Kptr<TaskStruct>*)(_values + ((ulong)i * 8));

        private static ulong Word(ulong at) => *(ulong*)at;
    }
}
