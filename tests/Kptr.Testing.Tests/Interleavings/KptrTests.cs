using Kptr.Maps;
using Kptr.Objects;

namespace Kptr.Testing.Tests.Schedules;

/// <summary>Kptr's own tables, locks and RCU under every schedule of a few operations.</summary>
public class KptrTests
{
    private static readonly bool IsNightly = Environment.GetEnvironmentVariable("KPTR_SCHEDULES") is { Length: > 0 };

    /// <summary>Small in the tests; with <c>KPTR_SCHEDULES</c> set, for as long as it takes.</summary>
    private static InterleavingOptions Bounds => IsNightly
        ? new() { SchedulesMax = int.MaxValue, TimeMax = TimeSpan.FromHours(1), RandomSchedules = 2000 }
        : new() { Preemptions = 1, HeldStores = 0, RandomSchedules = 5 };

    /// <summary>For what has few steps.</summary>
    private static InterleavingOptions WideBounds =>
        IsNightly ? Bounds : Bounds with { Preemptions = 2, HeldStores = 1 };

    [Theory]
    [InlineData("hash")]
    [InlineData("hash without preallocation")]
    [InlineData("LRU hash")]
    [InlineData("sample")]
    [InlineData(nameof(Fault.None))]
    public void UpdateDeleteAndStore_LoseNothing(string kind)
    {
        Passes(Interleavings.Explore(
            () => World.Holding(kind), [w => w.Update(1), w => w.Delete(1)], w => w.CheckAllIsBack(), Bounds));
        if (kind == "sample")
        {
            return;     // its values are others
        }

        Passes(Interleavings.Explore(
            () => World.Holding(kind), [w => w.Store(1), w => w.Delete(1)], w => w.CheckAllIsBack(), Bounds));
        if (IsNightly)
        {
            Passes(Interleavings.Explore(
                () => World.Holding(kind), [w => w.Store(1), w => w.Delete(1), w => w.Update(2)],
                w => w.CheckAllIsBack(), Bounds));
        }
    }

    /// <summary>An entry is linked with its content, and values are swapped, on a processor that turns stores round.
    /// </summary>
    [Theory]
    [InlineData("hash")]
    [InlineData("hash without preallocation")]
    [InlineData("LRU hash")]
    public void OnArm_EntriesAreSeenWhole_AndNothingIsLost(string kind)
    {
        var bounds = Bounds with { HeldStores = 1, MemoryOrder = MemoryOrder.Arm };
        Passes(Interleavings.Explore(
            () => World.Holding(kind), [w => w.Update(2), w => w.Read(2, isCareless: false)],
            w => w.CheckAllIsBack(), bounds));
        if (IsNightly)
        {
            Passes(Interleavings.Explore(
                () => World.Holding(kind), [w => w.Store(1), w => w.Delete(1)], w => w.CheckAllIsBack(), bounds));
            Passes(Interleavings.Explore(
                () => World.Holding(kind), [w => w.Update(1), w => w.Delete(1)], w => w.CheckAllIsBack(), bounds));
        }
    }

    [Fact]
    public void SlotExchangedTwice_LosesNothing() => Passes(Interleavings.Explore(
        () => World.Holding("array"), [w => w.Store(1), w => w.Store(1)], w => w.CheckAllIsBack(), WideBounds));

    /// <summary>
    /// Three threads of six operations, with what a night has time for: each schedule makes a kernel, a thousand a
    /// second.
    /// </summary>
    [Theory]
    [InlineData("hash", 2, 0, 0)]
    [InlineData("hash", 1, 0, 1)]
    [InlineData("LRU hash", 1, 0, 1)]
    public void SixOperationsOfThreeThreads_LoseNothing(string kind, int preemptions, int interrupts, int faults) =>
        Passes(Interleavings.Explore(
            () => World.Holding(kind), [w => w.Work(0), w => w.Work(1), w => w.Work(2)], w => w.CheckAllIsBack(),
            Bounds with
            {
                Preemptions = IsNightly ? preemptions : 0, HeldStores = 0,
                Interrupts = interrupts, Faults = IsNightly ? faults : 0,
            },
            interrupts: [w => w.Disturb(1)]));

