using System.Runtime.CompilerServices;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Tests.Objects;

namespace Kptr.Tests.Maps;

/// <summary>Maps of C# structs: one set of operations for all of them.</summary>
public class TypedMapTests
{
    public static TheoryData<BpfMapType, DestroyBehavior> Kinds => new()
    {
        { BpfMapType.Hash, DestroyBehavior.Eager }, { BpfMapType.LruHash, DestroyBehavior.Eager },
        { BpfMapType.PercpuHash, DestroyBehavior.Eager },
        { BpfMapType.LruPercpuHash, DestroyBehavior.Eager }, { BpfMapType.Rhash, DestroyBehavior.Recycle },
        { BpfMapType.LruHash, DestroyBehavior.Recycle },
    };

    [Theory]
    [MemberData(nameof(Kinds))]
    public void EveryHash_HoldsKptrsAndPlainFields_AndGivesThemBack(BpfMapType type, DestroyBehavior policy)
    {
        using var core = MapKernel.Boot(policy);
        var map = Make(core, type);
        var widget = new Widget(core);                                          // owned here   1
        using (core.Rcu.ReadLock())
        {
            ref var entry = ref map.LookupOrInit(5);
            entry.Before = 7;
            entry.Slot.Exchange(KernelRef.Own(widget)).Should().BeNull();       // slot owns    1
            Unsafe.AreSame(ref entry, ref map.Lookup(5)).Should().BeTrue("it is live memory");
            Unsafe.IsNullRef(ref map.Lookup(6)).Should().BeTrue();
        }

        map.TryGetValue(5, out var copy).Should().BeTrue();
        copy.Before.Should().Be(7);
        copy.Slot.IsNull.Should().BeTrue("special fields read as zero");
        map.TryGetValue(6, out _).Should().BeFalse();
        map.Update(6, new WidgetEntry { After = 8 }).Should().Be(Errno.None);
        map.Update(6, new WidgetEntry { After = 9 }, MapUpdateFlags.NoExist).Should().Be(Errno.EEXIST);
        map.Snapshot().Select(e => (e.Key, e.Value.Before, e.Value.After)).Should().BeEquivalentTo(
            [(5, 7UL, 0UL), (6, 0UL, 8UL)]);
        map.Delete(5).Should().Be(Errno.None);
        map.Delete(5).Should().Be(Errno.ENOENT);
        core.Quiesce();
        var isFreed = policy == DestroyBehavior.Eager || type == BpfMapType.Rhash;
        widget.DestructorRuns.Should().Be(isFreed ? 1 : 0);
        map.Map.FreeNow();
        widget.DestructorRuns.Should().Be(1);
        core.Ledger.AssertAllReturned();
    }

    [Theory]
    [InlineData(BpfMapType.PercpuHash)]
    [InlineData(BpfMapType.LruPercpuHash)]
    [InlineData(BpfMapType.PercpuArray)]
    public void PercpuMaps_EachCpuHasItsOwn(BpfMapType type)
    {
        using var core = MapKernel.Boot();
        var map = type == BpfMapType.PercpuArray ? new PercpuArrayMap<WidgetEntry>(core, 4) : Make(core, type);
        map.UpdateEach(1, [new() { Before = 10 }, new() { Before = 20 }]).Should().Be(Errno.None);
        core.CurrentCpu = 1;
        map.Lookup(1).Before.Should().Be(20);
        map.Lookup(1, cpu: 0).Before.Should().Be(10);
        map.TryGetValue(1, out var mine).Should().BeTrue();
        mine.Before.Should().Be(20);
        map.Update(1, new WidgetEntry { Before = 3 });
        map.ValuesOf(1).Select(v => v.Before).Should().Equal(3UL, 3);
        ((Action)(() => map.UpdateEach(1, [default]))).Should().Throw<ArgumentException>();
        core.CurrentCpu = 0;
        map.Map.FreeNow();
    }

    [Fact]
    public void Visit_AllElements_InLiveMemoryUntilItIsEnough()
    {
        using var core = MapKernel.Boot();
        using var map = new LruHashMap<int, Plain24>(core, 64);
        for (var key = 0; key < 10; key++)
        {
            map.Update(key, new Plain24 { A = (ulong)key });
        }

        map.Visit((in int key, ref Plain24 value) =>
        {
            value.B = value.A + (ulong)key;
            return true;
        }).Should().Be(10);
        map.Snapshot().Should().OnlyContain(e => e.Value.B == 2 * (ulong)e.Key);
        map.Visit((in int _, ref Plain24 _) => false).Should().Be(1);
        using var storage = new LocalStorageMap<TaskStruct, Plain24>(core);
        storage.Visit((in int _, ref Plain24 _) => true).Should().Be((long)Errno.EOPNOTSUPP);
    }

