using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary>Who creates a map: what the kernel asks before it agrees.</summary>
public sealed record MapCreateOptions
{
    /// <summary>Everything allowed.</summary>
    public static MapCreateOptions Default { get; } = new();

    /// <summary><c>CAP_BPF</c>: needed for special fields and for most map types.</summary>
    public bool HasCapBpf { get; init; } = true;

    /// <summary><c>CAP_NET_ADMIN</c>: needed for maps of sockets.</summary>
    public bool HasCapNetAdmin { get; init; } = true;

    /// <summary><c>CAP_SYS_ADMIN</c>: needed for <c>BPF_F_ZERO_SEED</c>.</summary>
    public bool HasCapSysAdmin { get; init; } = true;
}

/// <summary>
/// The rules of <c>BPF_MAP_CREATE</c>: which blueprints a kernel turns into maps, and with which errno it refuses.
/// </summary>
/// <remarks>
/// Kernel: <c>map_create</c>, <c>map_check_btf</c> and each type's <c>map_alloc_check</c> (6.12, 7.2).
/// </remarks>
public static class MapRules
{
    private const MapFlags Access = MapFlags.RdOnly | MapFlags.WrOnly | MapFlags.RdOnlyProg | MapFlags.WrOnlyProg;
    private const MapFlags ProgAccess = MapFlags.RdOnlyProg | MapFlags.WrOnlyProg;
    private const MapFlags UserAccess = MapFlags.NumaNode | MapFlags.RdOnly | MapFlags.WrOnly;
    private const int StackBytesMax = 512;
    private const int CpusMax = 8192;
    private const uint SockBucketsMax = uint.MaxValue / 16;
    private const int StackDepthMax = 127;
    private const int BuildIdBytes = 32;
    private const int KmallocMax = 1 << 22;
    private const int PercpuUnitMin = 32 << 10;
    private const uint HashBucketsMax = uint.MaxValue / 16;
    private const int TrieDataMax = 256;
    private const int InsnValueBytes = 16;
    private const int StorageValueMax = ushort.MaxValue - 128;

    /// <summary>Map types that hold this kind of field; empty for kinds that map values cannot have.</summary>
    /// <param name="kind">The kind.</param>
    /// <param name="profile">The kernel's version; null for the default, 6.12.</param>
    public static IReadOnlyList<BpfMapType> TypesThatHold(BtfFieldKind kind, KernelProfile? profile = null) =>
        MapBtfRules.TypesThatHold(kind, profile ?? KernelProfile.Linux6_12);

    /// <summary>Asks whether a kernel would create the map.</summary>
    /// <param name="spec">The blueprint, its record resolved.</param>
    /// <param name="profile">The kernel's version.</param>
    /// <param name="options">The caller's rights; null for all.</param>
    public static Errno Check(MapSpec spec, KernelProfile profile, MapCreateOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(spec);
        ArgumentNullException.ThrowIfNull(profile);
        options ??= MapCreateOptions.Default;
        Span<Errno> steps =
        [
            CheckAttributes(spec, profile),
            CheckType(spec with { Flags = spec.Flags & ~MapFlags.TokenFd }, profile, options),
            Invalid((spec.Flags & MapFlags.TokenFd) != 0),    // a file descriptor that nobody has
            CheckRights(spec.Type, options),
            CheckCapacity(spec),
            CheckInner(spec),
            spec.Record.Fields.Length > 0 && !options.HasCapBpf ? Errno.EPERM
                : MapBtfRules.Check(spec, profile),
        ];
        foreach (var step in steps)
        {
            if (step != Errno.None)
            {
                return step;
            }
        }

        return Errno.None;
    }

    /// <summary>
    /// Asks of a map of an object what the loader asks once it is created: the memory of variables that other files may
    /// see is mapped, and no map with special fields can be.
    /// </summary>
    internal static Errno CheckMapped(MapSpec spec) =>
        spec.Name.StartsWith('.') && (spec.Flags & MapFlags.Mmapable) != 0 && spec.Record.Fields.Length > 0
            ? Errno.ENOTSUPP : Errno.None;

