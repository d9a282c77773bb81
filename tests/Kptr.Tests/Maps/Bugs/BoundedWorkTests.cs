using System.Diagnostics;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Kfuncs;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Tests.Objects;

namespace Kptr.Tests.Maps;

/// <summary>Work that grew without bounds, or called out of a place that must not.</summary>
public class BoundedWorkTests : BugScenario
{
    /// <summary>bfc888f04588, 2026: each object of a chain cost a set of stack frames.</summary>
    [Fact]
    public unsafe void ChainOfOwnedObjects_EndsWithoutAFrameEach()
    {
        // struct stash { struct stash __kptr *next; ... }
        var next = new BtfField(BtfFieldKind.KptrRef, "next", 0, 8) { IsLocalPointee = true };
        Scenario(100_000, (core, below) =>
        {
            var obj = core.NewObject(AllocatedTypes.Stash, new BtfRecord([next]));
            *(ulong*)obj.Address = below.Address;
            return obj;
        });
        Fails(() => Scenario(500, (core, below) => new OwnerByRecursion(core, below)));

        static void Scenario(int length, Func<KernelCore, KernelObject, KernelObject> over)
        {
            using var core = MapKernel.Boot();
            var map = MapFactory.Create(core, Spec(BpfMapType.Hash, Kptr(8)));
            map.UpdateElem(Key(1), new byte[ValueBytes]);
            var bottom = new DeepestFrame(core);
            KernelObject top = bottom;
            for (var i = 0; i < length; i++)
            {
                top = over(core, top);
            }

            core.Ledger.ExchangeFromRun(map.ProgLookup(Key(1), 0) + 8, top.Address, new FakeRun());
            map.FreeNow();
            bottom.Frames.Should().BeInRange(1, 150);
            core.Faults.Should().BeEmpty();
        }
    }

    /// <summary>85136bf22404, 2026: a batch over a huge map let no grace period end.</summary>
    [Fact]
    public void DeleteBatch_OverManyBuckets_LetsGracePeriodsEndOnTheWay()
    {
        Scenario(isOneReader: false);
        Fails(() => Scenario(isOneReader: true));

        static void Scenario(bool isOneReader)
        {
            using var core = MapKernel.Boot();
            var map = MapFactory.Create(core, Spec(BpfMapType.Hash, Kptr(8)) with { MaxEntries = 64 });
            var ended = new List<bool>();
            for (var key = 0; key < 64; key++)
            {
                map.UpdateElem(Key(key), new byte[ValueBytes]);
                PutReentrant(map, key, () =>
                {
                    core.Rcu.Call(_ => { }, map, "test");
                    ended.Add(core.Rcu.Step() > 0);
                });
            }

            var around = isOneReader ? core.Rcu.Enter() : null;
            var count = 64;
            map.LookupAndDeleteBatch([], new byte[4], new byte[256], new byte[64 * ValueBytes], ref count).Should().Be(
                Errno.ENOENT);
            if (around is not null)
            {
                RcuDomain.Leave(around);
            }

            count.Should().Be(64);
            ended.Count(e => e).Should().BeGreaterThan(
                16, "a grace period that began in one bucket ends in a later one");
            map.FreeNow();
        }
    }

    /// <summary>
    /// 6d78b4473cdb, 2025: memory for a timer was taken in a way that called back into whoever held the lock.
    /// </summary>
    [Fact]
    public void TimerInit_WithTheCallersLockHeld_CallsNobody()
    {
        Scenario((core, map, at) => new AsyncFieldTable(core).Init(map, at, isTimer: true));
        Fails(() => Scenario((core, map, at) =>
        {
            core.Fire("sched_switch");
            return new AsyncFieldTable(core).Init(map, at, isTimer: true);
        }));

        static void Scenario(Func<KernelCore, BpfMap, ulong, Errno> init)
        {
            using var core = MapKernel.Boot();
            var map = MapFactory.Create(
                core, Spec(BpfMapType.Hash, SpinLock(0), new BtfField(BtfFieldKind.Timer, "timer", 8, 16)));
            map.UpdateElem(Key(1), new byte[ValueBytes]);
            var value = map.ProgLookup(Key(1), 0);
            var hooks = new CountedHooks();
            core.Hooks = hooks;
            KernelSpinLock.Lock(core, value).Should().BeTrue();
            init(core, map, value + 8).Should().Be(Errno.None);
            KernelSpinLock.Unlock(core, value);
            hooks.Fired.Should().Be(0);
            map.FreeNow();
            core.Faults.Should().BeEmpty();
        }
    }

    private sealed class CountedHooks : IHookSink
    {
        internal int Fired { get; private set; }

        public void Fire(string tracepoint, ReadOnlySpan<ulong> args) => Fired++;
    }

    private sealed class DeepestFrame(KernelCore core) : KernelObject(core, "bottom", "usage.refs.counter")
    {
        internal int Frames { get; private set; }

        protected override void OnLastRelease()
        {
            Frames = new StackTrace().FrameCount;
            base.OnLastRelease();
        }
    }

    private sealed class OwnerByRecursion(KernelCore core, KernelObject below)
        : KernelObject(core, "recursive", "usage.refs.counter")
    {
        protected override void OnLastRelease()
        {
            below.ReleaseCount();
            base.OnLastRelease();
        }
    }
}
