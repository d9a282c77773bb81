using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Specs;

namespace Kptr.Testing.Tests.Tables;

/// <summary>Kptr's own map types, and ways to set one up that change how elements live.</summary>
internal static class OwnMaps
{
    private const uint Capacity = 4;
    private const uint PerCpuListCapacity = 8;

    private static readonly MapCapabilities Array =
        MapCapabilities.Array with { Batches = MapBatchOps.Lookup | MapBatchOps.Update };

    private static readonly MapCapabilities Hash = MapCapabilities.Hash with
    {
        CanTake = true, Batches = MapBatchOps.All, CanBeBusy = true, NoMemoryErrno = Errno.E2BIG,
        LockKeepsFields = true,
    };

    private static readonly MapCapabilities Allocating = Hash with { NoMemoryErrno = Errno.ENOMEM };

    private static readonly MapCapabilities Lru = MapCapabilities.Lru with
    {
        CanTake = true, Batches = MapBatchOps.All, CanBeBusy = true, NoMemoryErrno = Errno.ENOMEM, KeepsMarked = false,
    };

    private static readonly MapCapabilities LruOwnLists = Lru with { KeepsMarked = true };

    private static readonly MapCapabilities Storage =
        MapCapabilities.LocalStorage with { Storage = StorageHelpers.Builtin };

    private static readonly MapCapabilities Outer = Hash with { CanTake = false, CanVisit = false };

    /// <summary>By the name that the table in docs has.</summary>
    internal static IReadOnlyDictionary<string, OwnMap> All { get; } = new Dictionary<string, OwnMap>
    {
        ["Array"] = new(Spec(BpfMapType.Array), Array),
        ["PercpuArray"] = new(Spec(BpfMapType.PercpuArray), Array),
        ["Hash"] = new(Spec(BpfMapType.Hash), Hash),
        ["HashNoPrealloc"] = new(Spec(BpfMapType.Hash, MapFlags.NoPrealloc), Allocating),
        ["PercpuHash"] = new(Spec(BpfMapType.PercpuHash), Hash),
        ["PercpuHashNoPrealloc"] = new(Spec(BpfMapType.PercpuHash, MapFlags.NoPrealloc), Allocating),
        ["Lru"] = new(Spec(BpfMapType.LruHash), Lru),
        ["LruOwnLists"] = new(
            Spec(BpfMapType.LruHash, MapFlags.NoCommonLru) with { MaxEntries = PerCpuListCapacity }, LruOwnLists),
        ["LruPercpu"] = new(Spec(BpfMapType.LruPercpuHash), Lru),
        ["LruPercpuOwnLists"] = new(
            Spec(BpfMapType.LruPercpuHash, MapFlags.NoCommonLru) with { MaxEntries = PerCpuListCapacity }, LruOwnLists),
        ["Rhash"] = new(
            Spec(BpfMapType.Rhash, MapFlags.NoPrealloc),
            Allocating with { LockKeepsFields = false, KeptFor = GracePeriods.Rcu })
        {
            Policies = [DestroyBehavior.Recycle],
        },
        ["TaskStorage"] = new(Owned(BpfMapType.TaskStorage), Storage),
        ["CgrpStorage"] = new(Owned(BpfMapType.CgrpStorage), Storage),
        ["SkStorage"] = new(Owned(BpfMapType.SkStorage), Storage),
        ["InodeStorage"] = new(Owned(BpfMapType.InodeStorage), Storage),
        ["InnerArray"] = new(Spec(BpfMapType.Array), Array with { IsHeldByOuter = true }),
        ["InnerHash"] = new(Spec(BpfMapType.Hash), Hash with { IsHeldByOuter = true }),
        ["ArrayOfMaps"] = new(
            Around(BpfMapType.ArrayOfMaps, BpfMapType.Array),
            Array with { CanDelete = true, CanVisit = false }),
        ["HashOfMaps"] = new(Around(BpfMapType.HashOfMaps, BpfMapType.Hash), Outer),
        ["HashOfMapsNoPrealloc"] = new(
            Around(BpfMapType.HashOfMaps, BpfMapType.Hash) with { Flags = MapFlags.NoPrealloc },
            Outer with { NoMemoryErrno = Errno.ENOMEM }),
    };

    private static MapSpec Spec(BpfMapType type, MapFlags flags = MapFlags.None) => new("swept", type)
    {
        KeySize = sizeof(int), ValueSize = sizeof(ulong), MaxEntries = Capacity, Flags = flags,
    };

    private static MapSpec Owned(BpfMapType type) => Spec(type, MapFlags.NoPrealloc) with { MaxEntries = 0 };

    private static MapSpec Around(BpfMapType type, BpfMapType inner) =>
        Spec(type) with { ValueSize = sizeof(int), InnerMap = Spec(inner) };
}

/// <summary>One of Kptr's map types, and what it says of itself.</summary>
internal sealed record OwnMap(MapSpec Spec, MapCapabilities Can)
{
    /// <summary>Under which policies there is such a map.</summary>
    public IReadOnlyList<DestroyBehavior> Policies { get; init; } = [DestroyBehavior.Eager, DestroyBehavior.Recycle];

    /// <summary>Holds it against the table of answers.</summary>
    internal ConformanceReport Sweep(int oneIn) => MapConformance.Run(
        _ => Spec, static (kernel, spec) => MapFactory.Create(kernel, spec), Can,
        new() { Only = ["Table"], CellsOneIn = oneIn, Policies = Policies });
}
