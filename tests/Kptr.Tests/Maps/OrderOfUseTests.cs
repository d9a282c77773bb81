using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Tests.Objects;

namespace Kptr.Tests.Maps;

/// <summary>What LRU maps give up, and that they lose nothing by it.</summary>
public class OrderOfUseTests
{
    private const int Cpus = 2;

    [Theory, InlineData(false), InlineData(true)]
    public void Lists_HandOutEachElementOnce_ThenGiveUpWhatIsNotMarked(bool isPerCpu)
    {
        var bench = new Bench(32, isPerCpu);
        bench.Lists.FreeCount.Should().Be(32);
        var taken = Enumerable.Range(0, 32).Select(i => bench.Take(i % Cpus)).ToList();
        taken.Should().BeEquivalentTo(Enumerable.Range(0, 32), "all of them, and none twice");
        bench.Evicted.Should().BeEmpty("there was room");
        bench.Lists.FreeCount.Should().Be(0);

        // Half are used: the other half goes before any of them.
        var used = taken.Where((_, i) => i % 4 < 2).ToHashSet();
        for (var i = 0; i < 8; i++)
        {
            used.ToList().ForEach(bench.Lists.Mark);
            bench.Take(i % Cpus).Should().NotBe(-1);
        }

        bench.Evicted.Should().NotBeEmpty().And.OnlyHaveUniqueItems();
        bench.Evicted.Take(8).Should().NotContain(e => used.Contains(e));
        bench.Evicted.Count.Should().BeGreaterThanOrEqualTo(8);
    }

    /// <summary>
    /// Each element that is handed out, each that is given up, and in which order: as the plain model has it.
    /// </summary>
    [Theory]
    [InlineData(1, 1, false)]
    [InlineData(2, 3, false)]
    [InlineData(9, 2, false)]
    [InlineData(40, 3, false)]
    [InlineData(700, 2, false)]
    [InlineData(3, 3, true)]
    [InlineData(14, 2, true)]
    [InlineData(40, 2, true)]
    public void Lists_DoAsThePlainModelDoes(int elements, int cpus, bool isPerCpu)
    {
        var random = new Random(elements);
        var bench = new Bench(elements, isPerCpu, cpus);
        var given = new List<int>();
        var model = new LruModel(elements, cpus, isPerCpu, elem => bench.MayGo(elem) && Add(given, elem));
        var used = new List<int>();
        var (marks, most) = (0, 0);
        for (var step = 0; step < 3000; step++)
        {
            if (step % 64 == 0)
            {
                marks = random.Next(4) is var kind && kind == 0 ? 0 : kind == 1 ? 1 : elements * kind / 3;
                bench.Kept = random.Next(3) == 0 ? random.Next(2, 4) : 0;
            }

            for (var i = 0; i < marks && used.Count > 0 && step % Math.Max(1, elements / 32) == 0; i++)
            {
                var elem = Any();
                bench.Lists.Mark(elem);
                model.Mark(elem);
            }

            if (used.Count > 0 && (step & 1024) == 0 && random.Next(8) == 0)
            {
                var back = Any();
                used.Remove(back);
                bench.Lists.Return(back);
                model.Return(back);
            }

            var cpu = random.Next(cpus);
            bench.Evicted.Clear();
            given.Clear();
            var got = bench.Take(cpu);
            (got, bench.Lists.FreeCount).Should().Be((model.Take(cpu), model.FreeCount), $"at {step}");
            bench.Evicted.SequenceEqual(given).Should().BeTrue($"at {step}");
            most = Math.Max(most, given.Count);
            used.RemoveAll(given.Contains);
            used.AddRange(got < 0 ? [] : [got]);
        }

        most.Should().Be(Math.Clamp(elements / cpus, 1, bench.Lists.EvictedMax), "that much, and no more");

        int Any() => used[random.Next(used.Count)];
        static bool Add(List<int> list, int elem)
        {
            list.Add(elem);
            return true;
        }
    }

