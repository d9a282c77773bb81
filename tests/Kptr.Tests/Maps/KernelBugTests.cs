using System.Runtime.CompilerServices;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Tests.Objects;
using Xunit.Sdk;

namespace Kptr.Tests.Maps;

/// <summary>
/// Bugs that Linux had with special fields in maps. Each scenario passes on our maps and, where the bug can be put back, fails on the mutant.
/// </summary>
public class KernelBugTests
{
    private const int ValueBytes = 48;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A01_PercpuHashUpdate_FreesTheFieldsItWritesOver(bool isUser)
    {
        Catches(
            mutate =>
            {
                using var core = MapKernel.Boot();
                var map = Make(core, BpfMapType.PercpuHash, mutate, Kptr(8));
                map.UpdateElem(Key(1), new byte[map.UserValueSize]);
                var widgets = new[] { Put(map, 1, 0), Put(map, 1, 1) };
                if (isUser)
                {
                    map.UpdateElem(Key(1), new byte[map.UserValueSize]);
                }
                else
                {
                    map.ProgUpdate(Key(1), new byte[ValueBytes], MapUpdateFlags.Any, 0);
                }

                core.Quiesce();
                widgets[0].DestructorRuns.Should().Be(1);
                widgets[1].DestructorRuns.Should().Be(isUser ? 1 : 0);
                End(map, widgets);
            },
            Deciding(DeathPath.InPlaceUpdate, DeathAction.Keep));
    }

    [Fact]
    public void A02_LockedUpdate_FreesNothingAndNothingIsLost()
    {
        Catches(
            mutate =>
            {
                using var core = MapKernel.Boot();
                var map = Make(core, BpfMapType.Hash, mutate, new BtfField(BtfFieldKind.SpinLock, "lock", 0, 4), Kptr(8));
                map.UpdateElem(Key(1), new byte[ValueBytes]);
                var widget = Put(map, 1);
                map.UpdateElem(Key(1), new byte[ValueBytes], MapUpdateFlags.Lock).Should().Be(Errno.None);
                core.Quiesce();
                widget.DestructorRuns.Should().Be(0);
                End(map, widget);
            },
            Deciding(DeathPath.LockedUpdate, DeathAction.Destroy));
    }

    [Fact]
    public unsafe void A03_UnrefKptr_IsClearedInTheSlot()
    {
        Catches(
            mutate =>
            {
                using var core = MapKernel.Boot();
                var map = Make(core, BpfMapType.Hash, mutate, new BtfField(BtfFieldKind.KptrUnref, "p", 8, 8));
                map.UpdateElem(Key(1), new byte[ValueBytes]);
                *(ulong*)(map.ProgLookup(Key(1), 0) + 8) = 0x1234;
                map.DeleteElem(Key(1));
                map.UpdateElem(Key(2), new byte[ValueBytes]);
                (*(ulong*)(map.ProgLookup(Key(2), 0) + 8)).Should().Be(0);
                map.FreeNow();
            },
            Deciding(DeathPath.Delete, DeathAction.Keep));
    }

    [Fact]
    public void A05_RhashInsert_KeepsWhatTheRecycledElementOwns()
    {
        Catches(
            mutate =>
            {
                using var core = MapKernel.Boot(DestroyBehavior.Recycle);
                var map = Make(core, BpfMapType.Rhash, mutate, Kptr(8));
                map.UpdateElem(Key(1), new byte[ValueBytes]);
                var widget = Put(map, 1);
                map.DeleteElem(Key(1));
                core.Quiesce();
                map.UpdateElem(Key(2), new byte[ValueBytes]);
                Slot(map, 2).Peek().Should().BeSameAs(widget);
                Slot(map, 2).Exchange(null)!.Value.Release();
                End(map, widget);
            },
            CopyingEverything);
    }

