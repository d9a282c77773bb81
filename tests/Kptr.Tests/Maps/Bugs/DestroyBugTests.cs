using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Tests.Objects;

namespace Kptr.Tests.Maps;

/// <summary>Values that lost what they owned, or kept it, at their end.</summary>
public class DestroyBugTests : BugScenario
{
    /// <summary>6af6e49a76c9, 2025.</summary>
    [Theory]
    [InlineData(BpfMapType.PercpuHash, false)]
    [InlineData(BpfMapType.PercpuHash, true)]
    [InlineData(BpfMapType.LruPercpuHash, false)]
    [InlineData(BpfMapType.LruPercpuHash, true)]
    public void PercpuUpdate_FreesTheFieldsItWritesOver(BpfMapType type, bool isUser)
    {
        Catches(
            make =>
            {
                using var core = MapKernel.Boot();
                var map = make(core, Spec(type, Kptr(8)));
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

    /// <summary>
    /// b49558c0080d and its twin, proposed in 2025 and withdrawn: Linux keeps the fields, and so do we.
    /// </summary>
    [Fact]
    public void LockedUpdate_FreesNothingAndNothingIsLost()
    {
        Catches(
            make =>
            {
                using var core = MapKernel.Boot();
                var map = make(core, Spec(BpfMapType.Hash, SpinLock(0), Kptr(8)));
                map.UpdateElem(Key(1), new byte[ValueBytes]);
                var widget = Put(map, 1);
                map.UpdateElem(Key(1), new byte[ValueBytes], MapUpdateFlags.Lock).Should().Be(Errno.None);
                core.Quiesce();
                widget.DestructorRuns.Should().Be(0);
                End(map, widget);
            },
            Deciding(DeathPath.LockedUpdate, DeathAction.Destroy));
    }

    /// <summary>9fad7fe5b298, 2022.</summary>
    [Fact]
    public unsafe void UnrefKptr_IsClearedInTheSlot()
    {
        Catches(
            make =>
            {
                using var core = MapKernel.Boot();
                var map = make(core, Spec(BpfMapType.Hash, new BtfField(BtfFieldKind.KptrUnref, "p", 8, 8)));
                map.UpdateElem(Key(1), new byte[ValueBytes]);
                *(ulong*)(map.ProgLookup(Key(1), 0) + 8) = 0x1234;
                map.DeleteElem(Key(1));
                map.UpdateElem(Key(2), new byte[ValueBytes]);
                ReadWord(map, 2, 8).Should().Be(0);
                map.FreeNow();
            },
            Deciding(DeathPath.Delete, DeathAction.Keep));
    }

    /// <summary>5df46ddcb7b3, 2026.</summary>
    [Fact]
    public void RhashInsert_KeepsWhatTheRecycledElementOwns()
    {
        Catches(
            make =>
            {
                using var core = MapKernel.Boot(DestroyBehavior.Recycle);
                var map = make(core, Spec(BpfMapType.Rhash, Kptr(8)));
                map.UpdateElem(Key(1), new byte[ValueBytes]);
                var widget = Put(map, 1);
                using (core.RcuTrace.ReadLock())                // so long elements that wait may be used again
                {
                    map.DeleteElem(Key(1));
                    core.Rcu.Step();
                    InsertUntilFound(map, widget).Should().BeTrue();
                }

                Slot(map, 2).Exchange(null)!.Value.Release();
                End(map, widget);
            },
            CopyingEverything);
    }

    // A stock of fresh elements comes first.
    private static bool InsertUntilFound(BpfMap map, Widget widget)
    {
        for (var i = 0; i < 100; i++)
        {
            map.UpdateElem(Key(2), new byte[ValueBytes]).Should().Be(Errno.None);
            using (map.Core.Rcu.ReadLock())
            {
                if (Slot(map, 2).Peek() == widget)
                {
                    return true;
                }
            }

            map.DeleteElem(Key(2));
        }

        return false;
    }

    /// <summary>b34ffb0c6d23, 2023.</summary>
    [Fact]
    public void LruInsert_BucketBusy_LosesNoElement()
    {
        Catches(Bug.LosesElementOnBusy, make =>
        {
            var faults = new FaultPlan();
            using var core = MapKernel.Boot(faults: faults);
            var map = make(core, Spec(BpfMapType.LruHash, Kptr(8)));
            for (var key = 0; key < 4; key++)
            {
                faults.Fail("lock_bucket");
                map.UpdateElem(Key(key), new byte[ValueBytes]).Should().Be(Errno.EBUSY);
                map.TakeCensus().IsComplete.Should().BeTrue();
            }

            for (var key = 100; key < 108; key++)
            {
                map.UpdateElem(Key(key), new byte[ValueBytes]).Should().Be(Errno.None);
            }

            End(map);
        });
    }

    /// <summary>c3a66e5f5bab, 2026.</summary>
    [Theory]
    [InlineData(MapFlags.None)]
    [InlineData(MapFlags.NoPrealloc)]
    public void PercpuCreate_ByAProgram_LeavesNothingOnTheOtherCpus(MapFlags flags)
    {
        Catches(Bug.LeavesOtherCpus, make =>
        {
            using var core = MapKernel.Boot();
            var map = make(core, Spec(BpfMapType.PercpuHash, Kptr(8)) with { Flags = flags });
            var full = new byte[map.UserValueSize];
            Array.Fill(full, (byte)0xee);
            map.UpdateElem(Key(1), full);
            var widget = Put(map, 1, 1);
            map.DeleteElem(Key(1));
            map.ProgUpdate(Key(2), full.AsSpan(0, ValueBytes), MapUpdateFlags.Any, 0);
            var read = new byte[map.UserValueSize];
            map.LookupElem(Key(2), read);
            read.AsSpan(ValueBytes).ContainsAnyExcept((byte)0).Should().BeFalse();
            Slot(map, 2, 1).IsNull.Should().BeTrue();
            End(map, widget);
        });
    }

    /// <summary>75b0a6db4300, 2026.</summary>
    [Fact]
    public void PercpuUpdate_CpuIdsWithHoles_GoesToTheRightCpu()
    {
        Catches(Bug.IndexesByCpuId, make =>
        {
            using var core = new KernelCore(
                TestKernel.Spec, new() { CpuCount = 6, PossibleCpus = [0, 2, 5], Driver = DeferredDriver.Manual });
            var map = make(core, Spec(BpfMapType.PercpuHash, Kptr(8)));
            var value = new byte[map.UserValueSize];
            for (var place = 0; place < 3; place++)
            {
                value[place * ValueBytes] = (byte)(10 + place);
            }

            map.UpdateElem(Key(1), value).Should().Be(Errno.None);
            ((int[])[0, 2, 5]).Select(cpu => ReadWord(map.ProgLookup(Key(1), cpu))).Should().Equal(10UL, 11, 12);
            var widgets = new[] { Put(map, 1, 0), Put(map, 1, 2), Put(map, 1, 5) };
            core.Ledger.WhoPins(widgets[2]).ToString().Should().Contain("cpu 5");
            End(map, widgets);
        });
    }
}