    /// <summary>Elements are numbered as the common list was filled; the last is in front of it.</summary>
    [Theory, InlineData(false, "4 5 6 7 0 1"), InlineData(true, "7 6 5 4 3 2")]
    public void Batch_OfFreeElements_IsUsedInTheKernelsOrder(bool keepsOrder, string expected)
    {
        var bench = new Bench(elements: 8, isPerCpu: false, cpus: 1, keepsOrder);

        Enumerable.Range(0, 6).Select(_ => bench.Take(0)).Should().Equal(expected.Split(' ').Select(int.Parse));
    }

    [Fact]
    public void OwnLists_ACpuNeverGetsAnothersElements_AndGivesUpItsOldest()
    {
        var bench = new Bench(16, isPerCpu: true);
        var first = Enumerable.Range(0, 8).Select(_ => bench.Take(0)).ToList();
        first.Should().BeEquivalentTo(Enumerable.Range(0, 8));
        bench.Take(0);
        bench.Evicted.Should().Equal(first.Take(4), "the oldest four, in their order");
        Enumerable.Range(0, 7).Select(_ => bench.Take(0)).Should().OnlyContain(e => e < 8);
        bench.Evicted.Should().HaveCount(8);
        Enumerable.Range(0, 8).Select(_ => bench.Take(1)).Should().BeEquivalentTo(Enumerable.Range(8, 8));
        bench.Evicted.Should().HaveCount(8, "the other CPU had room");
    }

    [Theory, InlineData(false), InlineData(true)]
    public void Lists_WhereAllAreMarkedOrMayNotGo_AreForcedOrSayNo(bool isPerCpu)
    {
        var bench = new Bench(8, isPerCpu);
        var taken = Enumerable.Range(0, 8).Select(i => bench.Take(i % Cpus)).ToList();
        for (var i = 0; i < 20; i++)
        {
            taken.ForEach(bench.Lists.Mark);
            var got = bench.Take(i % Cpus);
            got.Should().NotBe(-1, "the oldest goes, used or not");
            bench.Evicted.Should().Contain(got);
        }

        bench.Kept = 1;
        bench.Drain();
        bench.Take(0).Should().Be(-1);
        bench.Take(1).Should().Be(-1);
        bench.Lists.FreeCount.Should().Be(0);
        bench.Kept = 0;
        bench.Take(0).Should().NotBe(-1, "nothing was lost by the refusals");
    }

    [Theory, InlineData(false), InlineData(true)]
    public void Return_MakesRoom(bool isPerCpu)
    {
        var bench = new Bench(8, isPerCpu);
        var taken = Enumerable.Range(0, 8).Select(i => bench.Take(i % Cpus)).ToList();
        bench.Lists.Return(taken[0]);
        bench.Lists.Return(taken[2]);
        bench.Lists.FreeCount.Should().Be(2);
        new[] { bench.Take(0), bench.Take(0) }.Should().BeEquivalentTo([taken[0], taken[2]]);
        bench.Evicted.Should().BeEmpty();
    }

    /// <summary>A CPU without a free element takes one from the other's stock before anything goes.</summary>
    [Fact]
    public void CommonLists_StealFromTheOtherCpu_TheOldestThatIsNotMarked()
    {
        var bench = new Bench(4, isPerCpu: false);
        var all = Enumerable.Range(0, 4).Select(_ => bench.Take(0)).ToList();
        all.Should().OnlyHaveUniqueItems();
        bench.Evicted.Should().BeEmpty();
        bench.Lists.Mark(all[0]);
        var stolen = bench.Take(1);
        bench.Evicted.Should().Contain(stolen).And.NotContain(all[0]);
    }

    [Fact]
    public void CommonLists_OfAnotherCpusFreshElements_TakeThoseThatAreUsedLast()
    {
        var bench = new Bench(8, isPerCpu: false);
        var (older, newer) = (bench.Take(0), bench.Take(0));
        Enumerable.Range(0, 6).Select(_ => bench.Take(1)).ToList().Should().OnlyHaveUniqueItems().And.NotContain(-1);
        bench.Only = [older, newer];
        bench.Lists.Mark(older);
        bench.Take(1).Should().Be(newer);
        bench.Only = [older];
        bench.Take(1).Should().Be(older, "there is no other");
        bench.Evicted.Should().Equal(newer, older);
    }