    [Fact]
    public void A06_LruLockFailure_LosesNoElement()
    {
        using var core = MapKernel.Boot();
        var map = Make(core, BpfMapType.LruHash, null, Kptr(8));
        for (var key = 0; key < 40; key++)
        {
            map.Faults.FailOnce(MapFaultPoint.LockBucket);
            map.UpdateElem(Key(key), new byte[ValueBytes]).Should().BeOneOf(Errno.EBUSY, Errno.None);
            map.TakeCensus().IsComplete.Should().BeTrue();
        }

        for (var key = 100; key < 104; key++)
        {
            map.UpdateElem(Key(key), new byte[ValueBytes]).Should().Be(Errno.None);
        }

        map.TakeCensus().Live.Should().BeGreaterThan(0);
        map.FreeNow();
    }

    [Fact]
    public void A08_CreateOnOneCpu_LeavesTheOthersEmpty()
    {
        using var core = MapKernel.Boot();
        foreach (var flags in (MapFlags[])[MapFlags.None, MapFlags.NoPrealloc])
        {
            var map = MapFactory.Create(core, Spec(BpfMapType.PercpuHash, Kptr(8)) with { Flags = flags });
            var full = new byte[map.UserValueSize];
            Array.Fill(full, (byte)0xee);
            map.UpdateElem(Key(1), full);
            Put(map, 1, 1);
            map.DeleteElem(Key(1));
            map.ProgUpdate(Key(2), full.AsSpan(0, ValueBytes), MapUpdateFlags.Any, 0);
            var read = new byte[map.UserValueSize];
            map.LookupElem(Key(2), read);
            read.AsSpan(ValueBytes).ContainsAnyExcept((byte)0).Should().BeFalse();
            Slot(map, 2, 1).IsNull.Should().BeTrue();
            map.FreeNow();
            core.Ledger.AssertAllReturned();
        }
    }

    [Fact]
    public void B01_Copy_SkipsEverySpecialFieldInAnyOrder()
    {
        BtfField[][] orders =
        [
            [new(BtfFieldKind.SpinLock, "lock", 0, 4), Kptr(8)],
            [Kptr(0), new(BtfFieldKind.SpinLock, "lock", 40, 4)],
            [Kptr(0), Kptr(8), new(BtfFieldKind.SpinLock, "lock", 20, 4), Kptr(40)],
        ];
        foreach (var fields in orders)
        {
            Catches(
                mutate =>
                {
                    using var core = MapKernel.Boot(DestroyBehavior.Recycle);
                    var map = Make(core, BpfMapType.Array, mutate, fields);
                    var widgets = fields.Where(f => f.Kind == BtfFieldKind.KptrRef).Select(f => Put(map, 1, 0, f.OffsetBytes)).ToArray();
                    var ones = new byte[ValueBytes];
                    Array.Fill(ones, (byte)0xff);
                    map.UpdateElem(Key(1), ones);
                    foreach (var (field, widget) in fields.Where(f => f.Kind == BtfFieldKind.KptrRef).Zip(widgets))
                    {
                        ReadWord(map, 1, field.OffsetBytes).Should().Be(widget.Address);
                    }

                    map.UpdateElem(Key(1), ones, MapUpdateFlags.Lock).Should().Be(Errno.None);
                    End(map, widgets);
                },
                map => map.Layout = new(new BtfRecord([map.Record.Fields[0]]), ValueBytes));
        }
    }

    [Fact]
    public void B02_LruReuse_KeepsWhatALateWriterPutIn()
    {
        Catches(
            mutate =>
            {
                using var core = MapKernel.Boot();
                var map = Make(core, BpfMapType.LruHash, mutate, Kptr(8));
                map.UpdateElem(Key(0), new byte[ValueBytes]);
                ref var late = ref Slot(map, 0);
                map.DeleteElem(Key(0));
                var widget = new Widget(core);
                late.Exchange(KernelRef.Own(widget));
                for (var key = 1; key < 40; key++)
                {
                    map.UpdateElem(Key(key), new byte[ValueBytes]);
                }

                core.Quiesce();
                End(map, widget);
            },
            CopyingEverything);
    }