    /// <summary>Lets a blueprint through to the map class that is made from it.</summary>
    /// <param name="core">The kernel.</param>
    /// <param name="spec">The blueprint.</param>
    /// <param name="types">The map types that the class implements.</param>
    /// <exception cref="MapCreateException">The kernel refuses it, has not the memory for it, or it is for
    /// another class.</exception>
    internal static MapSpec Admit(KernelCore core, MapSpec spec, params ReadOnlySpan<BpfMapType> types)
    {
        ArgumentNullException.ThrowIfNull(core);
        ArgumentNullException.ThrowIfNull(spec);
        var err = !types.Contains(spec.Type) || spec.Name?.Length > NameLimits.SymbolMax ? Errno.EINVAL
            : Check(spec, core.Spec.Profile);
        err = err == Errno.None && !MapMemory.IsCountable(spec, core.CpuCount) ? Errno.ENOMEM : err;
        return err == Errno.None ? spec : throw new MapCreateException(spec, err);
    }

    /// <summary>
    /// Asks of the blueprint of a map of a user's own what does not depend on how it is made: whether its kernel type
    /// has values with such fields.
    /// </summary>
    internal static Errno CheckStandIn(MapSpec spec, KernelProfile profile) =>
        MapBtfRules.CheckFields(spec, profile);

    private static Errno CheckAttributes(MapSpec spec, KernelProfile profile)
    {
        var takesExtra = spec.Type is BpfMapType.BloomFilter or BpfMapType.Arena or BpfMapType.Rhash;
        return !profile.Knows(spec.Type)
            || (spec.MapExtra != 0 && !takesExtra)
            || (spec.KeyTypeId != 0 && spec.ValueTypeId == 0)
            || (spec.Flags & (MapFlags.RdOnly | MapFlags.WrOnly)) == (MapFlags.RdOnly | MapFlags.WrOnly)
            ? Errno.EINVAL : Errno.None;
    }

    private static Errno CheckType(
        MapSpec spec, KernelProfile profile, MapCreateOptions options) => spec.Type switch
    {
        BpfMapType.Array or BpfMapType.PercpuArray => CheckArray(spec),
        BpfMapType.ProgArray or BpfMapType.PerfEventArray or BpfMapType.CgroupArray or BpfMapType.ArrayOfMaps =>
            spec.ValueSize != 4 || (spec.Flags & ProgAccess) != 0 ? Errno.EINVAL : CheckArray(spec),
        BpfMapType.Hash or BpfMapType.PercpuHash or BpfMapType.LruHash or BpfMapType.LruPercpuHash =>
            CheckHash(spec, options),
        BpfMapType.HashOfMaps => spec.ValueSize != 4 ? Errno.EINVAL : CheckHash(spec, options),
        BpfMapType.Rhash => CheckRhash(spec, options),
        BpfMapType.SkStorage or BpfMapType.InodeStorage or BpfMapType.TaskStorage or BpfMapType.CgrpStorage =>
            CheckStorage(spec),
        BpfMapType.Queue or BpfMapType.Stack => CheckQueue(spec, profile),
        BpfMapType.BloomFilter => CheckBloom(spec),
        BpfMapType.LpmTrie => CheckTrie(spec, profile),
        BpfMapType.Ringbuf or BpfMapType.UserRingbuf => CheckRing(spec, profile),
        BpfMapType.Sockmap => Invalid(
            spec.MaxEntries is 0 or > int.MaxValue || spec.KeySize != 4 || spec.ValueSize is not (4 or 8)
            || HasOther(spec, UserAccess)),
        BpfMapType.Sockhash =>
            spec.MaxEntries == 0 || spec.KeySize == 0 || spec.ValueSize is not (4 or 8) || HasOther(spec, UserAccess)
            ? Errno.EINVAL : (uint)spec.KeySize > StackBytesMax ? Errno.E2BIG
            : Invalid(RoundUpToPowerOf2(spec.MaxEntries) > SockBucketsMax),
        BpfMapType.Devmap or BpfMapType.DevmapHash => Invalid(
            spec.MaxEntries == 0 || spec.KeySize != 4 || spec.ValueSize is not (4 or 8) || HasOther(spec, UserAccess)
            || (spec.Type == BpfMapType.DevmapHash && spec.MaxEntries > 1u << 31)),
        BpfMapType.Xskmap => Invalid(
            spec.MaxEntries == 0 || spec.KeySize != 4 || spec.ValueSize != 4 || HasOther(spec, UserAccess)),
        BpfMapType.Cpumap => Invalid(
            spec.MaxEntries == 0 || spec.KeySize != 4 || spec.ValueSize is not (4 or 8)
            || HasOther(spec, MapFlags.NumaNode)),
        BpfMapType.ReuseportSockarray => spec.ValueSize is not (4 or 8) ? Errno.EINVAL : CheckArray(spec),
        BpfMapType.StackTrace => CheckStacks(spec),
        BpfMapType.CgroupStorage or BpfMapType.PercpuCgroupStorage =>
            spec.KeySize is not (8 or 16) || spec.ValueSize == 0 ? Errno.EINVAL
            : (uint)spec.ValueSize > (spec.Type == BpfMapType.CgroupStorage ? StorageValueMax : PercpuUnitMin)
            ? Errno.E2BIG
            : Invalid(HasOther(spec, MapFlags.NumaNode | Access) || spec.MaxEntries != 0),
        BpfMapType.StructOps => Invalid(
            spec.StructOps is null || spec.KeySize != 4 || spec.MaxEntries != 1
            || HasOther(spec, MapFlags.Link | MapFlags.VtypeBtfObjFd)),
        BpfMapType.Arena => CheckArena(spec),
        BpfMapType.InsnArray => Invalid(
            spec.MaxEntries == 0 || spec.KeySize != 4 || spec.ValueSize != InsnValueBytes || spec.Flags != 0),
        _ => Errno.None,
    };

