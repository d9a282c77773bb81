using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary>Turns blueprints into maps.</summary>
public static class MapFactory
{
    /// <summary>Creates a map.</summary>
    /// <param name="core">The kernel.</param>
    /// <param name="spec">The blueprint, its record resolved.</param>
    /// <param name="options">The caller's rights; null for all.</param>
    /// <exception cref="MapCreateException">The kernel refuses the blueprint, or Kptr does not
    /// model the type. Types of one's own are made by whoever has them.</exception>
    public static BpfMap Create(KernelCore core, MapSpec spec, MapCreateOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(core);
        ArgumentNullException.ThrowIfNull(spec);
        var err = MapRules.Check(spec, core.Spec.Profile, options);
        if (err != Errno.None)
        {
            throw new MapCreateException(spec, err);
        }

        try
        {
            return Make(core, spec);
        }
        catch (OutOfMemoryException)
        {
            // A kernel counts what its own maps take; the process may have other uses for the rest.
            throw new MapCreateException(spec, Errno.ENOMEM);
        }
    }

    /// <summary>Creates a map.</summary>
    /// <param name="core">The kernel.</param>
    /// <param name="spec">The blueprint, its record resolved.</param>
    /// <param name="map">The map; null when refused.</param>
    /// <param name="options">The caller's rights; null for all.</param>
    /// <returns>Why the kernel refuses; types and fields that Kptr does not model are
    /// <see cref="Errno.EOPNOTSUPP"/>.</returns>
    public static Errno TryCreate(KernelCore core, MapSpec spec, out BpfMap? map, MapCreateOptions? options = null)
    {
        map = null;
        try
        {
            map = Create(core, spec, options);
            return Errno.None;
        }
        catch (MapCreateException refused)
        {
            return refused.Errno;
        }
    }

    private static BpfMap Make(KernelCore core, MapSpec spec) => spec.Type switch
    {
        _ when spec.OwnType is not null =>
            throw new MapCreateException(spec, Errno.EOPNOTSUPP, DiagCode.UnsupportedMapType),
        _ when spec.Record.Has(BtfFieldKind.Uptr) =>
            throw new MapCreateException(spec, Errno.EOPNOTSUPP, DiagCode.UnsupportedMapField),
        BpfMapType.Array or BpfMapType.PercpuArray => new ArrayMap(core, spec),
        BpfMapType.Hash => new HashMap(core, spec),
        BpfMapType.Rhash => new RhashMap(core, spec),
        BpfMapType.ArrayOfMaps => new ArrayOfMaps(core, spec),
        BpfMapType.HashOfMaps => new HashOfMaps(core, spec),
        BpfMapType.TaskStorage or BpfMapType.CgrpStorage or BpfMapType.SkStorage or BpfMapType.InodeStorage =>
            new LocalStorageMap(core, spec),
        BpfMapType.Queue or BpfMapType.Stack => new QueueStackMap(core, spec),
        BpfMapType.BloomFilter => new BloomFilterMap(core, spec),
        BpfMapType.LpmTrie => new LpmTrieMap(core, spec),
        BpfMapType.Ringbuf => new RingBufMap(core, spec),
        BpfMapType.UserRingbuf => new UserRingBufMap(core, spec),
        BpfMapType.ProgArray => new ProgArrayMap(core, spec),
        BpfMapType.PerfEventArray => new PerfEventArrayMap(core, spec),
        BpfMapType.Sockmap or BpfMapType.Sockhash => new SockMap(core, spec),
        BpfMapType.Devmap or BpfMapType.DevmapHash or BpfMapType.Cpumap or BpfMapType.Xskmap =>
            new RedirectMap(core, spec),
        BpfMapType.CgroupStorage or BpfMapType.PercpuCgroupStorage => new CgroupStorageMap(core, spec),
        BpfMapType.StackTrace => new StackTraceMap(core, spec),
        BpfMapType.CgroupArray => new CgroupArrayMap(core, spec),
        BpfMapType.ReuseportSockarray => new ReuseportArrayMap(core, spec),
        BpfMapType.StructOps => new StructOpsMap(core, spec),
        BpfMapType.Arena => new ArenaMap(core, spec),
        BpfMapType.PercpuHash => new PercpuHashMap(core, spec),
        BpfMapType.LruHash or BpfMapType.LruPercpuHash => new LruHashMap(core, spec),
        _ => throw new MapCreateException(spec, Errno.EOPNOTSUPP, DiagCode.UnsupportedMapType),
    };
}