    [Fact]
    public unsafe void B03_NoPreallocReuse_DoesNotTouchALockThatIsHeld()
    {
        Catches(
            mutate =>
            {
                using var core = MapKernel.Boot();
                var map = (HashMap)Make(core, BpfMapType.Hash, mutate, MapFlags.NoPrealloc, new BtfField(BtfFieldKind.SpinLock, "lock", 0, 4));
                map.UpdateElem(Key(1), new byte[ValueBytes]);
                ref var held = ref Unsafe.AsRef<BpfSpinLock>((void*)map.ProgLookup(Key(1), 0));
                held.Enter();
                map.DeleteElem(Key(1));
                map.UpdateElem(Key(2), new byte[ValueBytes]);
                ref var reused = ref Unsafe.AsRef<BpfSpinLock>((void*)map.ProgLookup(Key(2), 0));
                Unsafe.AreSame(ref held, ref reused).Should().BeTrue();
                reused.IsHeld.Should().BeTrue();
                held.Exit();
                reused.TryEnter().Should().BeTrue();
                reused.Exit();
                map.FreeNow();
            },
            CopyingEverything);
    }

    [Fact]
    public unsafe void B04_StorageCreate_DoesNotTakeLockAndKptrFromUserSpace()
    {
        Catches(
            mutate =>
            {
                using var core = MapKernel.Boot();
                var map = (LocalStorageMap)Make(core, BpfMapType.TaskStorage, mutate, new BtfField(BtfFieldKind.SpinLock, "lock", 0, 4), Kptr(8));
                var ones = new byte[ValueBytes];
                Array.Fill(ones, (byte)0xff);
                map.Update(core.Tasks.Init, ones).Should().Be(Errno.None);
                var value = map.Get(core.Tasks.Init);
                Unsafe.AsRef<BpfSpinLock>((void*)value).IsHeld.Should().BeFalse();
                (*(ulong*)(value + 8)).Should().Be(0);
                map.FreeNow();
            },
            CopyingEverything);
    }

    [Fact]
    public void B08_InnerArray_EachIndexIsAnElementOfItsOwn()
    {
        using var core = MapKernel.Boot();
        var innerSpec = Spec(BpfMapType.Array, Kptr(8));
        var inner = MapFactory.Create(core, innerSpec);
        var outer = (ArrayOfMaps)MapFactory.Create(core, Outer(BpfMapType.ArrayOfMaps, innerSpec));
        outer.Set(0, inner).Should().Be(Errno.None);
        var found = BpfMap.FromAddress(core, outer.ProgLookup(Key(0), 0))!;
        var widgets = Enumerable.Range(0, 4).Select(i => Put(found, i)).ToArray();
        widgets.Select(w => w.Address).Should().OnlyHaveUniqueItems();
        Enumerable.Range(0, 4).Select(i => found.ProgLookup(Key(i), 0)).Should().OnlyHaveUniqueItems();
        outer.FreeNow();
        End(inner, widgets);
    }

