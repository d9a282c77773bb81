using System.Runtime.InteropServices;
using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary>A hash of maps whose keys are C# structs.</summary>
/// <typeparam name="TKey">The key; compared byte by byte, so it must have no padding.</typeparam>
public sealed class HashOfMaps<TKey> : HashOfMaps
    where TKey : unmanaged
{
    /// <summary>Makes a hash of maps.</summary>
    /// <param name="core">The kernel.</param>
    /// <param name="maxEntries">Capacity.</param>
    /// <param name="inner">What the maps in it are like.</param>
    /// <param name="name">Its name, for reports.</param>
    /// <exception cref="MapCreateException">The kernel refuses it.</exception>
    public HashOfMaps(KernelCore core, uint maxEntries, MapSpec inner, string name = "hash_of_maps")
        : base(core, InnerMaps.SpecOf<TKey>(core, BpfMapType.HashOfMaps, name, maxEntries, inner))
    {
    }

    /// <summary>
    /// The map under a key, or null. Use it inside an RCU reader; the outer map may let go of it at any time.
    /// </summary>
    public BpfMap? Lookup(TKey key) => Lookup(Bytes(in key));

    /// <summary>Puts a map under a key.</summary>
    public Errno Set(TKey key, BpfMap inner, MapUpdateFlags flags = MapUpdateFlags.Any) =>
        Set(Bytes(in key), inner, flags);

    /// <summary>Deletes a key; the map under it loses a reference.</summary>
    public Errno Delete(TKey key) => DeleteElem(Bytes(in key));

    private static ReadOnlySpan<byte> Bytes(in TKey key) => MemoryMarshal.AsBytes(new ReadOnlySpan<TKey>(in key));
}
