using Kptr.Btf;
using Kptr.Maps;
using Kptr.Specs;
using Kptr.Tests.Objects;

namespace Kptr.Tests.Maps;

/// <summary>
/// One point of the product. The kernel is 6.12 where the policy is eager, and 7.2 where it recycles.
/// </summary>
public readonly record struct SweepCell(
    SweepMap Map, SweepOp Op, MapUpdateFlags Flags, SweepFields Fields, SweepContext Context, DestroyBehavior Policy)
{
    internal const int ValueBytes = 72;
    internal const int CpuCount = 2;
    internal const int NodesPerRoot = 2;

    private const BtfFieldKind Slot = BtfFieldKind.KptrRef | BtfFieldKind.KptrPercpu;

    private static readonly BtfRecord NodeRecord = new(
    [
        new(BtfFieldKind.ListNode, "l", 0, 24), new(BtfFieldKind.RbNode, "r", 24, 32),
        new(BtfFieldKind.Refcount, "c", 56, 4),
    ]);

    /// <summary>All points of one map under one policy, possible or not.</summary>
    internal static IEnumerable<SweepCell> All(SweepMap map, DestroyBehavior policy) =>
        from op in Enum.GetValues<SweepOp>()
        from flags in SweepFlags.Of(op)
        from fields in Enum.GetValues<SweepFields>()
        from context in Enum.GetValues<SweepContext>()
        select new SweepCell(map, op, flags, fields, context, policy);

    internal bool IsStorage =>
        Map is SweepMap.TaskStorage or SweepMap.CgrpStorage or SweepMap.SkStorage or SweepMap.InodeStorage;

    internal bool IsArray => Map is SweepMap.Array or SweepMap.PercpuArray or SweepMap.InnerArray;

    internal bool IsLru =>
        Map is SweepMap.Lru or SweepMap.LruOwnLists or SweepMap.LruPercpu or SweepMap.LruPercpuOwnLists;

    internal bool HasOwnLists => Map is SweepMap.LruOwnLists or SweepMap.LruPercpuOwnLists;

    internal bool IsOuter => Map is SweepMap.ArrayOfMaps or SweepMap.HashOfMaps or SweepMap.HashOfMapsNoPrealloc;

    internal bool IsInner => Map is SweepMap.InnerArray or SweepMap.InnerHash;

    internal bool IsPercpu => Map is SweepMap.PercpuArray or SweepMap.PercpuHash or SweepMap.PercpuHashNoPrealloc
        or SweepMap.LruPercpu or SweepMap.LruPercpuOwnLists;

    internal bool IsNew => Policy == DestroyBehavior.Recycle;

    internal bool HasLock => !IsOuter && Record().Has(BtfFieldKind.SpinLock);

    internal int AsyncPerValue =>
        Record().Fields.Count(f => f.Kind is BtfFieldKind.Timer or BtfFieldKind.Workqueue or BtfFieldKind.TaskWork);

    internal bool IsUser => Context is SweepContext.User or SweepContext.InsideReader or SweepContext.InsideTraceReader;

    /// <summary>References that one full value owns.</summary>
    internal int OwnedPerValue =>
        Record().Fields.Sum(f => (f.Kind & Slot) != 0 ? 1 : (f.Kind & BtfFieldKind.GraphRoot) != 0 ? NodesPerRoot : 0);

    /// <summary>The type of the map that holds the fields.</summary>
    internal BpfMapType ValueType => Map switch
    {
        SweepMap.Array or SweepMap.InnerArray or SweepMap.ArrayOfMaps => BpfMapType.Array,
        SweepMap.PercpuArray => BpfMapType.PercpuArray,
        SweepMap.Hash or SweepMap.HashNoPrealloc or SweepMap.InnerHash or SweepMap.HashOfMaps
        or SweepMap.HashOfMapsNoPrealloc => BpfMapType.Hash,
        SweepMap.PercpuHash or SweepMap.PercpuHashNoPrealloc => BpfMapType.PercpuHash,
        SweepMap.Lru or SweepMap.LruOwnLists => BpfMapType.LruHash,
        SweepMap.LruPercpu or SweepMap.LruPercpuOwnLists => BpfMapType.LruPercpuHash,
        SweepMap.Rhash => BpfMapType.Rhash,
        SweepMap.TaskStorage => BpfMapType.TaskStorage,
        SweepMap.CgrpStorage => BpfMapType.CgrpStorage,
        SweepMap.SkStorage => BpfMapType.SkStorage,
        _ => BpfMapType.InodeStorage,
    };

    /// <summary>The map that holds the fields.</summary>
    internal MapSpec Spec() => new($"sweep-{Map}", ValueType)
    {
        KeySize = 4,
        ValueSize = ValueBytes,
        MaxEntries = IsStorage ? 0u : HasOwnLists ? 4u * CpuCount : 4,
        Flags = Map switch
        {
            SweepMap.HashNoPrealloc or SweepMap.PercpuHashNoPrealloc or SweepMap.Rhash => MapFlags.NoPrealloc,
            SweepMap.LruOwnLists or SweepMap.LruPercpuOwnLists => MapFlags.NoCommonLru,
            _ => IsStorage ? MapFlags.NoPrealloc : MapFlags.None,
        },
        Record = Record(),
    };

    /// <summary>The map around it.</summary>
    internal MapSpec OuterSpec() =>
        new("sweep-outer", ValueType == BpfMapType.Array ? BpfMapType.ArrayOfMaps : BpfMapType.HashOfMaps)
        {
            KeySize = 4,
            ValueSize = 4,
            MaxEntries = 4,
            Flags = Map == SweepMap.HashOfMapsNoPrealloc ? MapFlags.NoPrealloc : MapFlags.None,
            InnerMap = Spec(),
        };

    internal BtfRecord Record() => new(Fields switch
    {
        SweepFields.Kptr => [Field(BtfFieldKind.KptrRef, 8)],
        SweepFields.TwoKptrs => [Field(BtfFieldKind.KptrRef, 8), Field(BtfFieldKind.KptrRef, 64)],
        SweepFields.ArrayOfKptrs =>
            [Field(BtfFieldKind.KptrRef, 0), Field(BtfFieldKind.KptrRef, 8), Field(BtfFieldKind.KptrRef, 16)],
        SweepFields.PercpuKptr => [Field(BtfFieldKind.KptrPercpu, 40)],
        SweepFields.UnrefKptr => [Field(BtfFieldKind.KptrUnref, 8)],
        SweepFields.RefcountAndKptr => [Field(BtfFieldKind.Refcount, 0, 4), Field(BtfFieldKind.KptrRef, 8)],
        SweepFields.Lock => [Field(BtfFieldKind.SpinLock, 0, 4)],
        SweepFields.LockAndKptr => [Field(BtfFieldKind.SpinLock, 0, 4), Field(BtfFieldKind.KptrRef, 8)],
        SweepFields.ResLockAndKptr => [Field(BtfFieldKind.ResSpinLock, 0, 8), Field(BtfFieldKind.KptrRef, 8)],
        SweepFields.TimerAndKptr => [Field(BtfFieldKind.KptrRef, 8), Field(BtfFieldKind.Timer, 16, 16)],
        SweepFields.WorkqueueAndKptr => [Field(BtfFieldKind.Workqueue, 0, 16), Field(BtfFieldKind.KptrRef, 16)],
        SweepFields.TaskWorkAndKptr => [Field(BtfFieldKind.KptrRef, 8), Field(BtfFieldKind.TaskWork, 16, 8)],
        SweepFields.List => [Field(BtfFieldKind.SpinLock, 0, 4), Root(BtfFieldKind.ListHead, 8)],
        SweepFields.Tree => [Root(BtfFieldKind.RbRoot, 0), Field(BtfFieldKind.SpinLock, 24, 4)],
        SweepFields.TreeListAndKptr =>
            [Field(BtfFieldKind.SpinLock, 0, 4), Root(BtfFieldKind.RbRoot, 8), Root(BtfFieldKind.ListHead, 32), Field(
                BtfFieldKind.KptrRef, 56)],
        SweepFields.Uptr => [Field(BtfFieldKind.Uptr, 8)],
        _ => [],
    });

    private static BtfField Field(BtfFieldKind kind, int offset, int size = 8) => new(kind, $"f{offset}", offset, size);

    private static BtfField Root(BtfFieldKind kind, int offset) => new(kind, $"f{offset}", offset, 16)
    {
        NodeType = AllocatedTypes.Node,
        NodeOffsetBytes = kind == BtfFieldKind.ListHead ? 0 : 24,
        Inner = NodeRecord,
    };

    internal static BtfRecord Node => NodeRecord;
}
