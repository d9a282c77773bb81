using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Tests.Maps;

/// <summary>Destructors, waits and endless work where they must not be.</summary>
public class ContextBugTests : BugScenario
{
    /// <summary>a3a81d247651, 2026.</summary>
    [Theory]
    [InlineData(BpfMapType.Array)]
    [InlineData(BpfMapType.Hash)]
    [InlineData(BpfMapType.LruHash)]
    [InlineData(BpfMapType.PercpuHash)]
    public void Recycle_RunsNoDestructorInsideUpdateOrDelete(BpfMapType type)
    {
        Catches(
            make =>
            {
                using var core = MapKernel.Boot(DestroyBehavior.Recycle);
                var map = make(core, Spec(type, Kptr(8)));
                var deaths = 0;
                map.FieldDied += _ => deaths++;
                map.UpdateElem(Key(1), new byte[map.UserValueSize]);
                var widget = Put(map, 1);
                using (core.EnterContext(ExecContext.Nmi))
                {
                    map.ProgUpdate(Key(1), new byte[ValueBytes], MapUpdateFlags.Any, 0).Should().Be(Errno.None);
                    map.ProgDelete(Key(1), 0);
                }

                deaths.Should().Be(0);
                End(map, widget);
                deaths.Should().Be(1);
            },
            map => map.Policy = DestroyPolicy.Eager);
    }

    /// <summary>
    /// b9e9ed90b10c, 47363f1553e6, 5bd5bab76669 and c78f4afbd962, 2024 and 2025: each a lock held around a destructor.
    /// </summary>
    [Theory]
    [InlineData(BpfMapType.Hash, MapFlags.None)]
    [InlineData(BpfMapType.Hash, MapFlags.NoPrealloc)]
    [InlineData(BpfMapType.LruHash, MapFlags.None)]
    [InlineData(BpfMapType.PercpuHash, MapFlags.None)]
    [InlineData(BpfMapType.Array, MapFlags.None)]
    [InlineData(BpfMapType.TaskStorage, MapFlags.NoPrealloc)]
    public void DestructorThatUsesTheSameMap_FindsNoLockHeld(BpfMapType type, MapFlags flags)
    {
        Catches(Bug.DestroysUnderLock, make =>
        {
            using var core = MapKernel.Boot();
            var map = make(core, Spec(type, Kptr(8)) with { Flags = flags });
            foreach (var end in Ends)
            {
                map.DeleteElem(Key(1));
                map.UpdateElem(Key(1), new byte[map.UserValueSize]).Should().Be(Errno.None);
                PutReentrant(map, 1, () =>
                {
                    if (!map.IsEnding)
                    {
                        map.UpdateElem(Key(1), new byte[map.UserValueSize]);
                        map.DeleteElem(Key(1));
                    }
                });
                end(map);
                map.TakeCensus().IsComplete.Should().BeTrue();
            }

            End(map);
        });
    }

    private static Action<BpfMap>[] Ends =>
    [
        m => m.UpdateElem(Key(1), new byte[m.UserValueSize]),
        m => m.DeleteElem(Key(1)),
        m => m.LookupAndDeleteElem(Key(1), new byte[m.UserValueSize]),
        m =>
        {
            var count = 8;
            m.LookupAndDeleteBatch([], new byte[4], new byte[32], new byte[m.UserValueSize * 8], ref count);
        },
        m =>
        {
            for (var key = 20; key < 60; key++)
            {
                m.UpdateElem(Key(key), new byte[m.UserValueSize]);
            }
        },
    ];

    /// <summary>b9e9ed90b10c, 2024: an inner map's last reference went under the outer map's lock.</summary>
    [Theory]
    [InlineData(MapFlags.None)]
    [InlineData(MapFlags.NoPrealloc)]
    public void OuterMap_GivesInnerMapsBackOutsideOfItsLock(MapFlags flags)
    {
        using var core = MapKernel.Boot();
        var innerSpec = Spec(BpfMapType.Array, Kptr(8));
        var outer = (HashOfMaps)MapFactory.Create(core, Outer(BpfMapType.HashOfMaps, innerSpec) with { Flags = flags });
        var inners = Enumerable.Range(0, 3).Select(_ => MapFactory.Create(core, innerSpec)).ToArray();
        outer.Set(Key(1), inners[0]).Should().Be(Errno.None);
        outer.Set(Key(1), inners[1]).Should().Be(Errno.None, "the first one is replaced");
        inners[0].RefCount.Should().Be(1);
        outer.DeleteElem(Key(1)).Should().Be(Errno.None);
        inners[1].RefCount.Should().Be(1);
        outer.Set(Key(2), inners[2]);
        inners[2].Dispose();
        core.Quiesce();
        inners[2].IsFreed.Should().BeFalse();
        int count = 4;
        outer.LookupAndDeleteBatch([], new byte[4], new byte[16], new byte[16], ref count).Should().Be(Errno.ENOENT);
        count.Should().Be(1);
        core.Quiesce();
        inners[2].IsFreed.Should().BeTrue();
        outer.FreeNow();
        inners[0].FreeNow();
        inners[1].FreeNow();
    }

    /// <summary>58f038e6d209, 2025.</summary>
    [Fact]
    public void SpareElementReusedByADestructor_KeepsItsNewKptr()
    {
        Catches(Bug.FreesFieldsOfTheSpare, make =>
        {
            using var core = MapKernel.Boot();
            var map = make(core, Spec(BpfMapType.Hash, Kptr(8), Kptr(16)));
            map.UpdateElem(Key(1), new byte[ValueBytes]);
            map.UpdateElem(Key(2), new byte[ValueBytes]);
            var second = Put(map, 1, offset: 16);
            Objects.Widget? later = null;
            PutReentrant(map, 1, () =>
            {
                // This update takes the element that the outer one has just made the spare.
                map.UpdateElem(Key(2), new byte[ValueBytes]);
                later = Put(map, 2, offset: 16);
            });
            map.UpdateElem(Key(1), new byte[ValueBytes]);
            core.Quiesce();
            later!.DestructorRuns.Should().Be(0, "it is in a live element");
            End(map, later, second);
        });
    }

    /// <summary>89edbdfc5d03, 2026.</summary>
    [Fact]
    public void LruEviction_BucketBusy_RecoversTheElement()
    {
        Catches(Bug.LosesEvictedElement, make =>
        {
            var faults = new FaultPlan();
            using var core = MapKernel.Boot(faults: faults);
            var map = make(core, Spec(BpfMapType.LruHash, Kptr(8)));
            for (var round = 1; round < 200; round++)
            {
                faults.Clear();
                faults.Fail("lock_bucket", 1 + (round % 3));
                map.UpdateElem(Key(round), new byte[ValueBytes]);
                map.TakeCensus().IsComplete.Should().BeTrue();
            }

            map.UpdateElem(Key(1000), new byte[ValueBytes]).Should().BeOneOf(Errno.None, Errno.EBUSY);
            End(map);
        });
    }

    /// <summary>4f375ade6aa9, 2025.</summary>
    [Fact]
    public void LastUserReference_FromAGracePeriodCallback_DoesNotSleep()
    {
        Catches(Bug.SleepsInReleaseUref, make =>
        {
            using var core = MapKernel.Boot();
            var map = make(core, Spec(BpfMapType.Hash, Kptr(8)));
            map.UpdateElem(Key(1), new byte[ValueBytes]);
            var widget = Put(map, 1);
            core.Rcu.Call(m => ((BpfMap)m).Dispose(), map, "test");
            core.Quiesce();
            End(map, widget);
        });
    }
}
