using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Tests.Objects;

namespace Kptr.Tests.Maps;

/// <summary>
/// Exchange in, end the value, quiesce: what the ledger then calls a leak. Under <c>Eager</c> nothing is left; under
/// <c>Recycle</c> the kptr stays on the memory by the rules of the kernel, is listed apart, and goes with the map;
/// that of an <c>rhash</c> goes when no sleepable reader can be late.
/// </summary>
public class RecycledTests
{
    private const int Key = 1;

    /// <summary>Every kind of map that can hold a kptr.</summary>
    public enum Kind
    {
        Hash,
        HashNoPrealloc,
        PercpuHash,
        PercpuHashNoPrealloc,
        LruHash,
        LruPercpuHash,
        Rhash,
        Array,
        PercpuArray,
        TaskStorage,
        CgrpStorage,
        SkStorage,
        InodeStorage,
    }

    public static TheoryData<Kind, DestroyBehavior, LedgerLevel> Cases
    {
        get
        {
            var cases = new TheoryData<Kind, DestroyBehavior, LedgerLevel>();
            foreach (var kind in Enum.GetValues<Kind>())
            {
                foreach (var level in Enum.GetValues<LedgerLevel>())
                {
                    cases.Add(kind, DestroyBehavior.Recycle, level);
                    if (kind != Kind.Rhash)
                    {
                        cases.Add(kind, DestroyBehavior.Eager, level);
                    }
                }
            }

            return cases;
        }
    }

    [Fact]
    public void Kinds_AreAllThatHoldKptrs()
    {
        using var core = MapKernel.Boot(DestroyBehavior.Recycle);
        var types = Enum.GetValues<Kind>().Select(kind => Make(kind, core).Type).Distinct();
        types.Should().BeEquivalentTo(MapRules.TypesThatHold(BtfFieldKind.KptrRef));
    }

    [Theory, MemberData(nameof(Cases))]
    public void ValueThatEnds_IsNoLeak_AndWhatItKeepsGoesWithTheMap(
        Kind kind, DestroyBehavior behavior, LedgerLevel level)
    {
        using var core = MapKernel.Boot(behavior, level: level);
        var owner = OwnerFor(kind, core);
        var map = Make(kind, core);
        var widget = new Widget(core);                          // owned here                1
        using (core.Rcu.ReadLock())
        {
            PutIn(map, owner, KernelRef.Own(widget));           // the slot owns             1
        }

        EndValue(map, owner).Should().Be(Errno.None);           // destroyed, or recycled    0 or 1
        core.Quiesce();
        core.Ledger.AssertNoLeaks();
        core.Ledger.FindLeaks().Should().BeEmpty();
        var isKept = behavior == DestroyBehavior.Recycle && owner is null && kind != Kind.Rhash;
        widget.DestructorRuns.Should().Be(isKept ? 0 : 1);
        if (isKept)
        {
            ExpectApart(core, map, widget, isArray: kind is Kind.Array or Kind.PercpuArray);
        }

        map.FreeNow();                                          // destroyed                 0
        core.Quiesce();
        widget.DestructorRuns.Should().Be(1);
        core.Ledger.Snapshot().Recycled.Should().BeEmpty();
        core.Ledger.AssertNoLeaks();
    }

    [Theory]
    [InlineData(LedgerLevel.Counts)]
    [InlineData(LedgerLevel.Sites)]
    public void OtherLeak_IsToldApartFromWhatIsRecycled(LedgerLevel level)
    {
        using var core = MapKernel.Boot(DestroyBehavior.Recycle, level: level);
        using var map = new HashMap<int, WidgetEntry>(core, 4);
        var recycled = new Widget(core);
        PutIn(map, null, KernelRef.Own(recycled));
        map.Delete(Key);
        var lost = KernelRef.Own(new Widget(core));
        core.Quiesce();
        var assert = () => core.Ledger.AssertNoLeaks();
        var told = assert.Should().Throw<LedgerLeakException>().Which;
        told.Leaks.Should().ContainSingle().Which.Address.Should().Be(lost.Target.Address);
        told.Recycled.Should().ContainSingle().Which.Address.Should().Be(recycled.Address);
        var lines = told.Message.Split(Environment.NewLine);
        lines.Should().HaveCount(3);
        lines[0].Should().StartWith(lost.Target.ToString());
        lines[1].Should().Be("in memory that maps recycle, given back with the map:");
        lines[2].Should().StartWith($"  {recycled} is held by recycled memory of map \"hash\", field Slot");
        lost.Release();
    }

    [Theory]
    [InlineData(LedgerLevel.Counts)]
    [InlineData(LedgerLevel.Sites)]
    public void EagerMapThatForgetsToEmptyAValue_Leaks(LedgerLevel level)
    {
        using var core = MapKernel.Boot(level: level);
        using var map = new HashMap<int, WidgetEntry>(core, 4);
        map.Policy = new DestroyPolicy(
            DestroyPolicy.Eager, path => path == DeathPath.Delete ? DeathAction.Cancel : null);
        PutIn(map, null, KernelRef.Own(new Widget(core)));
        map.Delete(Key);
        core.Quiesce();
        core.Ledger.FindLeaks().Should().ContainSingle().Which.Holder.Should().Be(new UnlinkedHolder("hash", "Slot"));
        core.Ledger.Snapshot().Recycled.Should().BeEmpty();
    }

