using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Tests.Objects;

namespace Kptr.Tests.Maps;

/// <summary>Ways of elements that are not preallocated, between delete and the next insert.</summary>
public class ElemCacheTests
{
    [Fact]
    public void RhashElement_Deleted_DiesAfterBothGracePeriods()
    {
        using var core = MapKernel.Boot(DestroyBehavior.Recycle);
        var map = new RhashMap<int, WidgetEntry>(core, 4);
        var widget = Put(map, 1);
        using (core.RcuTrace.ReadLock())
        {
            map.Delete(1);
            core.Rcu.Step();
            core.RcuTrace.Step();
            widget.DestructorRuns.Should().Be(0, "a sleepable writer may be late");
            map.TakeCensus().Deferred.Should().Be(1);
        }

        core.Quiesce();
        widget.DestructorRuns.Should().Be(1);
        map.TakeCensus().Deferred.Should().Be(0);
        End(map, widget);
    }

    // Each CPU has one call of RCU under way; what comes meanwhile is sent by the next that takes or gives back.
    [Fact]
    public void RhashElement_DeletedWhileRcuIsTold_WaitsForTheNextCall()
    {
        using var core = MapKernel.Boot(DestroyBehavior.Recycle);
        var map = new RhashMap<int, WidgetEntry>(core, 4);
        var widgets = new[] { Put(map, 1), Put(map, 2), Put(map, 3) };
        map.Delete(1);
        map.Delete(2);
        core.Quiesce();
        widgets.Select(w => w.DestructorRuns).Should().Equal(1, 0, 0);
        map.Delete(3);
        core.Quiesce();
        widgets.Select(w => w.DestructorRuns).Should().Equal(1, 1, 1);
        End(map, widgets);
    }

    [Fact]
    public void HashElements_ThatLeaveTheStock_AreTakenBeforeFreshOnes()
    {
        using var core = MapKernel.Boot(DestroyBehavior.Recycle);
        var map = new HashMap<int, WidgetEntry>(core, 300, flags: MapFlags.NoPrealloc);
        var widgets = Enumerable.Range(0, 300).Select(key => Put(map, key)).ToArray();
        using (core.RcuTrace.ReadLock())
        {
            foreach (var key in Enumerable.Range(0, 300))
            {
                map.Delete(key);
            }

            var slots = map.TakeCensus().Capacity;
            var found = Enumerable.Range(0, 300).Count(key => TakeOut(map, key));
            found.Should().BeGreaterThan(200, "only the stock's own fresh elements come first");
            map.TakeCensus().Capacity.Should().Be(slots);
        }

        End(map, widgets);
    }

    private static Widget Put(ITypedMap<int, WidgetEntry> map, int key)
    {
        using var reader = map.Map.Core.Rcu.ReadLock();
        var widget = new Widget(map.Map.Core);                                  // owned here   1
        map.LookupOrInit(key).Slot.Exchange(KernelRef.Own(widget))?.Release();  // slot owns    1
        return widget;
    }

    private static bool TakeOut(HashMap<int, WidgetEntry> map, int key)
    {
        using var reader = map.Core.Rcu.ReadLock();
        var old = map.LookupOrInit(key).Slot.Exchange(null);
        old?.Release();
        return old is not null;
    }

    private static void End(BpfMap map, params Widget[] widgets)
    {
        map.FreeNow();
        map.Core.Quiesce();
        widgets.Should().OnlyContain(w => w.DestructorRuns == 1);
        map.Core.Faults.Should().BeEmpty();
        map.Core.Ledger.AssertAllReturned();
    }
}