    private static Errno CheckArray(MapSpec spec)
    {
        const MapFlags Allowed = MapFlags.NumaNode | MapFlags.Mmapable | Access | MapFlags.PreserveElems
            | MapFlags.InnerMap;
        var isBad = spec.MaxEntries == 0 || spec.KeySize != 4 || spec.ValueSize <= 0 || HasOther(spec, Allowed)
            || (spec.Type != BpfMapType.Array && (spec.Flags & (MapFlags.Mmapable | MapFlags.InnerMap)) != 0)
            || (spec.Type != BpfMapType.PerfEventArray && (spec.Flags & MapFlags.PreserveElems) != 0)
            || (spec.Type == BpfMapType.PercpuArray && (spec.Flags & MapFlags.NumaNode) != 0);
        return isBad ? Errno.EINVAL : IsPercpuTooBig(spec) ? Errno.E2BIG : Errno.None;
    }

    private static Errno CheckHash(MapSpec spec, MapCreateOptions options)
    {
        const MapFlags Allowed = MapFlags.NoPrealloc | MapFlags.NoCommonLru | MapFlags.NumaNode | Access
            | MapFlags.ZeroSeed;
        var isLru = spec.Type is BpfMapType.LruHash or BpfMapType.LruPercpuHash;
        var isPercpu = spec.Type is BpfMapType.PercpuHash or BpfMapType.LruPercpuHash;
        var hasLists = (spec.Flags & MapFlags.NoCommonLru) != 0;
        if ((spec.Flags & MapFlags.ZeroSeed) != 0 && !options.HasCapSysAdmin)
        {
            return Errno.EPERM;
        }

        if (HasOther(spec, Allowed) || (!isLru && hasLists))
        {
            return Errno.EINVAL;
        }

        if (isLru && (spec.Flags & MapFlags.NoPrealloc) != 0)
        {
            return Errno.ENOTSUPP;
        }

        if ((isPercpu || hasLists) && (spec.Flags & MapFlags.NumaNode) != 0)
        {
            return Errno.EINVAL;
        }

        if (spec.MaxEntries == 0 || spec.KeySize == 0 || spec.ValueSize == 0)
        {
            return Errno.EINVAL;
        }

        return (long)(uint)spec.KeySize + (uint)spec.ValueSize >= KmallocMax - 48
            || (isPercpu && IsPercpuTooBig(spec))
            ? Errno.E2BIG : Errno.None;
    }