    /// <summary>Keys that are used stay, through many generations of those that are not.</summary>
    [Theory]
    [InlineData(MapFlags.None)]
    [InlineData(MapFlags.NoCommonLru)]
    public void UsedKeys_OutliveManyGenerationsOfThoseThatAreNot(MapFlags flags)
    {
        using var core = MapKernel.Boot();
        using var map = (LruHashMap)MapFactory.Create(core, new("l", BpfMapType.LruHash)
        {
            KeySize = 4, ValueSize = 8, MaxEntries = 600, Flags = flags,
        });
        var keys = Enumerable.Range(0, 3000).Select(BitConverter.GetBytes).ToList();
        for (var key = 0; key < keys.Count; key++)
        {
            map.ProgUpdate(keys[key], new byte[8], MapUpdateFlags.Any, 0).Should().Be(Errno.None);
            var found = 0;
            for (var used = 0; used < Math.Min(key, 20); used++)
            {
                found += map.ProgLookup(keys[used], 0) != 0 ? 1 : 0;
            }

            found.Should().Be(Math.Min(key, 20), $"they are used, at {key}");
        }

        map.TakeCensus().IsComplete.Should().BeTrue();
    }

    [Theory]
    [InlineData(BpfMapType.LruHash, MapFlags.None)]
    [InlineData(BpfMapType.LruHash, MapFlags.NoCommonLru)]
    [InlineData(BpfMapType.LruPercpuHash, MapFlags.None)]
    public void Updates_OfEachOutcome_LoseNoElement(BpfMapType type, MapFlags flags)
    {
        var plan = new FaultPlan();
        using var core = MapKernel.Boot(faults: plan);
        using var map = (LruHashMap)MapFactory.Create(core, new("l", type)
        {
            KeySize = 4, ValueSize = 8, MaxEntries = 41, Flags = flags,
        });
        map.MaxEntries.Should().Be(flags == MapFlags.NoCommonLru ? 42u : 41u);
        var value = new byte[map.UserValueSize];
        Errno Update(int key, MapUpdateFlags how) => map.UpdateElem(BitConverter.GetBytes(key), value, how);
        Update(1, MapUpdateFlags.Exist).Should().Be(Errno.ENOENT);
        Update(1, MapUpdateFlags.Lock).Should().Be(Errno.EINVAL);
        map.Count.Should().Be(0);
        for (var i = 0; i < 50; i++)
        {
            Update(i, MapUpdateFlags.NoExist).Should().Be(Errno.None);
            Update(i, MapUpdateFlags.NoExist).Should().Be(Errno.EEXIST);
            Update(i, MapUpdateFlags.Exist).Should().Be(Errno.None);
            Update(i, MapUpdateFlags.Any).Should().Be(Errno.None);
            map.LookupElem(BitConverter.GetBytes(i), value).Should().Be(Errno.None);
            map.Count.Should().Be(Math.Min(i + 1, 3));
            map.TakeCensus().IsComplete.Should().BeTrue($"{map.TakeCensus()}");
            if (i >= 2 && i < 49)
            {
                map.DeleteElem(BitConverter.GetBytes(i - 2)).Should().Be(Errno.None);
            }
        }

        plan.Fail("alloc_elem", 1);
        Update(99, MapUpdateFlags.NoExist).Should().Be(Errno.ENOMEM);
        map.LookupElem(BitConverter.GetBytes(99), value).Should().Be(Errno.ENOENT);
        plan.FailAtRandom("lock_bucket", 1, 1);
        Update(99, MapUpdateFlags.Any).Should().BeOneOf(Errno.EBUSY, Errno.ENOMEM);
        map.DeleteElem(BitConverter.GetBytes(49)).Should().Be(Errno.EBUSY);
        plan.Clear();
        map.LookupElem(BitConverter.GetBytes(49), value).Should().Be(Errno.None);
        map.DeleteElem(BitConverter.GetBytes(49)).Should().Be(Errno.None);
        map.TakeCensus().IsComplete.Should().BeTrue($"{map.TakeCensus()}");
    }