    [Fact]
    public void Storage_ValuesByOwner_GoWithIt()
    {
        using var core = MapKernel.Boot();
        var map = new LocalStorageMap<TaskStruct, WidgetEntry>(core);
        map.Type.Should().Be(BpfMapType.TaskStorage);
        var task = core.Tasks.Fork(core.Tasks.Init);
        var widget = new Widget(core);
        using (core.Rcu.ReadLock())
        {
            Unsafe.IsNullRef(ref map.Lookup(task)).Should().BeTrue();
            map.LookupOrInit(task).Slot.Exchange(KernelRef.Own(widget)).Should().BeNull();
            map.Lookup(task.Pid).Slot.Peek().Should().BeSameAs(widget, "user space's number leads there too");
        }

        map.Update(core.Tasks.Init, new WidgetEntry { Before = 1 }).Should().Be(Errno.None);
        map.Snapshot().Select(e => e.Key).Should().BeEquivalentTo([task, core.Tasks.Init]);
        core.Tasks.Exit(task);
        core.Tasks.Reap(task);
        core.Quiesce();
        widget.DestructorRuns.Should().Be(1);
        map.Snapshot().Should().ContainSingle().Which.Value.Before.Should().Be(1);
        map.FreeNow();
        new LocalStorageMap<Cgroup, Plain24>(core).Type.Should().Be(BpfMapType.CgrpStorage);
        new LocalStorageMap<Sock, Plain24>(core).Type.Should().Be(BpfMapType.SkStorage);
        new LocalStorageMap<Widget, Plain24>(core).Type.Should().Be(BpfMapType.InodeStorage);
    }

    [Fact]
    public void Storage_OfOwnersOfOneType_RefusesOthers()
    {
        using var core = MapKernel.Boot();
        using var map = new LocalStorageMap<Widget, Plain24>(core);
        var task = core.Tasks.Fork(core.Tasks.Init);
        var update = () => ((LocalStorageMap)map).Update(task, default);
        update.Should().Throw<ArgumentException>();
        map.UpdateElem(BitConverter.GetBytes((int)task.Address), new byte[24]).Should().Be(Errno.EBADF);
        map.Snapshot().Should().BeEmpty();
    }

    [Fact]
    public void MapsOfMaps_InnerMaps_AreFoundAndSeenAsStructs()
    {
        using var core = MapKernel.Boot();
        using var inner = new LruHashMap<int, Plain24>(core, 8);
        using var array = new ArrayOfMaps(core, 2, inner.Spec);
        using var hash = new HashOfMaps<long>(core, 2, inner.Spec);
        array.Set(1, inner).Should().Be(Errno.None);
        hash.Set(77, inner).Should().Be(Errno.None);
        array.Lookup(0).Should().BeNull();
        hash.Lookup(76).Should().BeNull();
        hash.Lookup(77)!.As<int, Plain24>().Update(3, new Plain24 { A = 4 });
        array.Lookup(1)!.As<int, Plain24>().Lookup(3).A.Should().Be(4);
        hash.Delete(77).Should().Be(Errno.None);
        ((Action)(() => _ = inner.As<int, long>())).Should().Throw<ArgumentException>();
        ((Action)(() => _ = new ArrayOfMaps(core, 1, array.Spec))).Should().Throw<MapCreateException>();
    }

    [Fact]
    public void LookupSpan_UntypedMap_IsLiveMemory()
    {
        using var core = MapKernel.Boot();
        using var map = MapFactory.Create(
            core, new("m", BpfMapType.Hash) { KeySize = 4, ValueSize = 10, MaxEntries = 2 });
        map.UpdateElem([1, 0, 0, 0], new byte[10]);
        map.LookupSpan([1, 0, 0, 0])[9] = 5;
        map.LookupSpan([1, 0, 0, 0]).Length.Should().Be(10);
        map.LookupSpan([2, 0, 0, 0]).IsEmpty.Should().BeTrue();
        var value = new byte[10];
        map.LookupElem([1, 0, 0, 0], value);
        value[9].Should().Be(5);
    }

    private static ITypedMap<int, WidgetEntry> Make(KernelCore core, BpfMapType type) => type switch
    {
        BpfMapType.Hash => new HashMap<int, WidgetEntry>(core, 16),
        BpfMapType.LruHash => new LruHashMap<int, WidgetEntry>(core, 16),
        BpfMapType.PercpuHash => new PercpuHashMap<int, WidgetEntry>(core, 16),
        BpfMapType.LruPercpuHash => new LruPercpuHashMap<int, WidgetEntry>(core, 16),
        _ => new RhashMap<int, WidgetEntry>(core, 16),
    };
}