    private static Errno CheckRhash(MapSpec spec, MapCreateOptions options)
    {
        if ((spec.Flags & MapFlags.NoPrealloc) == 0 || (spec.Flags & MapFlags.ZeroSeed) != 0)
        {
            return Errno.EINVAL;
        }

        if ((uint)spec.KeySize > ushort.MaxValue)
        {
            return Errno.E2BIG;
        }

        return spec.MapExtra >> 32 != 0 ? Errno.EINVAL
            : spec.MapExtra > ushort.MaxValue ? Errno.E2BIG
            : spec.MapExtra > spec.MaxEntries ? Errno.EINVAL
            : CheckHash(spec, options);
    }

    // Linux also insists on BTF for key and value; a blueprint made in C# has none and needs none.
    private static Errno CheckStorage(MapSpec spec) =>
        HasOther(spec, MapFlags.NoPrealloc | MapFlags.Clone) || (spec.Flags & MapFlags.NoPrealloc) == 0
        || spec.MaxEntries != 0 || spec.KeySize != 4 || spec.ValueSize == 0
        || (spec.Btf is not null && (spec.KeyTypeId == 0 || spec.ValueTypeId == 0)) ? Errno.EINVAL
        : (uint)spec.ValueSize > StorageValueMax ? Errno.E2BIG : Errno.None;

    private static Errno CheckQueue(MapSpec spec, KernelProfile profile) =>
        spec.MaxEntries == 0 || spec.KeySize != 0 || spec.ValueSize <= 0
        || HasOther(spec, MapFlags.NumaNode | Access) ? Errno.EINVAL
        : spec.ValueSize > KmallocMax
            || (profile.CountsQueueIn32Bits && spec.MaxEntries >= uint.MaxValue / (uint)spec.ValueSize) ? Errno.E2BIG
        : Errno.None;

    private static Errno CheckBloom(MapSpec spec) =>
        spec.ValueSize > KmallocMax ? Errno.E2BIG : Invalid(
            spec.KeySize != 0 || spec.ValueSize <= 0 || spec.MaxEntries == 0
            || HasOther(spec, MapFlags.NumaNode | MapFlags.ZeroSeed | Access) || (spec.MapExtra & ~0xfUL) != 0);

    private static Errno CheckTrie(MapSpec spec, KernelProfile profile) => Invalid(
        spec.MaxEntries == 0 || (spec.Flags & MapFlags.NoPrealloc) == 0
        || HasOther(spec, MapFlags.NoPrealloc | MapFlags.NumaNode | Access)
        || spec.KeySize < 5 || spec.KeySize > 260 || spec.ValueSize < 1
        || spec.ValueSize > KmallocMax - TrieDataMax - profile.TrieNodeBytes);

    private static Errno CheckRing(MapSpec spec, KernelProfile profile) => Invalid(
        HasOther(spec, MapFlags.NumaNode | (profile.RingsOverwrite && spec.Type == BpfMapType.Ringbuf
            ? MapFlags.RbOverwrite : 0)) || spec.KeySize != 0 || spec.ValueSize != 0
        || spec.MaxEntries == 0 || (spec.MaxEntries & (spec.MaxEntries - 1)) != 0 || spec.MaxEntries % 4096 != 0);

    private static Errno CheckArena(MapSpec spec) => Invalid(
        spec.KeySize != 0 || spec.ValueSize != 0 || spec.MaxEntries == 0 || (spec.Flags & MapFlags.Mmapable) == 0
        || HasOther(spec, MapFlags.SegvOnFault | MapFlags.Mmapable | MapFlags.NoUserConv)
        || spec.MapExtra % 4096 != 0);