    [Theory]
    [InlineData(MapFlags.None, DestroyBehavior.Eager)]
    [InlineData(MapFlags.NoPrealloc, DestroyBehavior.Eager)]
    [InlineData(MapFlags.None, DestroyBehavior.Recycle)]
    [InlineData(MapFlags.NoPrealloc, DestroyBehavior.Recycle)]
    public void C01_LateWriterAfterDelete_IsNotLost(MapFlags flags, DestroyBehavior policy)
    {
        Catches(
            mutate =>
            {
                using var core = MapKernel.Boot(policy);
                var map = Make(core, BpfMapType.Hash, mutate, flags, Kptr(8));
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

    [Fact]
    public void C01_LateWriterBeforeTheAllocatorLetsGo_IsNotLost()
    {
        Catches(
            mutate =>
            {
                using var core = MapKernel.Boot();
                var map = Make(core, BpfMapType.TaskStorage, mutate, Kptr(8));
                var task = core.Tasks.Init;
                ((LocalStorageMap)map).Get(task, default, create: true);
                Widget late;
                using (core.RcuTrace.ReadLock())
                {
                    ref var held = ref Slot(map, task.Pid);
                    ((LocalStorageMap)map).Delete(task).Should().Be(Errno.None);
                    late = new Widget(core);
                    held.Exchange(KernelRef.Own(late));
                }

                core.Quiesce();
                late.DestructorRuns.Should().Be(1);
                End(map, late);
            },
            Deciding(DeathPath.AllocatorRelease, DeathAction.Keep));
    }

    [Fact]
    public void C03_DeletedStorage_StaysUntilSleepableReadersLeave()
    {
        using var core = MapKernel.Boot();
        var map = (LocalStorageMap)Make(core, BpfMapType.TaskStorage, null, Kptr(8));
        var task = core.Tasks.Init;
        var value = map.Get(task, BitConverter.GetBytes(0x77L).Concat(new byte[ValueBytes - 8]).ToArray(), create: true);
        using (core.RcuTrace.ReadLock())
        {
            map.Delete(task);
            core.Rcu.Step();
            core.RcuTrace.Step();
            core.Rcu.Step();
            map.Get(task, default, create: true).Should().NotBe(value, "the memory is not used again under a reader");
            ReadWord(value).Should().Be(0x77);
        }

        map.FreeNow();
    }

    [Fact]
    public void C04_MapFree_WaitsForTheCallbacksOfItsElements()
    {
        using var core = MapKernel.Boot();
        var map = (LocalStorageMap)Make(core, BpfMapType.TaskStorage, null, Kptr(8));
        map.Get(core.Tasks.Init, default, create: true);
        var widget = Put(map, core.Tasks.Init.Pid);
        map.Delete(core.Tasks.Init);
        map.Dispose();
        while (core.Rcu.Step() > 0 | core.Work.Step())
        {
        }

        map.IsFreed.Should().BeFalse("the tasks-trace callback of the element still waits");
        core.RcuTrace.PendingCount.Should().BeGreaterThan(0);
        core.Quiesce();
        map.IsFreed.Should().BeTrue();
        widget.DestructorRuns.Should().Be(1);
        core.Faults.Should().BeEmpty();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void C05_EveryOperation_IsLegalInsideEitherReader(bool isTrace)
    {
        using var core = MapKernel.Boot();
        foreach (var type in (BpfMapType[])[BpfMapType.Hash, BpfMapType.PercpuHash, BpfMapType.LruHash, BpfMapType.Array])
        {
            var map = Make(core, type, null, Kptr(8));
            using (isTrace ? core.RcuTrace.ReadLock() : core.Rcu.ReadLock())
            {
                map.UpdateElem(Key(1), new byte[map.UserValueSize]);
                Put(map, 1);
                map.LookupElem(Key(1), new byte[map.UserValueSize]);
                map.DeleteElem(Key(1));
                map.ForEachElem((_, _) => 0, 0, 0);
            }

            map.FreeNow();
        }

        core.Faults.Should().BeEmpty();
        core.Ledger.AssertAllReturned();
    }

    [Theory]
    [InlineData(BpfMapType.Array)]
    [InlineData(BpfMapType.Hash)]
    [InlineData(BpfMapType.LruHash)]
    [InlineData(BpfMapType.PercpuHash)]
    public void D01_Recycle_RunsNoDestructorInsideUpdateOrDelete(BpfMapType type)
    {
        Catches(
            mutate =>
            {
                using var core = MapKernel.Boot(DestroyBehavior.Recycle);
                var map = Make(core, type, mutate, Kptr(8));
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

    [Fact]
    public void D03_OuterMap_GivesInnerMapsBackOutsideOfItsLock()
    {
        using var core = MapKernel.Boot();
        var innerSpec = Spec(BpfMapType.Array, Kptr(8));
        foreach (var flags in (MapFlags[])[MapFlags.None, MapFlags.NoPrealloc])
        {
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
    }

    [Theory]
    [InlineData(BpfMapType.Hash, MapFlags.None)]
    [InlineData(BpfMapType.Hash, MapFlags.NoPrealloc)]
    [InlineData(BpfMapType.LruHash, MapFlags.None)]
    [InlineData(BpfMapType.PercpuHash, MapFlags.None)]
    [InlineData(BpfMapType.Array, MapFlags.None)]
    public void D05_DestructorThatUsesTheSameMap_FindsNoLockHeld(BpfMapType type, MapFlags flags)
    {
        using var core = MapKernel.Boot();
        var map = Make(core, type, null, flags, Kptr(8));
        foreach (var end in (Action<BpfMap>[])
        [
            m => m.UpdateElem(Key(1), new byte[m.UserValueSize]),
            m => m.DeleteElem(Key(1)),
            m => m.LookupAndDeleteElem(Key(1), new byte[m.UserValueSize]),
            m => { var n = 8; m.LookupAndDeleteBatch([], new byte[4], new byte[32], new byte[m.UserValueSize * 8], ref n); },
            m => { for (var k = 20; k < 60; k++) { m.UpdateElem(Key(k), new byte[m.UserValueSize]); } },
        ])
        {
            map.UpdateElem(Key(1), new byte[map.UserValueSize]);
            var widget = new ReentrantObject(core, () =>
            {
                if (!map.IsFreed)
                {
                    map.UpdateElem(Key(1), new byte[map.UserValueSize]);
                    map.DeleteElem(Key(1));
                }
            });
            PutObject(map, 1, widget);
            end(map);
            map.TakeCensus().IsComplete.Should().BeTrue();
        }

        map.FreeNow();
        core.Faults.Should().BeEmpty();
        core.Ledger.AssertAllReturned();
    }

    [Fact]
    public void D06_SpareElementReusedByADestructor_KeepsItsNewKptr()
    {
        using var core = MapKernel.Boot();
        var map = Make(core, BpfMapType.Hash, null, Kptr(8));
        var later = new Widget(core);
        map.UpdateElem(Key(1), new byte[ValueBytes]);
        map.UpdateElem(Key(2), new byte[ValueBytes]);
        PutObject(map, 1, new ReentrantObject(core, () =>
        {
            // This update takes the element that the outer one has just made the spare.
            map.UpdateElem(Key(2), new byte[ValueBytes]);
            Slot(map, 2).Exchange(KernelRef.Own(later))?.Release();
        }));
        map.UpdateElem(Key(1), new byte[ValueBytes]);
        core.Quiesce();
        later.DestructorRuns.Should().Be(0, "it is in a live element");
        End(map, later);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void D07_D08_StorageDestructorThatUsesTheSameOwner_DoesNotHang(bool byMapFree)
    {
        using var core = MapKernel.Boot();
        var map = (LocalStorageMap)Make(core, BpfMapType.CgrpStorage, null, Kptr(8));
        var owner = core.Cgroups.Create("group");
        map.Get(owner, default, create: true);
        var ran = false;
        PutObject(map, (int)owner.Id, new ReentrantObject(core, () =>
        {
            ran = true;
            map.Get(owner);
            map.Delete(owner);
        }));
        if (!byMapFree)
        {
            map.Update(owner, new byte[ValueBytes]).Should().Be(Errno.None);
            ran.Should().BeTrue();
        }

        map.FreeNow();
        ran.Should().BeTrue();
        core.Faults.Should().BeEmpty();
    }

    [Fact]
    public void D10_LruEvictionThatCannotLock_RecoversTheElement()
    {
        using var core = MapKernel.Boot();
        var map = Make(core, BpfMapType.LruHash, null, Kptr(8));
        for (var round = 1; round < 200; round++)
        {
            map.Faults.FailOnce(MapFaultPoint.LockBucket, 1 + (round % 3));
            map.UpdateElem(Key(round), new byte[ValueBytes]);
        }

        map.TakeCensus().IsComplete.Should().BeTrue();
        map.UpdateElem(Key(1000), new byte[ValueBytes]).Should().Be(Errno.None);
        map.FreeNow();
    }

    [Fact]
    public void D11_LastUserReferenceFromAGracePeriodCallback_DoesNotSleep()
    {
        using var core = MapKernel.Boot();
        var map = Make(core, BpfMapType.Hash, null, Kptr(8));
        map.UpdateElem(Key(1), new byte[ValueBytes]);
        var widget = Put(map, 1);
        core.Rcu.Call(m => ((BpfMap)m).Dispose(), map, "test");
        core.Quiesce();
        map.IsFreed.Should().BeTrue();
        widget.DestructorRuns.Should().Be(1);
        core.Faults.Should().BeEmpty();
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public void F01_InnerMap_LivesUntilReadersOfEitherFlavourLeave(bool isTrace, bool isHash)
    {
        using var core = MapKernel.Boot();
        var innerSpec = Spec(BpfMapType.Array, Kptr(8));
        var outer = MapFactory.Create(core, Outer(isHash ? BpfMapType.HashOfMaps : BpfMapType.ArrayOfMaps, innerSpec));
        var inner = MapFactory.Create(core, innerSpec);
        outer.UpdateElem(Key(0), BitConverter.GetBytes(inner.Id)).Should().Be(Errno.None);
        inner.Dispose();
        using (isTrace ? core.RcuTrace.ReadLock() : core.Rcu.ReadLock())
        {
            var found = BpfMap.FromAddress(core, outer.ProgLookup(Key(0), 0))!;
            outer.DeleteElem(Key(0)).Should().Be(Errno.None);
            for (var i = 0; i < 4; i++)
            {
                core.RcuTrace.Step();
                core.Rcu.Step();
                core.Work.Step();
            }

            found.IsFreed.Should().BeFalse();
            found.ProgLookup(Key(0), 0).Should().NotBe(0);
        }

        core.Quiesce();
        inner.IsFreed.Should().BeTrue();
        outer.FreeNow();
    }

    [Fact]
    public void F04_IteratorKeepsTheUserReference_TimersStopOnlyAfterIt()
    {
        using var core = MapKernel.Boot();
        var map = Make(core, BpfMapType.Hash, null, Kptr(8));
        map.HoldUser();
        map.Dispose();
        map.UserRefCount.Should().Be(1);
        core.Quiesce();
        map.IsFreed.Should().BeFalse();
        map.PutUser();
        core.Quiesce();
        map.IsFreed.Should().BeTrue();
    }

    [Fact]
    public void N01_N02_ForkedTask_HasNoStorageAndItsEndLeavesTheParentsAlone()
    {
        using var core = MapKernel.Boot();
        var map = (LocalStorageMap)Make(core, BpfMapType.TaskStorage, null, Kptr(8));
        var parent = core.Tasks.Fork(core.Tasks.Init);
        map.Get(parent, default, create: true);
        var widget = Put(map, parent.Pid);
        var child = core.Tasks.Fork(parent);
        map.Get(child).Should().Be(0);
        map.Get(child, default, create: true);
        var childs = Put(map, child.Pid);
        core.Tasks.Exit(child);
        core.Tasks.Reap(child);
        core.Quiesce();
        childs.DestructorRuns.Should().Be(1);
        widget.DestructorRuns.Should().Be(0);
        core.Tasks.Exit(parent);
        core.Tasks.Reap(parent);
        core.Quiesce();
        map.Count.Should().Be(0);
        End(map, widget, childs);
    }

    [Fact]
    public void L03_FreeList_HandsEachSlotOutOnce()
    {
        const int Slots = 64;
        var free = new FreeList(Slots, 2);
        free.Fill(0, Slots);
        var owners = new int[Slots];
        var doubled = 0;
        Parallel.For(0, 2, cpu =>
        {
            for (var i = 0; i < 200_000; i++)
            {
                var slot = free.Pop(cpu);
                if (slot >= 0)
                {
                    if (Interlocked.Exchange(ref owners[slot], 1) != 0)
                    {
                        Interlocked.Increment(ref doubled);
                    }

                    Volatile.Write(ref owners[slot], 0);
                    free.Push(slot, i % 2);
                }
            }
        });
        doubled.Should().Be(0);
        var left = new List<int>();
        free.Walk(left.Add);
        left.Order().Should().Equal(Enumerable.Range(0, Slots));
    }

    private static void Catches(Action<Action<BpfMap>?> scenario, Action<BpfMap> mutate)
    {
        scenario(null);
        var caught = Record.Exception(() => scenario(mutate));
        caught.Should().NotBeNull("the scenario must notice the bug");
        caught.Should().Match(e => e is XunitException || e is LedgerLeakException);
    }

    private static Action<BpfMap> Deciding(DeathPath path, DeathAction action) =>
        map => map.Policy = new(map.Policy, p => p == path ? action : null);

    private static void CopyingEverything(BpfMap map) => map.Layout = new(BtfRecord.Empty, map.ValueSize);

    private static BtfField Kptr(int offset) => new(BtfFieldKind.KptrRef, $"p{offset}", offset, 8);

    private static MapSpec Spec(BpfMapType type, params BtfField[] fields) => new("bug", type)
    {
        KeySize = 4,
        ValueSize = ValueBytes,
        MaxEntries = type is BpfMapType.TaskStorage or BpfMapType.CgrpStorage ? 0u : 8,
        Flags = type is BpfMapType.TaskStorage or BpfMapType.CgrpStorage or BpfMapType.Rhash ? MapFlags.NoPrealloc : MapFlags.None,
        Record = new([.. fields]),
    };

    private static MapSpec Outer(BpfMapType type, MapSpec inner) =>
        new("outer", type) { KeySize = 4, ValueSize = 4, MaxEntries = 4, InnerMap = inner };

    private static BpfMap Make(KernelCore core, BpfMapType type, Action<BpfMap>? mutate, params BtfField[] fields) =>
        Make(core, type, mutate, Spec(type).Flags, fields);

    private static BpfMap Make(KernelCore core, BpfMapType type, Action<BpfMap>? mutate, MapFlags flags, params BtfField[] fields)
    {
        var map = MapFactory.Create(core, Spec(type, fields) with { Flags = flags });
        mutate?.Invoke(map);
        return map;
    }

    private static byte[] Key(int key) => BitConverter.GetBytes(key);

    private static unsafe ref Kptr<Widget> Slot(BpfMap map, int key, int cpu = 0, int offset = 8) =>
        ref Unsafe.AsRef<Kptr<Widget>>((void*)(map.ProgLookup(Key(key), cpu) + (ulong)offset));

    private static Widget Put(BpfMap map, int key, int cpu = 0, int offset = 8)
    {
        var widget = new Widget(map.Core);
        Slot(map, key, cpu, offset).Exchange(KernelRef.Own(widget))?.Release();
        return widget;
    }

    private static unsafe void PutObject(BpfMap map, int key, ReentrantObject obj) =>
        Unsafe.AsRef<Kptr<ReentrantObject>>((void*)(map.ProgLookup(Key(key), 0) + 8)).Exchange(KernelRef.Own(obj))?.Release();

    private static ulong ReadWord(BpfMap map, int key, int offset) => ReadWord(map.ProgLookup(Key(key), 0) + (ulong)offset);

    private static unsafe ulong ReadWord(ulong address) => *(ulong*)address;

    private static void End(BpfMap map, params Widget[] widgets)
    {
        map.FreeNow();
        map.Core.Quiesce();
        widgets.Should().OnlyContain(w => w.DestructorRuns == 1);
        map.Core.Faults.Should().BeEmpty();
        map.Core.Ledger.AssertAllReturned();
    }

    /// <summary>Does something when its last reference goes, on the spot.</summary>
    private sealed class ReentrantObject(KernelCore core, Action onLastRelease) : KernelObject(core, "reentrant", "usage.refs.counter")
    {
        protected override void OnLastRelease()
        {
            onLastRelease();
            base.OnLastRelease();
        }
    }
}
