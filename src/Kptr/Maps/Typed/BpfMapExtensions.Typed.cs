using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Kptr.Diagnostics;

namespace Kptr.Maps;

/// <summary>Called with a key and its value in live memory; false ends the walk.</summary>
/// <typeparam name="TKey">The key.</typeparam>
/// <typeparam name="TValue">The value; of per-CPU maps, the calling CPU's.</typeparam>
public delegate bool MapVisitor<TKey, TValue>(in TKey key, ref TValue value);

// What every map of C# structs can do. A struct's size may be rounded up to 8 in buffers of per-CPU values.
public static unsafe partial class BpfMapExtensions
{
    /// <summary>Sees any map as one of C# structs, such as one that an object file declares.</summary>
    /// <exception cref="ArgumentException"> The key or value has another size than the map's, or the value a
    /// <see cref="Kptr.Objects.Kptr{T}"/> where the map has none. </exception>
    public static TypedMapView<TKey, TValue> As<TKey, TValue>(this BpfMap map)
        where TKey : unmanaged
        where TValue : unmanaged
    {
        CheckKey<TKey>(map);
        map.CheckCopyType<TValue>(map.ValueSize);
        return new(map);
    }

    /// <summary>Finds a value in live memory: of per-CPU maps, the CPU's that this thread plays.</summary>
    /// <returns>The value, or a null reference (<see cref="Unsafe.IsNullRef{T}"/>). Use it
    /// inside an RCU reader.</returns>
    /// <exception cref="ArgumentException">The structs have other sizes, or the value other special fields,
    /// than the map's.</exception>
    /// <exception cref="InvalidOperationException">The values are maps or sockets.</exception>
    public static ref TValue Lookup<TKey, TValue>(this ITypedMap<TKey, TValue> map, TKey key)
        where TKey : unmanaged
        where TValue : unmanaged
    {
        var untyped = ViewedOf(map);
        return ref Unsafe.AsRef<TValue>(
            (void*)untyped.Checked(untyped.ProgLookup(Bytes(ref key), untyped.Core.CurrentCpu)));
    }

    /// <summary>Finds a CPU's value in live memory.</summary>
    /// <returns>The value, or a null reference; also when the map has no value per CPU. Use it
    /// inside an RCU reader.</returns>
    public static ref TValue Lookup<TKey, TValue>(this ITypedMap<TKey, TValue> map, TKey key, int cpu)
        where TKey : unmanaged
        where TValue : unmanaged
    {
        var untyped = ViewedOf(map);
        return ref Unsafe.AsRef<TValue>((void*)untyped.Checked(untyped.ProgLookupPercpu(Bytes(ref key), (uint)cpu)));
    }

    /// <summary>Finds a value in live memory, and makes a zeroed one where the key has none.</summary>
    /// <returns>The value. Use it inside an RCU reader.</returns>
    /// <remarks>Under the recycle policy a new value may hold a kptr that a deleted element left there.</remarks>
    /// <exception cref="InvalidOperationException">The map takes no more keys.</exception>
    public static ref TValue LookupOrInit<TKey, TValue>(this ITypedMap<TKey, TValue> map, TKey key)
        where TKey : unmanaged
        where TValue : unmanaged
    {
        ArgumentNullException.ThrowIfNull(map);
        while (true)
        {
            ref var found = ref map.Lookup(key);
            if (!Unsafe.IsNullRef(ref found))
            {
                return ref found;
            }

            TValue zero = default;
            var err = map.Map.ProgUpdate(
                Bytes(ref key), Bytes(ref zero), MapUpdateFlags.NoExist, map.Map.Core.CurrentCpu);
            if (err is not (Errno.None or Errno.EEXIST))
            {
                throw new InvalidOperationException($"{map.Map} cannot take another key: {err}");
            }
        }
    }

    /// <summary>
    /// Copies a value out, special fields as zero; of per-CPU maps, the CPU's that this thread plays.
    /// </summary>
    /// <returns>False when the key is not there.</returns>
    public static bool TryGetValue<TKey, TValue>(this ITypedMap<TKey, TValue> map, TKey key, out TValue value)
        where TKey : unmanaged
        where TValue : unmanaged
    {
        CheckCopies(map);
        value = default;
        if (!map.Map.IsPerCpu)
        {
            return map.Map.LookupElem(Bytes(ref key), Bytes(ref value)) == Errno.None;
        }

        var all = map.ValuesOf(key);
        value = all.Length == 0 ? default : all[map.Map.Core.PossibleCpus.IndexOf(map.Map.Core.CurrentCpu)];
        return all.Length != 0;
    }

    /// <summary>
    /// Copies the values of all CPUs out, special fields as zero, in the order of the possible CPUs; one
    /// where the map is not per CPU.
    /// </summary>
    /// <returns>An empty array when the key is not there.</returns>
    public static TValue[] ValuesOf<TKey, TValue>(this ITypedMap<TKey, TValue> map, TKey key)
        where TKey : unmanaged
        where TValue : unmanaged
    {
        CheckCopies(map);
        var bytes = new byte[map.Map.UserValueSize];
        if (map.Map.LookupElem(Bytes(ref key), bytes) != Errno.None)
        {
            return [];
        }

        var values = new TValue[map.Map.IsPerCpu ? map.Map.Core.PossibleCpus.Length : 1];
        var stride = bytes.Length / values.Length;
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = MemoryMarshal.Read<TValue>(bytes.AsSpan(i * stride));
        }

