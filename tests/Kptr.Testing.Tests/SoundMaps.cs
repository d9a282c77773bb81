using CustomMap;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Testing.Tests.Forms;

namespace Kptr.Testing.Tests;

/// <summary>A correct map type, and what it says of itself.</summary>
internal sealed record SoundMap(Func<KernelCore, BpfMap> Make, MapCapabilities Can)
{
    /// <summary>Under which policies there is such a map.</summary>
    public IReadOnlyList<DestroyBehavior> Policies { get; init; } = [DestroyBehavior.Eager, DestroyBehavior.Recycle];
}

/// <summary>Correct map types: Kptr's own, the sample's and the one that comes to mind first.</summary>
internal static class SoundMaps
{
    private static readonly MapCapabilities Array =
        MapCapabilities.Array with { Batches = MapBatchOps.Lookup | MapBatchOps.Update };

    private static readonly MapCapabilities Hash = WithBatches(MapCapabilities.Hash);
    private static readonly MapCapabilities Keyed = Hash with { ReadsWhole = true };
    private static readonly MapCapabilities Lru = WithBatches(MapCapabilities.Lru);

    internal static IReadOnlyDictionary<string, SoundMap> All { get; } = new Dictionary<string, SoundMap>
    {
        ["naive"] = new(core => new NaiveMap(core, 4), NaiveMap.CapabilitiesOf(Fault.None)),
        ["sample"] = new(
            core => new TimeWindowMap(core, "window", 4, TimeSpan.FromMilliseconds(10)), Keyed),
        ["keyed"] = new(core => new PlainKeyedMap(core, Struct<MixedValue>(core), GracePeriods.Both),
            Keyed with { KeptFor = GracePeriods.Both }),
        ["keyed, per CPU"] = new(
            core => new PlainKeyedMap(core, Percpu(core, BpfMapType.PercpuHash), GracePeriods.None), Keyed),
        ["array"] = new(core => new ArrayMap<NaiveValue>(core, 4), Array),
        ["hash"] = new(core => new HashMap<int, NaiveValue>(core, 4), Hash),
        ["hash without preallocation"] = new(
            core => new HashMap<int, NaiveValue>(core, 4, flags: MapFlags.NoPrealloc),
            Hash with { IsCapacityExact = false }),
        ["hash of several kptrs"] = new(
            core => new HashMap<int, MixedValue>(core, 4), Hash with { LockKeepsFields = true }),
        ["array of several kptrs"] = new(core => new ArrayMap<MixedValue>(core, 4), Array),
        ["hash of ports"] = new(core => new HashMap<ushort, NaiveValue>(core, 4), Hash),
        ["keyed, by a byte"] = new(
            core => new PlainKeyedMap(core, StructSpec.Of<byte, NaiveValue>(core, "bytes", BpfMapType.Hash, 4),
                GracePeriods.None), Keyed),
        ["LRU hash"] = new(core => new LruHashMap<int, NaiveValue>(core, 4), Lru),
        ["LRU hash with a list per CPU"] = new(
            core => new LruHashMap<int, NaiveValue>(core, 4, flags: MapFlags.NoCommonLru), Lru),
        ["per-CPU array"] = new(core => new ArrayMap(core, Percpu(core, BpfMapType.PercpuArray)), Array),
        ["per-CPU hash"] = new(core => new PercpuHashMap(core, Percpu(core, BpfMapType.PercpuHash)), Hash),
        ["per-CPU hash without preallocation"] = new(
            core => new PercpuHashMap(core, Percpu(core, BpfMapType.PercpuHash, MapFlags.NoPrealloc)),
            Hash with { IsCapacityExact = false }),
        ["per-CPU LRU hash"] = new(core => new LruHashMap(core, Percpu(core, BpfMapType.LruPercpuHash)), Lru),
        ["resizable hash"] = new(
            core => new RhashMap(core, StructSpec.Of<int, NaiveValue>(
                core, "rhash", BpfMapType.Rhash, 4, MapFlags.NoPrealloc)),
            Hash with { IsCapacityExact = false, KeptFor = GracePeriods.Rcu })
        {
            Policies = [DestroyBehavior.Recycle],
        },
        ["task storage"] = Storage(BpfMapType.TaskStorage),
        ["cgroup storage"] = Storage(BpfMapType.CgrpStorage),
        ["socket storage"] = Storage(BpfMapType.SkStorage),
        ["inode storage"] = Storage(BpfMapType.InodeStorage),
        ["queue"] = new(core => new QueueStackMap(core, Ring(BpfMapType.Queue)), MapCapabilities.Queue),
        ["stack"] = new(core => new QueueStackMap(core, Ring(BpfMapType.Stack)), MapCapabilities.Stack),
        ["plain queue"] = new(core => new PlainQueue(core, isStack: false, QueueFault.None), MapCapabilities.Queue),
        ["plain stack"] = new(core => new PlainQueue(core, isStack: true, QueueFault.None), MapCapabilities.Stack),
        ["plain trie"] = new(core => new PlainTrie(core, TrieFault.None), PlainTrie.Can),
        ["plain storage"] = new(
            core => new PlainStorage(core, StorageFault.None),
            MapCapabilities.LocalStorage with { KeptFor = GracePeriods.Both }),
        ["trie of addresses"] = new(
            core => new LpmTrieMap(core, Trie(8)),
            MapCapabilities.Trie with { Batches = MapBatchOps.Lookup | MapBatchOps.Update | MapBatchOps.Delete }),
        ["trie of bytes"] = new(
            core => new LpmTrieMap(core, Trie(5)),
            MapCapabilities.Trie with { Batches = MapBatchOps.Lookup | MapBatchOps.Update | MapBatchOps.Delete }),
    };

    // Over the sockets of a kernel a storage map finds its owners by number.
    private static SoundMap Storage(BpfMapType type) => new(
        core => new LocalStorageMap(
            core, StructSpec.Of<int, NaiveValue>(core, "storage", type, 0, MapFlags.NoPrealloc)),
        MapCapabilities.LocalStorage with { Storage = StorageHelpers.Builtin });

    private static MapSpec Ring(BpfMapType type) => new("ring", type) { ValueSize = 12, MaxEntries = 5 };

    private static MapSpec Trie(int keySize) => new("trie", BpfMapType.LpmTrie)
    {
        KeySize = keySize, ValueSize = 12, MaxEntries = 6, Flags = MapFlags.NoPrealloc,
    };

    private static MapSpec Struct<T>(KernelCore core)
        where T : unmanaged => StructSpec.Of<int, T>(core, "keyed", BpfMapType.Hash, 4);

    private static MapSpec Percpu(KernelCore core, BpfMapType type, MapFlags flags = MapFlags.None) =>
        StructSpec.Of<int, MaskValue>(core, "percpu", type, 4, flags);

    private static MapCapabilities WithBatches(MapCapabilities of) =>
        of with { CanTake = true, Batches = MapBatchOps.All };

    private sealed class PlainKeyedMap(KernelCore core, MapSpec spec, GracePeriods keptFor)
        : KeyedMap(core, spec, keptFor);
}
