using System.Collections.Concurrent;
using Kptr.Diagnostics;
using Kptr.Kfuncs;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Public.Tests.Objects;

/// <summary>The destructor kfunc of a user's own type is called for each slot that dies.</summary>
public class OwnDestructorTests
{
    // So many elements that deleting the last of them makes the CPU's cache overflow: it and others go back to the
    // allocator, after a grace period.
    private const int Elements = 117;
    private static readonly byte[] Key = BitConverter.GetBytes(1);

    // How a value comes to its end, and where Linux would call the destructor: as each policy has it.
    private static readonly Dictionary<string, Death> Deaths = new()
    {
        ["delete"] = new(Hash, (_, map) => map.DeleteElem(Key), ExecContext.Process),
        ["delete by a program in an NMI"] = new(
            Hash, (kernel, map) => InNmi(kernel, () => map.ProgDelete(Key, 0)), ExecContext.Nmi),
        ["replace"] = new(Hash, (_, map) => map.UpdateElem(Key, new byte[map.ValueSize]), ExecContext.Process),
        ["look up and delete"] = new(
            Hash, (_, map) => map.LookupAndDeleteElem(Key, new byte[map.ValueSize]), ExecContext.Process),
        ["write over in an array"] = new(core => new ArrayMap<Seat>(core, 2),
            (_, map) => map.UpdateElem(Key, new byte[map.ValueSize]), ExecContext.Process),
        ["evict"] = new(core => new LruHashMap<int, Seat>(core, 2), (_, map) => Evict(map), ExecContext.Process),
        ["free the map"] = new(Hash, (_, _) => { }, null),
        ["delete more than the allocator keeps"] = new(
            core => new HashMap<int, Seat>(core, Elements, flags: MapFlags.NoPrealloc),
            (_, map) => DeleteMany(map), ExecContext.Process, AfterGracePeriod: ExecContext.SoftIrq),
    };

    private struct Seat
    {
        public Kptr<Badge> Badge;
    }

    public static TheoryData<string, DestroyBehavior> Cases
    {
        get
        {
            var cases = new TheoryData<string, DestroyBehavior>();
            foreach (var name in Deaths.Keys)
            {
                cases.Add(name, DestroyBehavior.Eager);
                cases.Add(name, DestroyBehavior.Recycle);
            }

            return cases;
        }
    }

    [Theory, MemberData(nameof(Cases))]
    public void Destructor_OfAValueThatDies_IsCalledOnceInItsContext(string name, DestroyBehavior policy)
    {
        var death = Deaths[name];
        using var kernel = Boot(policy);
        var calls = BadgeKfuncs.CallsIn(kernel);
        using (var map = death.Make(kernel))
        {
            map.UpdateElem(Key, new byte[map.ValueSize]);
            Store(kernel, map);
            death.End(kernel, map);
            if (policy == DestroyBehavior.Eager && death.InOperation is { } context)
            {
                calls.Should().Equal(context);
            }
            else
            {
                calls.Should().BeEmpty("the memory is recycled with what it owns");
            }

            kernel.Quiesce();
            if (policy == DestroyBehavior.Recycle && death.AfterGracePeriod is { } later)
            {
                calls.Should().Equal(later);
            }
        }

        kernel.Quiesce();
        calls.Should().ContainSingle();
        if (death.InOperation is null)
        {
            calls.Should().Equal(ExecContext.Process);
        }

        AllIsBack(kernel);
    }

    [Theory]
    [InlineData(false, DestroyBehavior.Eager)]
    [InlineData(false, DestroyBehavior.Recycle)]
    [InlineData(true, DestroyBehavior.Eager)]
    [InlineData(true, DestroyBehavior.Recycle)]
    public void Destructor_OfLocalStorage_IsCalledOnce(bool isOwnerFirst, DestroyBehavior policy)
    {
        using var kernel = Boot(policy);
        var calls = BadgeKfuncs.CallsIn(kernel);
        using var map = new LocalStorageMap<TaskStruct, Seat>(kernel);
        var owner = kernel.Tasks.Fork(kernel.Tasks.Init, "owner");
        using (kernel.Rcu.ReadLock())
        {
            map.LookupOrInit(owner).Badge.Exchange(BadgeKfuncs.Open(kernel))?.Release();
        }

        if (!isOwnerFirst)
        {
            map.Delete(owner).Should().Be(Errno.None);
        }

        kernel.Tasks.Exit(owner);
        kernel.Tasks.Reap(owner);
        kernel.Quiesce();
        calls.Should().Equal(isOwnerFirst || policy == DestroyBehavior.Recycle
            ? ExecContext.SoftIrq : ExecContext.Process);
        AllIsBack(kernel);
    }