        return values;
    }

    /// <summary>
    /// Creates or replaces an element, on all CPUs with the same value; special fields of
    /// <paramref name="value"/> are ignored.
    /// </summary>
    [OverloadResolutionPriority(1)]
    public static Errno Update<TKey, TValue>(
        this ITypedMap<TKey, TValue> map, TKey key, in TValue value, MapUpdateFlags flags = MapUpdateFlags.Any)
        where TKey : unmanaged
        where TValue : unmanaged
    {
        CheckCopies(map);
        var count = map.Map.IsPerCpu ? map.Map.Core.PossibleCpus.Length : 1;
        if (count == 1)
        {
            return map.Map.UpdateElem(Bytes(ref key), Bytes(ref Unsafe.AsRef(in value)), flags);
        }

        var values = new TValue[count];
        Array.Fill(values, value);
        return map.UpdateEach(key, values, flags);
    }

    /// <summary>Creates or replaces an element of a per-CPU map.</summary>
    /// <param name="map">The map.</param>
    /// <param name="key">The key.</param>
    /// <param name="values">A value for each possible CPU, in their order.</param>
    /// <param name="flags">Create or replace.</param>
    /// <exception cref="ArgumentException">There are more or fewer values than possible CPUs.</exception>
    public static Errno UpdateEach<TKey, TValue>(
        this ITypedMap<TKey, TValue> map, TKey key, ReadOnlySpan<TValue> values,
        MapUpdateFlags flags = MapUpdateFlags.Any)
        where TKey : unmanaged
        where TValue : unmanaged
    {
        CheckCopies(map);
        var bytes = new byte[map.Map.UserValueSize];
        var count = map.Map.IsPerCpu ? map.Map.Core.PossibleCpus.Length : 1;
        if (values.Length != count)
        {
            throw new ArgumentException($"{map.Map} takes {count} values, not {values.Length}", nameof(values));
        }

        for (var i = 0; i < count; i++)
        {
            MemoryMarshal.Write(bytes.AsSpan(i * (bytes.Length / count)), values[i]);
        }

        return map.Map.UpdateElem(Bytes(ref key), bytes, flags);
    }

    /// <summary>Deletes an element; what becomes of its kptrs is the map's destroy policy.</summary>
    [OverloadResolutionPriority(1)]
    public static Errno Delete<TKey, TValue>(this ITypedMap<TKey, TValue> map, TKey key)
        where TKey : unmanaged
        where TValue : unmanaged
    {
        MapOf(map).CheckKeyType<TKey>();
        return map.Map.DeleteElem(Bytes(ref key));
    }

    /// <summary>Visits all elements in live memory, inside an RCU reader (<c>bpf_for_each_map_elem</c>).</summary>
    /// <returns>How many were visited; below 0 an <see cref="Errno"/>, for types that cannot be walked so.</returns>
    public static long Visit<TKey, TValue>(this ITypedMap<TKey, TValue> map, MapVisitor<TKey, TValue> visitor)
        where TKey : unmanaged
        where TValue : unmanaged
    {
        ArgumentNullException.ThrowIfNull(map);
        ArgumentNullException.ThrowIfNull(visitor);
        var untyped = ViewedOf(map);
        using var reader = untyped.Core.Rcu.ReadLock();
        return untyped.ForEachElem(
            (key, value) => visitor(Unsafe.ReadUnaligned<TKey>((void*)key), ref Unsafe.AsRef<TValue>((void*)value))
                ? 0UL
                : 1, 0, untyped.Core.CurrentCpu);
    }

    /// <summary>
    /// All elements at about this moment, special fields as zero; of per-CPU maps, the CPU's that this thread plays.
    /// </summary>
    public static IReadOnlyList<KeyValuePair<TKey, TValue>> Snapshot<TKey, TValue>(this ITypedMap<TKey, TValue> map)
        where TKey : unmanaged
        where TValue : unmanaged
    {
        CheckCopies(map);
        var all = new List<KeyValuePair<TKey, TValue>>();
        foreach (var key in map.Map.Keys<TKey>())
        {
            if (map.TryGetValue(key, out var value))
            {
                all.Add(new(key, value));
            }
        }

        return all;
    }

    // Whoever implements the interface names any map at all.
    private static BpfMap MapOf<TKey, TValue>(ITypedMap<TKey, TValue> map)
        where TKey : unmanaged
        where TValue : unmanaged
    {
        ArgumentNullException.ThrowIfNull(map);
        return map.Map ?? throw new ArgumentException("the view has no map", nameof(map));
    }

    private static BpfMap ViewedOf<TKey, TValue>(ITypedMap<TKey, TValue> map)
        where TKey : unmanaged
        where TValue : unmanaged
    {
        var untyped = MapOf(map);
        untyped.CheckView<TKey, TValue>();
        return untyped;
    }

    private static void CheckCopies<TKey, TValue>(ITypedMap<TKey, TValue> map)
        where TKey : unmanaged
        where TValue : unmanaged
    {
        var untyped = MapOf(map);
        untyped.CheckKeyType<TKey>();
        untyped.CheckCopyType<TValue>(untyped.ValueSize);
    }
}
