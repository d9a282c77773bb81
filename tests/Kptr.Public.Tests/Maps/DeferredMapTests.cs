using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Public.Tests.Maps;

/// <summary>What a map type of one's own puts off waits for whom it says, and the map waits for it.</summary>
public class DeferredMapTests
{
    private const ulong Poisoned = 0x6b6b6b6b_6b6b6b6b;

    [Theory]
    [InlineData(GracePeriods.Rcu, true, false)]
    [InlineData(GracePeriods.TasksTrace, false, true)]
    [InlineData(GracePeriods.Both, true, true)]
    public void ReturnAfter_WaitsForTheReadersNamed(GracePeriods readers, bool waitsForRcu, bool waitsForTrace)
    {
        foreach (var (isTrace, waits) in new[] { (false, waitsForRcu), (true, waitsForTrace) })
        {
            using var kernel = PublicKernel.Boot();
            using var map = new LeakyMap(kernel);
            map.Values.TryTake(out var slot).Should().BeTrue();
            ref var value = ref map.At<Pinned>(map.Values.AddressOf(slot));
            value.Seen = 7;
            using (isTrace ? kernel.RcuTrace.ReadLock() : kernel.Rcu.ReadLock())
            {
                map.Recycle(map.Values, slot);
                map.Values.ReturnAfter(slot, readers);
                Step(kernel);
                map.Values.WaitingCount.Should().Be(waits ? 1 : 0);
                map.TakeCensus().Should().Be(new MapCensus(4, 0, waits ? 3 : 4, Deferred: waits ? 1 : 0));
                value.Seen.Should().Be(waits ? 7 : Poisoned);
            }

            kernel.Quiesce();
            map.TakeCensus().Should().Be(new MapCensus(4, 0, 4));
            value.Seen.Should().Be(Poisoned);
        }
    }

    [Theory]
    [InlineData(DestroyBehavior.Eager)]
    [InlineData(DestroyBehavior.Recycle)]
    public void ReturnAfter_DestroysWhatIsLeftWhenReadersHaveEnded(DestroyBehavior policy)
    {
        using var kernel = PublicKernel.Boot(policy);
        var map = new LeakyMap(kernel);
        var task = kernel.Tasks.Fork(kernel.Tasks.Init);
        var before = task.Count.Value;
        map.Values.TryTake(out var slot).Should().BeTrue();
        map.At<Pinned>(map.Values.AddressOf(slot)).Task.Exchange(task.TryAcquire()).Should().BeNull();
        map.Recycle(map.Values, slot);
        map.Values.ReturnAfter(slot, GracePeriods.Both);
        task.Count.Value.Should().Be(policy == DestroyBehavior.Eager ? before : before + 1);
        kernel.Quiesce();
        task.Count.Value.Should().Be(before);
        map.FreeNow();
        kernel.Ledger.AssertNoLeaks();
    }

    [Fact]
    public void ReturnAfter_Twice_IsAnError()
    {
        using var kernel = PublicKernel.Boot();
        using var map = new LeakyMap(kernel);
        map.Values.TryTake(out var slot).Should().BeTrue();
        map.Values.ReturnAfter(slot, GracePeriods.Rcu);
        ((Action)(() => map.Values.ReturnAfter(slot, GracePeriods.Rcu))).Should().Throw<InvalidOperationException>();
        ((Action)(() => map.Values.Return(slot))).Should().Throw<InvalidOperationException>();
        kernel.Quiesce();
        ((Action)(() => map.Values.Return(slot))).Should().Throw<InvalidOperationException>();
        map.TakeCensus().Should().Be(new MapCensus(4, 0, 4));
    }

    [Theory]
    [InlineData(GracePeriods.None)]
    [InlineData((GracePeriods)4)]
    [InlineData((GracePeriods)(-1))]
    public void Readers_ThatThereAreNot_AreRefused(GracePeriods readers)
    {
        using var kernel = PublicKernel.Boot();
        using var map = new LeakyMap(kernel);
        map.Values.TryTake(out var slot).Should().BeTrue();
        ((Action)(() => map.Values.ReturnAfter(slot, readers))).Should().Throw<ArgumentOutOfRangeException>();
        ((Action)(() => map.Later(readers, () => { }))).Should().Throw<ArgumentOutOfRangeException>();
        map.Values.Return(slot);
    }

    [Fact]
    public void Free_WaitsForAllThatIsPutOff_AndThenNothingCanBe()
    {
        using var kernel = PublicKernel.Boot();
        var map = new LeakyMap(kernel);
        var ran = new List<string>();
        map.Values.TryTake(out var slot).Should().BeTrue();
        map.Values.TryTake(out var second).Should().BeTrue();
        using (kernel.RcuTrace.ReadLock())
        {
            map.Later(GracePeriods.Both, () =>
            {
                ran.Add($"callback in {kernel.Context}");
                map.Work(() => ran.Add($"work in {kernel.Context}, freed: {map.IsFreed}"));
            });
            map.Values.ReturnAfter(slot, GracePeriods.Both);
            map.Dispose();
            Step(kernel);
            ran.Should().BeEmpty();
            map.IsFreed.Should().BeFalse("a slot and a callback wait");
        }

        kernel.Quiesce();
        ran.Should().Equal("callback in SoftIrq", "work in Process, freed: False");
        map.IsFreed.Should().BeTrue();
        ((Action)(() => map.Work(() => ran.Add("late")))).Should().Throw<ObjectDisposedException>();
        ((Action)(() => map.Values.ReturnAfter(second, GracePeriods.Rcu))).Should().Throw<ObjectDisposedException>();
        kernel.Quiesce();
        ran.Should().HaveCount(2);
    }

    [Fact]
    public void WhatIsPutOffAndThrows_IsThrownByTheNextQuiesceAndHoldsNothingUp()
    {
        using var kernel = PublicKernel.Boot();
        var map = new LeakyMap(kernel);
        map.Work(() => throw new FormatException("mine"));
        map.Dispose();
        kernel.Invoking(k => k.Quiesce()).Should().Throw<FormatException>();
        map.IsFreed.Should().BeTrue();
    }

    // All that a kernel would do by itself, with a reader of this thread open.
    private static void Step(KernelModel kernel)
    {
        for (var i = 0; i < 8; i++)
        {
            kernel.RcuTrace.Step();
            kernel.Rcu.Step();
            kernel.Work.Step();
        }
    }
}