    [Fact]
    public void Destructor_MayKeepTheReference()
    {
        using var kernel = Boot(DestroyBehavior.Eager, typeof(KeepingKfuncs));
        using (var map = Hash(kernel))
        {
            map.UpdateElem(Key, new byte[map.ValueSize]);
            Store(kernel, map);
            map.DeleteElem(Key);
        }

        kernel.Quiesce();
        var kept = KeepingKfuncs.KeptIn(kernel);
        kept.Should().ContainSingle();
        kept.TryTake(out var badge);
        badge.Target.IsFreed.Should().BeFalse();
        badge.Release();
        AllIsBack(kernel);
    }

    [Fact]
    public void Destructor_ThatForgets_IsNamedByTheLedger()
    {
        using var kernel = Boot(
            DestroyBehavior.Eager, kfuncs => kfuncs.Around("badge_put", _ => (_, _, _, _, _, _) => 0));
        using var map = Hash(kernel);
        map.UpdateElem(Key, new byte[map.ValueSize]);
        Store(kernel, map);
        map.DeleteElem(Key);
        kernel.Quiesce();
        var all = () => kernel.Ledger.AssertAllReturned();
        all.Should().Throw<LedgerLeakException>().WithMessage("*badge_put*");
    }

    [Fact]
    public void Destructor_ThatThrows_KeepsNoOtherFromBeingCalled()
    {
        var called = 0;
        using var kernel = Boot(DestroyBehavior.Eager, kfuncs => kfuncs.Around("badge_put", body =>
            (ctx, r1, r2, r3, r4, r5) =>
            {
                body(ctx, r1, r2, r3, r4, r5);
                return ++called == 1 ? throw new InvalidTimeZoneException("the first") : 0UL;
            }));
        var map = new HashMap<int, TwoSeats>(kernel, 2);
        map.UpdateElem(Key, new byte[map.ValueSize]);
        using (kernel.Rcu.ReadLock())
        {
            ref var seats = ref map.Lookup(1);
            seats.First.Exchange(BadgeKfuncs.Open(kernel))?.Release();
            seats.Second.Exchange(BadgeKfuncs.Open(kernel))?.Release();
        }

        map.Invoking(m => m.DeleteElem(Key)).Should().Throw<InvalidTimeZoneException>();
        called.Should().Be(2);
        map.Dispose();
        AllIsBack(kernel);
    }

    [Fact]
    public void Destructor_ThatTouchesWhatIsNotItsOwn_IsAReportedFault()
    {
        using var kernel = Boot(DestroyBehavior.Eager, kfuncs => kfuncs.Around("badge_put", body =>
            (ctx, r1, r2, r3, r4, r5) =>
            {
                body(ctx, r1, r2, r3, r4, r5);
                ctx.Write(0x1000, 1);
                return 0;
            }));
        using var map = Hash(kernel);
        map.UpdateElem(Key, new byte[map.ValueSize]);
        Store(kernel, map);
        map.DeleteElem(Key).Should().Be(Errno.None);
        kernel.TakeFaults().Should().ContainSingle().Which.Message.Should().Contain("badge_put");
    }

    [Fact]
    public void Destructor_OfAValueThatAProgramEnds_BelongsToItsRun()
    {
        using var kernel = WidgetKernel(out var calls);
        using var obj = BpfObject.Open(System.IO.Path.Combine(
            Kptr.Tests.Shared.RepoRoot.Path, "tests", "data", "run", "widget.bpf.o")).Load(kernel);
        obj.Programs["keep"].TestRun(BitConverter.GetBytes(5)).Fault.Should().BeNull();
        obj.Programs["keep"].TestRun(BitConverter.GetBytes(5)).Fault.Should().BeNull();
        calls.Should().ContainSingle("the second update ends the first value")
            .Which.Should().Match("5 in run * of program \"keep\"*");
        obj.Maps["slots"].DeleteElem(BitConverter.GetBytes(5));
        calls.Should().HaveCount(2);
        calls[1].Should().Match("5 in run * of program \"widget_put\"*");
    }

    [Fact]
    public void Around_OfAKfuncWithoutABody_IsRefused()
    {
        var around = () => KfuncRegistry.Builtin.Around("badge_nothing", body => body);
        around.Should().Throw<ArgumentException>().WithMessage("*badge_nothing*");
    }

