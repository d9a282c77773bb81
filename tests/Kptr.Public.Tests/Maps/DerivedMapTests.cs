using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Public.Tests.Maps;

/// <summary>What the base class lends to a map type of one's own cannot be led out of the map's memory.</summary>
public class DerivedMapTests
{
    [Theory]
    [InlineData(-1)]
    [InlineData(4)]
    [InlineData(int.MaxValue)]
    [InlineData(int.MinValue)]
    public void SlotOutsideOfThePool_IsRefusedEverywhere(int slot)
    {
        using var kernel = PublicKernel.Boot();
        var map = new LeakyMap(kernel);
        Action[] uses =
        [
            () => map.Init(map.Values, slot), () => map.Read(map.Values, slot), () => map.Overwrite(map.Values, slot),
            () => map.Recycle(map.Values, slot), () => map.Values.Return(slot), () => map.Values.AddressOf(slot),
        ];
        foreach (var use in uses)
        {
            use.Should().Throw<ArgumentOutOfRangeException>();
        }

        map.FreeNow();
        kernel.Faults.Should().BeEmpty();
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(2)]
    [InlineData(int.MaxValue)]
    [InlineData(int.MinValue)]
    public void CpuThatTheKernelHasNot_IsRefusedEverywhere(int cpu)
    {
        using var kernel = PublicKernel.Boot();
        using var map = new LeakyMap(kernel, BpfMapType.PercpuHash);
        map.Values.TryTake(out var slot).Should().BeTrue();
        Action[] uses =
        [
            () => map.Values.TryTake(out _, cpu), () => map.Values.Return(slot, cpu),
            () => map.Values.AddressOf(slot, cpu),
            () => map.Read(map.Values, slot, cpu), () => map.ProgLookup(new byte[4], cpu),
            () => map.ProgDelete(new byte[4], cpu),
            () => map.ProgUpdate(new byte[4], new byte[16], MapUpdateFlags.Any, cpu),
            () => map.ForEachElem((_, _) => 0, 0, cpu),
        ];
        foreach (var use in uses)
        {
            use.Should().Throw<ArgumentOutOfRangeException>();
        }

        map.ProgLookupPercpu(new byte[4], (uint)cpu).Should().Be(0);
    }

    [Fact]
    public void PoolOfAnotherMap_IsRefusedEverywhere()
    {
        using var kernel = PublicKernel.Boot();
        using var map = new LeakyMap(kernel);
        using var other = new LeakyMap(kernel);
        Action[] uses =
        [
            () => map.Init(other.Values, 0), () => map.Read(other.Values, 0), () => map.Overwrite(other.Values, 0),
            () => map.Recycle(other.Values, 0),
            () => map.Recycle(other.Values.AddressOf(0)), () => map.CopyIn(other.Values.AddressOf(0)),
        ];
        foreach (var use in uses)
        {
            use.Should().Throw<ArgumentException>();
        }
    }

    [Fact]
    public void AddressThatIsNoValue_IsRefusedEverywhere()
    {
        using var kernel = PublicKernel.Boot();
        using var map = new LeakyMap(kernel);
        using var foreign = new HashMap<int, Pinned>(kernel, 2);
        ulong[] addresses =
            [1, 8, 0x1234_5678, map.Values.AddressOf(0) + 8, map.Values.AddressOf(3)
                + 16, kernel.Tasks.Init.Address, ulong.MaxValue, ulong.MaxValue - 7];
        foreach (var address in addresses)
        {
            Action[] uses =
            [
                () => map.CopyIn(address), () => map.CopyOut(address), () => map.Zero(address),
                () => map.Recycle(address),
                () => map.At<Pinned>(address).Seen = 1,
                () =>
                {
                    using var dying = new DyingFields(foreign, DeathPath.Delete);
                    dying.Recycle(address);
                },
            ];
            foreach (var use in uses)
            {
                use.Should().Throw<ArgumentException>();
            }
        }
    }

    [Fact]
    public void LookupThatGivesAForeignAddress_IsTheDerivedMapsFault()
    {
        using var kernel = PublicKernel.Boot();
        using var map = new LeakyMap(kernel) { Found = kernel.Tasks.Init.Address };
        Action[] uses =
        [
            () => map.ProgLookup(new byte[4], 0), () => map.LookupElem(new byte[4], new byte[16]),
            () => map.ForEachElem((_, _) => 0, 0, 0),
            () => map.As<int, Pinned>().Lookup(1).Seen = 1,
        ];
        foreach (var use in uses)
        {
            use.Should().Throw<InvalidOperationException>().WithMessage("*leaky*");
        }

        map.Found = map.Values.AddressOf(2);
        map.As<int, Pinned>().Lookup(1).Seen = 5;
        map.At<Pinned>(map.Values.AddressOf(2)).Seen.Should().Be(5);
        ((Action)(() => map.ForEachElem((_, _) => 0, 0, 0))).Should().Throw<InvalidOperationException>(
            "the key lies nowhere");
    }

