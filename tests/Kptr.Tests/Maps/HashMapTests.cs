using System.Runtime.CompilerServices;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Tests.Objects;

namespace Kptr.Tests.Maps;

public class HashMapTests
{
    [Theory]
    [InlineData(MapFlags.None)]
    [InlineData(MapFlags.NoPrealloc)]
    public void Update_EachExistenceFlag_GivesLinuxErrno(MapFlags flags)
    {
        using var core = MapKernel.Boot();
        using var map = new HashMap<int, Plain24>(core, 2, flags: flags);
        map.Update(1, new() { A = 7 }, MapUpdateFlags.Exist).Should().Be(Errno.ENOENT);
        map.Update(1, new() { A = 7 }, MapUpdateFlags.NoExist).Should().Be(Errno.None);
        map.Update(1, new() { A = 8 }, MapUpdateFlags.NoExist).Should().Be(Errno.EEXIST);
        map.Update(1, new() { A = 9 }, MapUpdateFlags.Exist).Should().Be(Errno.None);
        map.Update(1, new() { A = 9 }, MapUpdateFlags.Lock).Should().Be(Errno.EINVAL, "the value has no lock");
        map.Update(1, new() { A = 9 }, (MapUpdateFlags)3).Should().Be(Errno.EINVAL);
        map.Update(2, default).Should().Be(Errno.None);
        map.Update(3, default).Should().Be(Errno.E2BIG);
        map.TryGetValue(1, out var value).Should().BeTrue();
        value.A.Should().Be(9);
        map.Delete(1).Should().Be(Errno.None);
        map.Delete(1).Should().Be(Errno.ENOENT);
        map.TryGetValue(1, out _).Should().BeFalse();
        map.TakeCensus().IsComplete.Should().BeTrue();
    }

    [Theory]
    [InlineData(MapFlags.None)]
    [InlineData(MapFlags.NoPrealloc)]
    public void Delete_Eager_ReleasesTheKptr(MapFlags flags)
    {
        using var core = MapKernel.Boot();
        var map = new HashMap<int, WidgetEntry>(core, 4, flags: flags);
        var widget = new Widget(core);                               // owned here        1
        Put(map, 5, widget);                                         // slot owns         1
        core.Ledger.WhoPins(widget).ToString().Should().Contain("map \"hash\", key 5, field Slot");
        map.Delete(5).Should().Be(Errno.None);                       // destroyed         0
        core.Quiesce();
        widget.DestructorRuns.Should().Be(1);
        map.FreeNow();
        core.Ledger.AssertAllReturned();
    }

    [Theory]
    [InlineData(MapFlags.None)]
    [InlineData(MapFlags.NoPrealloc)]
    public void Delete_Recycle_KeepsTheKptrOnTheMemoryUntilTheMapGoes(MapFlags flags)
    {
        using var core = MapKernel.Boot(DestroyBehavior.Recycle);
        var map = new HashMap<int, WidgetEntry>(core, 4, flags: flags);
        var widget = new Widget(core);
        Put(map, 5, widget);
        map.Delete(5);
        core.Quiesce();
        widget.DestructorRuns.Should().Be(0);
        core.Ledger.WhoPins(widget).ToString().Should().Contain("recycled memory of map \"hash\"");
        using (core.Rcu.ReadLock())
        {
            map.LookupOrInit(6).Slot.Peek().Should().BeSameAs(widget, "the next insert gets the same memory");
        }

        map.FreeNow();
        core.Quiesce();
        widget.DestructorRuns.Should().Be(1);
        core.Ledger.AssertAllReturned();
    }

    [Fact]
    public void Update_OldValueHeldByReader_StaysAsItWas()
    {
        using var core = MapKernel.Boot();
        using var map = new HashMap<int, Plain24>(core, 4);
        map.Update(1, new() { A = 1 });
        using (core.Rcu.ReadLock())
        {
            ref var old = ref map.Lookup(1);
            map.Update(1, new() { A = 2 });
            old.A.Should().Be(1);
            map.Lookup(1).A.Should().Be(2);
        }
    }

    [Fact]
    public void Lookup_MissingKey_IsNullRef()
    {
        using var core = MapKernel.Boot();
        using var map = new HashMap<long, Plain24>(core, 4);
        using var reader = core.Rcu.ReadLock();
        Unsafe.IsNullRef(ref map.Lookup(1)).Should().BeTrue();
    }

    [Fact]
    public void LookupElem_SpecialFields_ReadAsZeroAndAreNotWritten()
    {
        using var core = MapKernel.Boot();
        var map = new HashMap<int, WidgetEntry>(core, 4);
        var widget = new Widget(core);
        map.Update(1, new() { Before = 1, After = 2 });
        Put(map, 1, widget);
        var bytes = new byte[24];
        map.LookupElem(BitConverter.GetBytes(1), bytes).Should().Be(Errno.None);
        BitConverter.ToUInt64(bytes, 0).Should().Be(1);
        BitConverter.ToUInt64(bytes, 8).Should().Be(0);
        BitConverter.ToUInt64(bytes, 16).Should().Be(2);
        Array.Fill(bytes, (byte)0xff);
        map.UpdateElem(BitConverter.GetBytes(2), bytes);
        using (core.Rcu.ReadLock())
        {
            map.Lookup(2).Slot.IsNull.Should().BeTrue();
            map.Lookup(2).Before.Should().Be(ulong.MaxValue);
        }

        map.FreeNow();
        core.Ledger.AssertAllReturned();
    }

    [Fact]
    public void GetNextKey_VisitsEveryKeyOnce()
    {
        using var core = MapKernel.Boot();
        using var map = new HashMap<long, Plain24>(core, 100);
        foreach (var key in Enumerable.Range(0, 100))
        {
            map.Update(key * 1024L, new() { A = (ulong)key }).Should().Be(Errno.None);
        }

        map.Snapshot().Select(e => e.Key).Order().Should().Equal(Enumerable.Range(0, 100).Select(k => k * 1024L));
    }

    [Fact]
    public void ElemCache_Overflow_DestroysAfterBothGracePeriods()
    {
        using var core = MapKernel.Boot(DestroyBehavior.Recycle);
        var map = new HashMap<int, WidgetEntry>(core, 1000, flags: MapFlags.NoPrealloc);
        var widgets = Enumerable.Range(0, 500).Select(_ => new Widget(core)).ToArray();
        for (var i = 0; i < widgets.Length; i++)
        {
            Put(map, i, widgets[i]);
        }

        for (var i = 0; i < widgets.Length; i++)
        {
            map.Delete(i);
        }

        widgets.Sum(w => w.DestructorRuns).Should().Be(0);
        map.TakeCensus().Deferred.Should().BeGreaterThan(0);
        map.TakeCensus().IsComplete.Should().BeTrue();
        core.Quiesce();
        widgets.Sum(w => w.DestructorRuns).Should().BeGreaterThan(300, "the cache keeps less than a hundred");
        map.TakeCensus().Deferred.Should().Be(0);
        map.FreeNow();
        core.Quiesce();
        widgets.Should().OnlyContain(w => w.DestructorRuns == 1);
    }

    private static void Put(HashMap<int, WidgetEntry> map, int key, Widget widget)
    {
        using var reader = map.Core.Rcu.ReadLock();
        map.LookupOrInit(key).Slot.Exchange(KernelRef.Own(widget)).Should().BeNull();
    }
}