    private static KernelModel WidgetKernel(out List<string> calls)
    {
        List<string> seen = [];
        calls = seen;
        OwnObjectTests.WidgetKfuncs.Freed.Value = [];
        return new(new()
        {
            Declarations = OwnObjectTests.Declarations,
            Kfuncs = KfuncRegistry.Builtin.With(typeof(OwnObjectTests.WidgetKfuncs)).Around("widget_put", body =>
                (ctx, r1, r2, r3, r4, r5) =>
                {
                    seen.Add($"{ctx.ObjectAt<OwnObjectTests.Widget>(r1)!.Colour} in {ctx}");
                    return body(ctx, r1, r2, r3, r4, r5);
                }),
            Driver = DeferredDriver.Manual,
        });
    }

    private static KernelModel Boot(DestroyBehavior policy, Type? with = null) =>
        Boot(policy, kfuncs => with is null ? kfuncs : kfuncs.With(with));

    private static KernelModel Boot(DestroyBehavior policy, Func<KfuncRegistry, KfuncRegistry> change) => new(new()
    {
        Profile = policy == DestroyBehavior.Eager ? KernelProfile.Linux6_12 : KernelProfile.Linux7_2,
        Declarations = "struct badge { u32 number; refcount_t usage; };",
        Kfuncs = change(KfuncRegistry.Builtin.With(typeof(BadgeKfuncs))),
        LedgerLevel = LedgerLevel.Sites,
        Driver = DeferredDriver.Manual,
    });

    private static HashMap<int, Seat> Hash(KernelCore core) => new(core, 2);

    private static void Store(KernelModel kernel, BpfMap map)
    {
        using var reader = kernel.Rcu.ReadLock();
        var badge = BadgeKfuncs.Open(kernel);
        var old = map switch
        {
            HashMap<int, Seat> hash => hash.Lookup(1).Badge.Exchange(badge),
            LruHashMap<int, Seat> lru => lru.Lookup(1).Badge.Exchange(badge),
            ArrayMap<Seat> array => array[1].Badge.Exchange(badge),
            _ => throw new ArgumentException($"{map}", nameof(map)),
        };
        old.Should().BeNull();
    }

    private static void Evict(BpfMap map)
    {
        for (var key = 2; key < 20; key++)
        {
            map.UpdateElem(BitConverter.GetBytes(key), new byte[map.ValueSize]);
        }
    }

    private static void DeleteMany(BpfMap map)
    {
        for (var key = 2; key <= Elements; key++)
        {
            map.UpdateElem(BitConverter.GetBytes(key), new byte[map.ValueSize]).Should().Be(Errno.None);
        }

        for (var key = Elements; key > 0; key--)
        {
            map.DeleteElem(BitConverter.GetBytes(key)).Should().Be(Errno.None);
        }
    }

    private static void InNmi(KernelModel kernel, Action run)
    {
        using var reader = kernel.Rcu.ReadLock();
        using var nmi = kernel.EnterContext(ExecContext.Nmi);
        run();
    }

    private static void AllIsBack(KernelModel kernel)
    {
        kernel.Quiesce();
        kernel.Faults.Should().BeEmpty();
        kernel.Ledger.AssertAllReturned();
    }

    private sealed record Death(
        Func<KernelCore, BpfMap> Make, Action<KernelModel, BpfMap> End, ExecContext? InOperation,
        ExecContext? AfterGracePeriod = null);

    private struct TwoSeats
    {
        public Kptr<Badge> First;
        public Kptr<Badge> Second;
    }

    internal sealed class Badge(KernelCore core) : KernelObject(core, "badge", "usage.refs.counter");

    internal static class BadgeKfuncs
    {
        [Kfunc("badge_open", KfuncFlags.Acquire | KfuncFlags.RetNull, Prototype = "struct badge *badge_open(void)",
            Profiles = ProfileSet.All)]
        internal static KernelRef<Badge> Open(KernelCore core) => KernelRef.Own(new Badge(core));

        [Kfunc("badge_put", KfuncFlags.Release, Prototype = "void badge_put(struct badge *b)", DestructorOf = "badge",
            Profiles = ProfileSet.All)]
        internal static void Put(KernelCore core, KernelRef<Badge> badge)
        {
            CallsIn(core).Enqueue(core.Context);
            badge.Release();
        }

        internal static ConcurrentQueue<ExecContext> CallsIn(KernelCore core) =>
            core.Single(static _ => new ConcurrentQueue<ExecContext>());
    }

    internal static class KeepingKfuncs
    {
        [Kfunc("badge_put", KfuncFlags.Release, Prototype = "void badge_put(struct badge *b)", DestructorOf = "badge",
            Profiles = ProfileSet.All)]
        internal static void Keep(KernelCore core, KernelRef<Badge> badge) => KeptIn(core).Add(badge);

        internal static ConcurrentBag<KernelRef<Badge>> KeptIn(KernelCore core) =>
            core.Single(static _ => new ConcurrentBag<KernelRef<Badge>>());
    }
}