    private static Errno CheckArenaSize(MapSpec spec)
    {
        var bytes = (ulong)spec.MaxEntries * 4096;
        return bytes > 1UL << 32 ? Errno.E2BIG
            : spec.MapExtra >> 32 != (spec.MapExtra + bytes - 1) >> 32 ? Errno.ERANGE : Errno.None;
    }

    private static Errno CheckStacks(MapSpec spec)
    {
        var each = (spec.Flags & MapFlags.StackBuildId) != 0 ? BuildIdBytes : 8;
        return spec.MaxEntries == 0 || spec.KeySize != 4 || spec.ValueSize < 8 || spec.ValueSize % each != 0
            || spec.ValueSize / each > StackDepthMax || HasOther(spec, UserAccess | MapFlags.StackBuildId)
            ? Errno.EINVAL : Errno.None;
    }

    /// <summary>What is found to be too much when the map is made, after rights were asked.</summary>
    private static Errno CheckCapacity(MapSpec spec) => spec.Type switch
    {
        BpfMapType.Hash or BpfMapType.PercpuHash or BpfMapType.LruHash or BpfMapType.LruPercpuHash
            or BpfMapType.HashOfMaps when RoundUpToPowerOf2(spec.MaxEntries) > HashBucketsMax =>
            Errno.E2BIG,
        BpfMapType.Rhash when spec.MaxEntries > 1u << 31 => Errno.E2BIG,
        BpfMapType.Cpumap when spec.MaxEntries > CpusMax => Errno.E2BIG,
        BpfMapType.StackTrace when spec.MaxEntries > 1u << 31 => Errno.E2BIG,
        BpfMapType.Arena => CheckArenaSize(spec),
        _ => Errno.None,
    };

    private static Errno CheckRights(BpfMapType type, MapCreateOptions options) => type switch
    {
        BpfMapType.Array or BpfMapType.PercpuArray or BpfMapType.ProgArray or BpfMapType.PerfEventArray
            or BpfMapType.CgroupArray
            or BpfMapType.ArrayOfMaps or BpfMapType.Hash or BpfMapType.PercpuHash or BpfMapType.HashOfMaps
            or BpfMapType.Ringbuf
            or BpfMapType.UserRingbuf or BpfMapType.CgroupStorage or BpfMapType.PercpuCgroupStorage => Errno.None,
        BpfMapType.Sockmap or BpfMapType.Sockhash or BpfMapType.Devmap or BpfMapType.DevmapHash or BpfMapType.Xskmap =>
            options.HasCapNetAdmin ? Errno.None : Errno.EPERM,
        _ => options.HasCapBpf ? Errno.None : Errno.EPERM,
    };

    private static Errno CheckInner(MapSpec spec) =>
        spec.Type is not (BpfMapType.ArrayOfMaps or BpfMapType.HashOfMaps) ? Errno.None
        : spec.InnerMap is null ? Errno.EBADF
        : spec.InnerMap.Type switch
        {
            BpfMapType.ArrayOfMaps or BpfMapType.HashOfMaps => Errno.EINVAL,
            BpfMapType.ProgArray or BpfMapType.StructOps or BpfMapType.CgroupStorage
            or BpfMapType.PercpuCgroupStorage => Errno.ENOTSUPP,
            _ => Errno.None,
        };

    private static bool IsPercpuTooBig(MapSpec spec) =>
        spec.Type is BpfMapType.PercpuArray or BpfMapType.PercpuHash or BpfMapType.LruPercpuHash
        && ValueLayout.RoundUp8(spec.ValueSize) > PercpuUnitMin;

    // As 64 bits: above 2^31 the next power of two is 2^32.
    private static ulong RoundUpToPowerOf2(uint value) => System.Numerics.BitOperations.RoundUpToPowerOf2((ulong)value);

    private static Errno Invalid(bool isInvalid) => isInvalid ? Errno.EINVAL : Errno.None;

    private static bool HasOther(MapSpec spec, MapFlags allowed) =>
        (spec.Flags & ~allowed) != 0 || (spec.Flags & ProgAccess) == ProgAccess;
}