    /// <summary>Interrupts come in everywhere but under locks of Kptr's own, where Linux has none either.</summary>
    [Theory]
    [InlineData("hash")]
    [InlineData("LRU hash")]
    [InlineData("array")]
    public void ProgramInAnInterrupt_LosesNothing(string kind) => Passes(Interleavings.Explore(
        () => World.Holding(kind), [w => w.Update(1), w => w.Delete(1)], w => w.CheckAllIsBack(),
        Bounds with { Preemptions = IsNightly ? 2 : 0 }, interrupts: [w => w.Disturb(1)]));

    [Fact]
    public void NewKeysInAFullLruHash_LoseNothing() => Passes(Interleavings.Explore(
        () => World.Holding("LRU hash"), [w => w.Update(2), w => w.Update(3)], w => w.CheckAllIsBack(), Bounds));

    [Fact]
    public void LastReferences_AreDroppedOnce() => Passes(Interleavings.Explore(
        () => World.Of("array"),
        [w => w.Task.TryAcquire()?.Release(), w => w.Task.TryAcquire()?.Release()],
        w => w.CheckAllIsBack(), WideBounds));

    [Theory, InlineData(false), InlineData(true)]
    public void Synchronize_WaitsForReaders(bool isCareless)
    {
        var report = Interleavings.Explore(
            () => World.Of("array"), [w => w.ReadShared(), w => w.FreeShared(isCareless)], null, WideBounds);
        if (!isCareless)
        {
            Passes(report);
            return;
        }

        report.Failure.Should().Contain("freed under a reader");
    }

    [Fact]
    public void DeferredWork_RunsBesideADelete() => Passes(Interleavings.Explore(
        () => World.Holding("hash"),
        [w => w.Delete(1), w => _ = w.Kernel.RcuTrace.Step() + w.Kernel.Rcu.Step()], w => w.CheckAllIsBack(), Bounds));

    [Theory]
    [InlineData("hash")]
    [InlineData(nameof(Fault.None))]
    public void FreeDuringUse_LosesNothing(string kind) => Passes(Interleavings.Explore(
        () => World.Holding(kind), [w => w.UseUnlessFreed(1), w => w.Free()], w => w.CheckAllIsBack(), Bounds));

    [Theory]
    [InlineData(nameof(Fault.None), false, false)]
    [InlineData(nameof(Fault.FreedUnderReader), false, true)]
    [InlineData(nameof(Fault.None), true, true)]
    public void ReaderBesideADelete_SeesTheValue(string kind, bool keepsTooLong, bool fails)
    {
        var report = Interleavings.Explore(
            () => World.Holding(kind),
            [
                w => w.Read(1, keepsTooLong),
                w =>
                {
                    w.Delete(1);
                    w.Update(2, MapUpdateFlags.Any, first: 9);
                    w.Kernel.Quiesce();
                },
            ],
            null, fails ? Bounds with { SchedulesMax = 5000, Preemptions = 2 } : Bounds);
        if (fails)
        {
            report.Failure.Should().Contain("the value reads", report.ToString());
            return;
        }

        Passes(report);
    }

    [Theory]
    [InlineData(nameof(Fault.LockOrderTurned), "deadlock")]
    [InlineData(nameof(Fault.FlagTestedOutsideLock), "the outcome is wrong")]
    public void RacesOfAMap_AreFound(string kind, string failure)
    {
        var report = Interleavings.Explore(
            () => World.Of(kind),
            [
                w => w.Count(w.Update(1, MapUpdateFlags.NoExist)),
                w =>
                {
                    w.Count(w.Update(1, MapUpdateFlags.NoExist));
                    w.Delete(1);
                    w.Count(w.Update(1, MapUpdateFlags.NoExist));
                },
            ],
            w => w.Made.Should().BeLessThan(3),
            Bounds with { SchedulesMax = 5000 });
        report.Failure.Should().StartWith(failure, report.ToString());
    }

    // All up to the bounds were tried: a budget that is used up is no pass.
    private static void Passes(InterleavingReport report) => report.AssertPassed();
}
