using System.Collections.Immutable;
using Kptr.Btf;
using Kptr.Diagnostics;

namespace Kptr.Specs;

/// <summary>
/// Whether a kernel creates a map with the types of its key and value. Where it does not, libbpf creates the map
/// without.
/// </summary>
/// <remarks>Kernel: <c>map_check_btf</c> and each type's <c>map_check_btf</c> (6.12).</remarks>
internal static class MapBtfRules
{
    private const MapFlags ProgAccess = MapFlags.RdOnlyProg | MapFlags.WrOnlyProg;
    private const int CgroupStorageKeyBytes = 16;

    private static readonly ImmutableArray<BpfMapType> s_locks =
    [
        BpfMapType.Hash, BpfMapType.Array, BpfMapType.CgroupStorage, BpfMapType.SkStorage, BpfMapType.InodeStorage,
        BpfMapType.TaskStorage, BpfMapType.CgrpStorage, BpfMapType.Rhash,
    ];

    private static readonly ImmutableArray<BpfMapType> s_asyncs =
        [BpfMapType.Hash, BpfMapType.LruHash, BpfMapType.Array, BpfMapType.Rhash];

    private static readonly ImmutableArray<BpfMapType> s_graphs =
        [BpfMapType.Hash, BpfMapType.LruHash, BpfMapType.Array];

    /// <summary>Types of maps whose values may have kptrs.</summary>
    public static ImmutableArray<BpfMapType> KptrMaps { get; } =
    [
        BpfMapType.Hash, BpfMapType.PercpuHash, BpfMapType.LruHash, BpfMapType.LruPercpuHash, BpfMapType.Array,
        BpfMapType.PercpuArray, BpfMapType.SkStorage, BpfMapType.InodeStorage, BpfMapType.TaskStorage,
        BpfMapType.CgrpStorage, BpfMapType.Rhash,
    ];

    /// <summary>
    /// The same in 6.1 and 6.2: per-CPU hashes followed in 6.3, local storage in 6.4.
    /// </summary>
    public static ImmutableArray<BpfMapType> EarlyKptrMaps { get; } =
        [BpfMapType.Hash, BpfMapType.LruHash, BpfMapType.Array, BpfMapType.PercpuArray];

    /// <summary>Map types that hold this kind of field; empty for kinds that map values cannot have.</summary>
    public static ImmutableArray<BpfMapType> TypesThatHold(BtfFieldKind kind, KernelProfile profile) => kind switch
    {
        BtfFieldKind.SpinLock or BtfFieldKind.ResSpinLock => s_locks,
        BtfFieldKind.Timer or BtfFieldKind.Workqueue or BtfFieldKind.TaskWork => s_asyncs,
        BtfFieldKind.KptrUnref or BtfFieldKind.KptrRef or BtfFieldKind.KptrPercpu or BtfFieldKind.Refcount =>
            profile.MapsWithKptrs,
        BtfFieldKind.ListHead or BtfFieldKind.RbRoot => s_graphs,
        BtfFieldKind.Uptr => [BpfMapType.TaskStorage],
        _ => [],
    };

    /// <summary>Whether maps of the type are created with the types of key and value only.</summary>
    public static bool NeedsTypes(BpfMapType type) => type is BpfMapType.SkStorage or BpfMapType.InodeStorage
        or BpfMapType.TaskStorage or BpfMapType.CgrpStorage;

    /// <summary>Asks of the types and of the special fields; of a blueprint without types only of the fields.</summary>
    public static Errno Check(MapSpec spec, KernelProfile profile)
    {
        if (spec.Btf is null || spec.ValueTypeId == 0)
        {
            return CheckFields(spec, profile);
        }

        var key = spec.Btf.SkipModifiers(spec.KeyTypeId);
        var isSized = spec.KeyTypeId != 0
            ? spec.Btf.ResolveSize(key.Id) == spec.KeySize : TypeRule(spec.Type) != Rule.None;
        if (!isSized || spec.Btf.ResolveSize(spec.ValueTypeId) != spec.ValueSize)
        {
            return Errno.EINVAL;
        }

        return CheckFields(spec, profile) is var err and not Errno.None ? err
            : TypeRule(spec.Type) == Rule.NoTypes ? Errno.ENOTSUPP
            : IsKeyFine(spec, key) ? Errno.None : Errno.EINVAL;
    }

