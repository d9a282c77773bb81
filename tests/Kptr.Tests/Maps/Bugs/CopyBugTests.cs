using System.Runtime.CompilerServices;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Tests.Objects;

namespace Kptr.Tests.Maps;

/// <summary>Copies and first values that touched special fields.</summary>
public class CopyBugTests : BugScenario
{
    public static TheoryData<int> FieldOrders => new() { 0, 1, 2 };

    private static readonly BtfField[][] Orders =
    [
        [SpinLock(0), Kptr(8)],
        [Kptr(0), SpinLock(40)],
        [Kptr(0), Kptr(8), SpinLock(20), Kptr(40)],
    ];

    /// <summary>a8abb0c3dc1e, 2022.</summary>
    [Theory]
    [MemberData(nameof(FieldOrders))]
    public void Copy_SkipsEverySpecialFieldInAnyOrder(int order)
    {
        var fields = Orders[order];
        var kptrs = fields.Where(f => f.Kind == BtfFieldKind.KptrRef).ToList();
        Catches(
            make =>
            {
                using var core = MapKernel.Boot(DestroyBehavior.Recycle);
                var map = make(core, Spec(BpfMapType.Array, fields));
                var widgets = kptrs.Select(f => Put(map, 1, 0, f.OffsetBytes)).ToArray();
                var ones = new byte[ValueBytes];
                Array.Fill(ones, (byte)0xff);
                map.UpdateElem(Key(1), ones);
                foreach (var (field, widget) in kptrs.Zip(widgets))
                {
                    ReadWord(map, 1, field.OffsetBytes).Should().Be(widget.Address);
                }

                map.UpdateElem(Key(1), ones, MapUpdateFlags.Lock).Should().Be(Errno.None);
                End(map, widgets);
            },
            map => map.Layout = new(new BtfRecord([map.Record.Fields[0]]), ValueBytes));
    }

    /// <summary>275c30bcee66, 2022.</summary>
    [Fact]
    public void LruReuse_KeepsWhatALateWriterPutIn()
    {
        Catches(
            make =>
            {
                using var core = MapKernel.Boot();
                var map = make(core, Spec(BpfMapType.LruHash, Kptr(8)));
                map.UpdateElem(Key(0), new byte[ValueBytes]);
                ref var late = ref Slot(map, 0);
                map.DeleteElem(Key(0));
                var widget = new Widget(core);
                late.Exchange(KernelRef.Own(widget))?.Release();
                for (var key = 1; key < 40; key++)
                {
                    map.UpdateElem(Key(key), new byte[ValueBytes]);
                }

                core.Quiesce();
                End(map, widget);
            },
            CopyingEverything);
    }

    /// <summary>997849c4b969, 2023.</summary>
    [Fact]
    public unsafe void NoPreallocReuse_DoesNotTouchALockThatIsHeld()
    {
        Catches(
            make =>
            {
                using var core = MapKernel.Boot();
                var map = make(core, Spec(BpfMapType.Hash, SpinLock(0)) with { Flags = MapFlags.NoPrealloc });
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

    /// <summary>836e49e103df, 2022.</summary>
    [Fact]
    public unsafe void StorageCreate_DoesNotTakeLockAndKptrFromUserSpace()
    {
        Catches(
            make =>
            {
                using var core = MapKernel.Boot();
                var map = (LocalStorageMap)make(core, Spec(BpfMapType.TaskStorage, SpinLock(0), Kptr(8)));
                var ones = new byte[ValueBytes];
                Array.Fill(ones, (byte)0xff);
                map.Update(core.Tasks.Init, ones).Should().Be(Errno.None);
                var value = map.Get(core.Tasks.Init);
                Unsafe.AsRef<BpfSpinLock>((void*)value).IsHeld.Should().BeFalse();
                ReadWord(value + 8).Should().Be(0);
                map.FreeNow();
            },
            CopyingEverything);
    }

    /// <summary>cba41bb78d70, 2023.</summary>
    [Fact]
    public void InnerArray_EachIndexIsAnElementOfItsOwn()
    {
        Catches(Bug.HasNoElementSize, make =>
        {
            using var core = MapKernel.Boot();
            var innerSpec = Spec(BpfMapType.Array, Kptr(8));
            var inner = make(core, innerSpec);
            var outer = (ArrayOfMaps)MapFactory.Create(core, Outer(BpfMapType.ArrayOfMaps, innerSpec));
            outer.Set(0, inner).Should().Be(Errno.None);
            var found = BpfMap.FromAddress(core, outer.ProgLookup(Key(0), 0))!;
            var widgets = Enumerable.Range(0, 4).Select(i => Put(found, i)).ToArray();
            Enumerable.Range(0, 4).Select(i => found.ProgLookup(Key(i), 0)).Should().OnlyHaveUniqueItems();
            core.Quiesce();
            widgets.Should().OnlyContain(w => w.DestructorRuns == 0, "each has a slot of its own");
            outer.FreeNow();
            End(inner, widgets);
        });
    }
}
