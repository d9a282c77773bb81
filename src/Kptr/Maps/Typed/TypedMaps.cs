using System.Diagnostics.CodeAnalysis;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary>A per-CPU array of C# structs.</summary>
/// <typeparam name="TValue">One CPU's value; its <see cref="Kptr{T}"/> fields are the special fields.</typeparam>
public sealed class PercpuArrayMap<[DynamicallyAccessedMembers(StructFields.Kept)] TValue>
    : ArrayMap, ITypedMap<int, TValue>
    where TValue : unmanaged
{
    /// <summary>Makes a per-CPU array.</summary>
    /// <param name="core">The kernel.</param>
    /// <param name="maxEntries">Number of values on each CPU.</param>
    /// <param name="name">Its name, for reports.</param>
    /// <param name="flags">Creation flags.</param>
    /// <exception cref="MapCreateException">The kernel refuses it.</exception>
    public PercpuArrayMap(
        KernelCore core, uint maxEntries, string name = "percpu_array", MapFlags flags = MapFlags.None)
        : base(core, StructSpec.Of<int, TValue>(core, name, BpfMapType.PercpuArray, maxEntries, flags))
    {
    }

    BpfMap ITypedMap<int, TValue>.Map => this;
}

/// <summary>A per-CPU hash of C# structs.</summary>
/// <typeparam name="TKey">The key; compared byte by byte, so it must have no padding.</typeparam>
/// <typeparam name="TValue">One CPU's value; its <see cref="Kptr{T}"/> fields are the special fields.</typeparam>
public sealed class PercpuHashMap<TKey, [DynamicallyAccessedMembers(StructFields.Kept)] TValue>
    : PercpuHashMap, ITypedMap<TKey, TValue>
    where TKey : unmanaged
    where TValue : unmanaged
{
    /// <summary>Makes a per-CPU hash.</summary>
    /// <inheritdoc cref="LruHashMap{TKey, TValue}(KernelCore, uint, string, MapFlags)"/>
    public PercpuHashMap(KernelCore core, uint maxEntries, string name = "percpu_hash", MapFlags flags = MapFlags.None)
        : base(core, StructSpec.Of<TKey, TValue>(core, name, BpfMapType.PercpuHash, maxEntries, flags))
    {
    }

    BpfMap ITypedMap<TKey, TValue>.Map => this;
}

/// <summary>An LRU hash of C# structs.</summary>
/// <typeparam name="TKey">The key; compared byte by byte, so it must have no padding.</typeparam>
/// <typeparam name="TValue">The value; its <see cref="Kptr{T}"/> fields are the special fields.</typeparam>
public sealed class LruHashMap<TKey, [DynamicallyAccessedMembers(StructFields.Kept)] TValue>
    : LruHashMap, ITypedMap<TKey, TValue>
    where TKey : unmanaged
    where TValue : unmanaged
{
    /// <summary>Makes an LRU hash.</summary>
    /// <param name="core">The kernel.</param>
    /// <param name="maxEntries">Capacity.</param>
    /// <param name="name">Its name, for reports.</param>
    /// <param name="flags">Creation flags.</param>
    /// <exception cref="MapCreateException">The kernel refuses it.</exception>
    public LruHashMap(KernelCore core, uint maxEntries, string name = "lru_hash", MapFlags flags = MapFlags.None)
        : base(core, StructSpec.Of<TKey, TValue>(core, name, BpfMapType.LruHash, maxEntries, flags))
    {
    }

    BpfMap ITypedMap<TKey, TValue>.Map => this;
}

/// <summary>A per-CPU LRU hash of C# structs.</summary>
/// <typeparam name="TKey">The key; compared byte by byte, so it must have no padding.</typeparam>
/// <typeparam name="TValue">One CPU's value; its <see cref="Kptr{T}"/> fields are the special fields.</typeparam>
public sealed class LruPercpuHashMap<TKey, [DynamicallyAccessedMembers(StructFields.Kept)] TValue>
    : LruHashMap, ITypedMap<TKey, TValue>
    where TKey : unmanaged
    where TValue : unmanaged
{
    /// <summary>Makes a per-CPU LRU hash.</summary>
    /// <inheritdoc cref="LruHashMap{TKey, TValue}(KernelCore, uint, string, MapFlags)"/>
    public LruPercpuHashMap(
        KernelCore core, uint maxEntries, string name = "lru_percpu_hash", MapFlags flags = MapFlags.None)
        : base(core, StructSpec.Of<TKey, TValue>(core, name, BpfMapType.LruPercpuHash, maxEntries, flags))
    {
    }

    BpfMap ITypedMap<TKey, TValue>.Map => this;
}

/// <summary>A resizable hash of C# structs; 7.2 only.</summary>
/// <typeparam name="TKey">The key; compared byte by byte, so it must have no padding.</typeparam>
/// <typeparam name="TValue">The value; its <see cref="Kptr{T}"/> and <see cref="BpfSpinLock"/> fields are the
/// special fields.</typeparam>
public sealed class RhashMap<TKey, [DynamicallyAccessedMembers(StructFields.Kept)] TValue>
    : RhashMap, ITypedMap<TKey, TValue>
    where TKey : unmanaged
    where TValue : unmanaged
{
    /// <summary>Makes a resizable hash.</summary>
    /// <inheritdoc cref="LruHashMap{TKey, TValue}(KernelCore, uint, string, MapFlags)"/>
    public RhashMap(KernelCore core, uint maxEntries, string name = "rhash", MapFlags flags = MapFlags.NoPrealloc)
        : base(core, StructSpec.Of<TKey, TValue>(core, name, BpfMapType.Rhash, maxEntries, flags))
    {
    }

    BpfMap ITypedMap<TKey, TValue>.Map => this;
}