    /// <summary>Asks only whether the type of map may have such fields.</summary>
    public static Errno CheckFields(MapSpec spec, KernelProfile profile) =>
        spec.Record.Fields.Length == 0 ? Errno.None
        : (spec.FlagsInKernel & ProgAccess) != 0 ? Errno.EACCES
        : spec.Record.Fields.All(f => TypesThatHold(f.Kind, profile).Contains(spec.Type)) ? Errno.None
        : Errno.EOPNOTSUPP;

    /// <summary>What a type of map asks besides the sizes.</summary>
    private enum Rule
    {
        /// <summary>Nothing; such maps have a typed key.</summary>
        None,

        /// <summary>There must be none.</summary>
        NoTypes,

        /// <summary>The key's form.</summary>
        Key,
    }

    private static Rule TypeRule(BpfMapType type) => type switch
    {
        BpfMapType.PerfEventArray or BpfMapType.CgroupArray or BpfMapType.ArrayOfMaps or BpfMapType.HashOfMaps
            or BpfMapType.StackTrace or BpfMapType.Cpumap or BpfMapType.Devmap or BpfMapType.DevmapHash
            or BpfMapType.Xskmap or BpfMapType.Sockmap or BpfMapType.Sockhash => Rule.NoTypes,
        BpfMapType.ProgArray or BpfMapType.Queue or BpfMapType.Stack or BpfMapType.Ringbuf or BpfMapType.UserRingbuf
            or BpfMapType.StructOps or BpfMapType.ReuseportSockarray => Rule.None,
        _ => Rule.Key,
    };

    private static bool IsKeyFine(MapSpec spec, BtfType key) => spec.Type switch
    {
        BpfMapType.Array or BpfMapType.PercpuArray when key.Kind == BtfKind.Void =>
            spec.Type == BpfMapType.Array && spec.MaxEntries == 1
            && spec.Btf!.SkipModifiers(spec.ValueTypeId).Kind == BtfKind.DataSec,
        BpfMapType.Array or BpfMapType.PercpuArray or BpfMapType.SkStorage or BpfMapType.InodeStorage
            or BpfMapType.TaskStorage or BpfMapType.CgrpStorage => IsInt(key, 32),
        BpfMapType.LpmTrie => key.Kind == BtfKind.Struct,
        BpfMapType.CgroupStorage or BpfMapType.PercpuCgroupStorage => spec.KeySize == CgroupStorageKeyBytes
            ? key.Kind == BtfKind.Struct && key.VLen == 2 && IsIntAt(key, 0, 0, 64) && IsIntAt(key, 1, 64, 32)
            : IsInt(key, 64),
        BpfMapType.BloomFilter => key.Kind == BtfKind.Void,
        BpfMapType.Arena => true,
        BpfMapType.InsnArray => IsInt(key, 32) && IsInt(spec.Btf!.SkipModifiers(spec.ValueTypeId), 64),
        _ => key.Kind != BtfKind.Void || TypeRule(spec.Type) == Rule.None,
    };

    private static bool IsInt(BtfType type, int bits) =>
        type.Kind == BtfKind.Int && type.Int is { OffsetBits: 0 } of && of.SizeBits == bits;

    private static bool IsIntAt(BtfType type, int index, int bitOffset, int bits)
    {
        var member = type.Member(index);
        return member.BitOffset == bitOffset && member.BitfieldSizeBits == 0
            && IsInt(type.Btf.SkipModifiers(member.TypeId), bits);
    }
}