    [Fact]
    public void RecycledMemory_HasItsOwnWordInEveryFormat()
    {
        using var core = MapKernel.Boot(DestroyBehavior.Recycle);
        using var map = new HashMap<int, WidgetEntry>(core, 4);
        var widget = new Widget(core);
        PutIn(map, null, KernelRef.Own(widget));
        map.Delete(Key);
        var snapshot = core.Ledger.Snapshot();
        snapshot.ToJson().Should().Contain("\"holder_kind\": \"recycled\"");
        snapshot.ToDot().Should().Contain("recycled memory of map");
        snapshot.ToMermaid().Should().Contain("recycled memory of map");
        snapshot.PinnedBytesByMap().Should().ContainKey("hash");
        snapshot.ToString().Should().EndWith(
            $"in memory that maps recycle, given back with the map:{Environment.NewLine}"
            + $"  {widget} is held by recycled memory of map \"hash\", field Slot{Environment.NewLine}");
    }

    private static void ExpectApart(KernelCore core, BpfMap map, Widget widget, bool isArray)
    {
        var all = () => core.Ledger.AssertAllReturned();
        var told = all.Should().Throw<LedgerLeakException>().Which;
        var (apart, others) = (told.Recycled, told.Leaks);
        (isArray ? others : apart).Should().ContainSingle().Which.Address.Should().Be(widget.Address);
        (isArray ? apart : others).Should().BeEmpty();
        core.Ledger.Snapshot().Recycled.Select(e => e.Holder).Should().Equal(apart.Select(e => e.Holder));
        if (!isArray)
        {
            apart[0].Holder.Should().Be(new RecycledHolder(map.Name, "Slot"));
        }
    }

    private static BpfMap Make(Kind kind, KernelCore core) => kind switch
    {
        Kind.Hash => new HashMap<int, WidgetEntry>(core, 4),
        Kind.HashNoPrealloc => new HashMap<int, WidgetEntry>(core, 4, flags: MapFlags.NoPrealloc),
        Kind.PercpuHash => new PercpuHashMap<int, WidgetEntry>(core, 4),
        Kind.PercpuHashNoPrealloc => new PercpuHashMap<int, WidgetEntry>(core, 4, flags: MapFlags.NoPrealloc),
        Kind.LruHash => new LruHashMap<int, WidgetEntry>(core, 4),
        Kind.LruPercpuHash => new LruPercpuHashMap<int, WidgetEntry>(core, 4),
        Kind.Rhash => new RhashMap<int, WidgetEntry>(core, 4),
        Kind.Array => new ArrayMap<WidgetEntry>(core, 4),
        Kind.PercpuArray => new PercpuArrayMap<WidgetEntry>(core, 4),
        Kind.TaskStorage => new LocalStorageMap<TaskStruct, WidgetEntry>(core),
        Kind.CgrpStorage => new LocalStorageMap<Cgroup, WidgetEntry>(core),
        Kind.SkStorage => new LocalStorageMap<Sock, WidgetEntry>(core),
        _ => new LocalStorageMap<OwnedByKernel, WidgetEntry>(core),
    };

    // Null for maps with keys.
    private static KernelObject? OwnerFor(Kind kind, KernelCore core) => kind switch
    {
        Kind.TaskStorage => core.Tasks.Init,
        Kind.CgrpStorage => core.Cgroups.Root,
        Kind.SkStorage => new Sock(core, default),
        Kind.InodeStorage => new OwnedByKernel(core),
        _ => null,
    };

    private static void PutIn(BpfMap map, KernelObject? owner, KernelRef<Widget> reference)
    {
        if (map is ITypedMap<int, WidgetEntry> typed && owner is null)
        {
            typed.LookupOrInit(Key).Slot.Exchange(reference).Should().BeNull();
            return;
        }

        switch (map)
        {
            case LocalStorageMap<TaskStruct, WidgetEntry> tasks:
                tasks.LookupOrInit((TaskStruct)owner!).Slot.Exchange(reference).Should().BeNull();
                break;
            case LocalStorageMap<Cgroup, WidgetEntry> cgroups:
                cgroups.LookupOrInit((Cgroup)owner!).Slot.Exchange(reference).Should().BeNull();
                break;
            case LocalStorageMap<Sock, WidgetEntry> socks:
                socks.LookupOrInit((Sock)owner!).Slot.Exchange(reference).Should().BeNull();
                break;
            case LocalStorageMap<OwnedByKernel, WidgetEntry> inodes:
                inodes.LookupOrInit((OwnedByKernel)owner!).Slot.Exchange(reference).Should().BeNull();
                break;
        }
    }

    private static Errno EndValue(BpfMap map, KernelObject? owner) => map switch
    {
        LocalStorageMap storage => storage.Delete(owner!),
        ArrayMap => map.UpdateElem(BitConverter.GetBytes(Key), new byte[map.UserValueSize]),
        _ => map.DeleteElem(BitConverter.GetBytes(Key)),
    };

    /// <summary>An owner of storage that the test need not give back.</summary>
    private sealed class OwnedByKernel(KernelCore core) : KernelObject(core, "inode", "kptr.count")
    {
        public override IEnumerable<Holder> IntrinsicHolders() => [new KernelHolder("test")];
    }
}
