using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Tests.Objects;

namespace Kptr.Tests.Maps;

/// <summary>
/// Writes through value pointers of elements that are deleted, and memory that readers still stand on.
/// </summary>
public class LateWriteBugTests : BugScenario
{
    /// <summary>1df97a7453ee, 2026.</summary>
    [Theory]
    [InlineData(MapFlags.None, DestroyBehavior.Eager)]
    [InlineData(MapFlags.NoPrealloc, DestroyBehavior.Eager)]
    [InlineData(MapFlags.None, DestroyBehavior.Recycle)]
    [InlineData(MapFlags.NoPrealloc, DestroyBehavior.Recycle)]
    public void WriterAfterDelete_IsNotLost(MapFlags flags, DestroyBehavior policy)
    {
        Catches(
            make =>
            {
                using var core = MapKernel.Boot(policy);
                var map = make(core, Spec(BpfMapType.Hash, Kptr(8)) with { Flags = flags });
                map.UpdateElem(Key(1), new byte[ValueBytes]);
                Widget first, second;
                using (core.Rcu.ReadLock())
                {
                    ref var held = ref Slot(map, 1);
                    first = new Widget(core);
                    held.Exchange(KernelRef.Own(first))?.Release();
                    map.ProgDelete(Key(1), 0);
                    second = new Widget(core);
                    held.Exchange(KernelRef.Own(second))?.Release();
                }

                End(map, first, second);
            },
            Deciding(DeathPath.MapFree, DeathAction.Cancel));
    }

    /// <summary>The same, where the allocator lets the memory go before the map is freed.</summary>
    [Fact]
    public void WriterBeforeTheAllocatorLetsGo_IsNotLost()
    {
        Catches(
            make =>
            {
                using var core = MapKernel.Boot();
                var map = make(core, Spec(BpfMapType.TaskStorage, Kptr(8)));
                var task = core.Tasks.Init;
                map.UpdateElem(Key(task.Pid), new byte[ValueBytes]);
                Widget late;
                using (core.RcuTrace.ReadLock())
                {
                    ref var held = ref Slot(map, task.Pid);
                    map.DeleteElem(Key(task.Pid));
                    late = new Widget(core);
                    held.Exchange(KernelRef.Own(late))?.Release();
                }

                core.Quiesce();
                late.DestructorRuns.Should().Be(1);
                End(map, late);
            },
            Deciding(DeathPath.AllocatorRelease, DeathAction.Keep));
    }

    /// <summary>9bac675e6368, 2024.</summary>
    [Fact]
    public void DeletedStorage_StaysUntilSleepableReadersLeave()
    {
        Catches(Bug.ReusesUnderReaders, make =>
        {
            using var core = MapKernel.Boot();
            var map = make(core, Spec(BpfMapType.TaskStorage, Kptr(8)));
            var key = Key(core.Tasks.Init.Pid);
            map.UpdateElem(key, [.. BitConverter.GetBytes(0x77L), .. new byte[ValueBytes - 8]]);
            var value = map.ProgLookup(key, 0);
            using (core.RcuTrace.ReadLock())
            {
                map.DeleteElem(key);
                core.Rcu.Step();
                core.RcuTrace.Step();
                core.Rcu.Step();
                map.UpdateElem(key, new byte[ValueBytes]);
                map.ProgLookup(key, 0).Should().NotBe(value, "the memory is not used again under a reader");
                ReadWord(value).Should().Be(0x77);
            }

            End(map);
        });
    }

    /// <summary>e768e3c5aab4, 2023.</summary>
    [Fact]
    public void ElementCallback_BesideMapFree_DoesNotTouchAFreedMap()
    {
        Catches(Bug.CallsBackAfterFree, make =>
        {
            using var core = MapKernel.Boot();
            var map = make(core, Spec(BpfMapType.TaskStorage, Kptr(8)));
            var pid = core.Tasks.Init.Pid;
            map.UpdateElem(Key(pid), new byte[ValueBytes]);
            var widget = Put(map, pid);
            map.DeleteElem(Key(pid));
            map.Dispose();
            while (core.Rcu.Step() > 0 | core.Work.Step())
            {
            }

            core.RcuTrace.PendingCount.Should().BeGreaterThan(0, "the element's callback waits for the other flavour");
            End(map, widget);
        });
    }

    /// <summary>169410eba271 and d4965578267e, 2023 and 2025: a check that knew one flavour only.</summary>
    [Theory]
    [InlineData(BpfMapType.Hash)]
    [InlineData(BpfMapType.PercpuHash)]
    [InlineData(BpfMapType.LruHash)]
    [InlineData(BpfMapType.Array)]
    public void EveryOperation_IsLegalInsideEitherReader(BpfMapType type)
    {
        Catches(Bug.KnowsOneReaderFlavour, make =>
        {
            using var core = MapKernel.Boot();
            foreach (var flavour in (RcuDomain[])[core.Rcu, core.RcuTrace])
            {
                var map = make(core, Spec(type, Kptr(8)));
                Widget widget;
                using (flavour.ReadLock())
                {
                    map.ProgUpdate(Key(1), new byte[ValueBytes], MapUpdateFlags.Any, 0);
                    widget = Put(map, 1);
                    map.ProgDelete(Key(1), 0);
                    map.ForEachElem((_, _) => 0, 0, 0);
                }

                End(map, widget);
            }
        });
    }
}