    /// <summary>The first element is as good as any other.</summary>
    [Theory, InlineData(BpfMapType.LruHash), InlineData(BpfMapType.LruPercpuHash)]
    public void EveryElement_IsFoundAndReplaced(BpfMapType type)
    {
        using var core = MapKernel.Boot();
        using var map = (LruHashMap)MapFactory.Create(core, new("l", type)
        {
            KeySize = 4, ValueSize = 8, MaxEntries = 41,
        });
        var value = new byte[map.UserValueSize];
        var keys = Enumerable.Range(0, 100).Select(BitConverter.GetBytes).ToList();
        keys.ForEach(key => map.UpdateElem(key, value).Should().Be(Errno.None));
        var there = keys.FindAll(key => map.LookupElem(key, value) == Errno.None);
        there[..10].ForEach(key => map.DeleteElem(key).Should().Be(Errno.None));
        foreach (var key in there[10..])
        {
            map.UpdateElem(key, value, MapUpdateFlags.NoExist).Should().Be(Errno.EEXIST);
            map.UpdateElem(key, value, MapUpdateFlags.Exist).Should().Be(Errno.None);
            map.UpdateElem(key, value).Should().Be(Errno.None);
            map.Count.Should().Be(there.Count - 10);
        }

        there.Should().HaveCountGreaterThan(25);
        map.TakeCensus().IsComplete.Should().BeTrue($"{map.TakeCensus()}");
    }

    [Theory]
    [InlineData(DestroyBehavior.Eager)]
    [InlineData(DestroyBehavior.Recycle)]
    public void WhatIsPushedOutOrReplaced_GivesBackItsKptrs(DestroyBehavior policy)
    {
        using var core = MapKernel.Boot(policy);
        var map = new LruHashMap<int, WidgetEntry>(core, 8);
        var widgets = new List<Widget>();
        for (var i = 0; i < 100; i++)
        {
            map.Update(i, default).Should().Be(Errno.None);
            Fill(i);
            map.Update(i, default).Should().Be(Errno.None, "replaced, with what it holds");
            Fill(i);
        }

        core.Quiesce();
        if (policy == DestroyBehavior.Eager)
        {
            widgets.Count(w => w.DestructorRuns == 1).Should().Be(200 - map.Count);
        }

        map.FreeNow();
        widgets.Should().OnlyContain(w => w.DestructorRuns == 1);
        core.Ledger.AssertAllReturned();

        void Fill(int key)
        {
            widgets.Add(new(core));
            using var reader = core.Rcu.ReadLock();
            var old = map.Lookup(key).Slot.Exchange(KernelRef.Own(widgets[^1]));
            (old is null || policy == DestroyBehavior.Recycle).Should().BeTrue("what the element held before is gone");
            old?.Release();
        }
    }

    private sealed class Bench
    {
        internal Bench(int elements, bool isPerCpu, int cpus = Cpus, bool keepsOrder = false) =>
            Lists = new(elements, cpus, isPerCpu, keepsOrder, Evict);

        internal LruLists Lists { get; }

        internal List<int> Evicted { get; } = [];

        /// <summary>Each element of which this is a divisor may not go; 0 for none.</summary>
        internal int Kept { get; set; }

        /// <summary>Where not null, what may go.</summary>
        internal List<int>? Only { get; set; }

        internal bool MayGo(int elem) => Only?.Contains(elem) ?? (Kept == 0 || elem % Kept != 0);

        internal int Take(int cpu)
        {
            var dying = default(DyingValues);
            return Lists.Take(cpu, ref dying);
        }

        /// <summary>Takes what is free already.</summary>
        internal void Drain()
        {
            while (Lists.FreeCount > 0)
            {
                Take(0);
                Take(1);
            }
        }

        private bool Evict(int elem, ref DyingValues dying)
        {
            if (MayGo(elem))
            {
                Evicted.Add(elem);
            }

            return MayGo(elem);
        }
    }
}