    [Fact]
    public void ValueAt_StructOfAnotherShape_IsRefused()
    {
        using var kernel = PublicKernel.Boot();
        using var map = new LeakyMap(kernel);
        var value = map.Values.AddressOf(0);
        Action[] uses =
        [
            () => map.At<long>(value) = 1, () => map.At<Int128>(value) = 1,
            () => map.At<(ulong, Kptr<Cgroup>)>(value).Item1 = 1,
            () => map.CopyIn(value, MapUpdateFlags.Lock), () => map.CopyOut(value, MapUpdateFlags.Lock),
        ];
        foreach (var use in uses)
        {
            use.Should().Throw<ArgumentException>();
        }
    }

    [Fact]
    public void Return_Twice_IsAnErrorThatNamesSlotAndMap()
    {
        using var kernel = PublicKernel.Boot();
        using var map = new LeakyMap(kernel);
        map.Values.TryTake(out var slot).Should().BeTrue();
        map.Values.TryTake(out var other).Should().BeTrue();
        map.Values.Return(slot);
        ((Action)(() => map.Values.Return(slot))).Should().Throw<InvalidOperationException>().WithMessage(
            $"*slot {slot} of map \"leaky\"*");
        ((Action)(() => map.Values.Return(Enumerable.Range(0, 4).First(s => s != slot && s != other)))).Should()
            .Throw<InvalidOperationException>("nobody took it");
        map.TakeCensus().Should().Be(new MapCensus(4, 1, 3));
        map.Values.Return(other);
        map.TakeCensus().Should().Be(new MapCensus(4, 0, 4));
    }

    [Fact]
    public void Return_ByManyThreadsAtOnce_SucceedsForOne()
    {
        using var kernel = PublicKernel.Boot();
        using var map = new LeakyMap(kernel);
        for (var round = 0; round < 200; round++)
        {
            map.Values.TryTake(out var slot).Should().BeTrue();
            var succeeded = 0;
            Parallel.For(0, 3, _ =>
            {
                try
                {
                    map.Values.Return(slot);
                    Interlocked.Increment(ref succeeded);
                }
                catch (InvalidOperationException)
                {
                    // The others.
                }
            });
            succeeded.Should().Be(1);
        }

        map.TakeCensus().Should().Be(new MapCensus(4, 0, 4));
    }

    [Theory]
    [InlineData(DestroyBehavior.Eager, false, true)]
    [InlineData(DestroyBehavior.Eager, true, false)]
    [InlineData(DestroyBehavior.Recycle, false, false)]
    public void Return_ValueThatStillOwns_IsReportedWhereThePolicyDestroys(
        DestroyBehavior policy, bool isHandedOver, bool isReported)
    {
        using var kernel = PublicKernel.Boot(policy);
        var map = new LeakyMap(kernel);
        map.Values.TryTake(out var slot).Should().BeTrue();
        map.At<Pinned>(map.Values.AddressOf(slot)).Task.Exchange(kernel.Tasks.Init.TryAcquire())
            .Should().BeNull();
        if (isHandedOver)
        {
            map.Recycle(map.Values, slot);
        }

        map.Values.Return(slot);
        kernel.TakeFaults().Select(f => (f.Code, f.Object)).Should().Equal(
            isReported ? [(DiagCode.SlotStillOwns, $"slot {slot} of {map}")] : []);
        map.FreeNow();
        kernel.Ledger.AssertNoLeaks();
    }

    [Fact]
    public void Return_WhatALateProgramStoredAfterTheEnd_IsNoFault()
    {
        using var kernel = PublicKernel.Boot();
        var map = new LeakyMap(kernel);
        map.Values.TryTake(out var slot).Should().BeTrue();
        ref var late = ref map.At<Pinned>(map.Values.AddressOf(slot));
        map.Recycle(map.Values, slot);
        late.Task.Exchange(kernel.Tasks.Init.TryAcquire()).Should().BeNull();
        map.Values.Return(slot);
        kernel.Faults.Should().BeEmpty();
        map.FreeNow();
        kernel.Ledger.AssertNoLeaks();
    }

    [Fact]
    public void MapTypeUnderOneOfOurs_IsRefused()
    {
        using var kernel = PublicKernel.Boot();
        ((Action)(() => _ = new UnderAHash(kernel))).Should().Throw<NotSupportedException>().WithMessage("*HashMap*");
    }

    private sealed class UnderAHash(KernelCore core)
        : HashMap(core, StructSpec.Of<int, long>(core, "under", BpfMapType.Hash, 4))
    {
        protected override ulong FindValue(ReadOnlySpan<byte> key, in MapCall caller) => 1;
    }
}
