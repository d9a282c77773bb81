using System.Runtime.InteropServices;
using Kptr.Diagnostics;

namespace Kptr.Maps;

/// <summary>User space's operations on a map with keys and values as C# structs of the map's sizes.</summary>
public static partial class BpfMapExtensions
{
    /// <summary>Reads a value; special fields read as zero.</summary>
    /// <returns>Whether the element exists.</returns>
    /// <exception cref="ArgumentException">The key or value has another size than the map's.</exception>
    public static bool TryLookup<TKey, TValue>(this BpfMap map, TKey key, out TValue value)
        where TKey : unmanaged
        where TValue : unmanaged
    {
        CheckSizes<TKey, TValue>(map);
        value = default;
        return map.LookupElem(Bytes(ref key), Bytes(ref value)) == Errno.None;
    }

    /// <summary>Creates or replaces an element; special fields of <paramref name="value"/> are not looked at.</summary>
    /// <returns>The kernel's error number, <see cref="Errno.None"/> for success.</returns>
    /// <exception cref="ArgumentException">The key or value has another size than the map's.</exception>
    public static Errno Update<TKey, TValue>(
        this BpfMap map, TKey key, TValue value, MapUpdateFlags flags = MapUpdateFlags.Any)
        where TKey : unmanaged
        where TValue : unmanaged
    {
        CheckSizes<TKey, TValue>(map);
        return map.UpdateElem(Bytes(ref key), Bytes(ref value), flags);
    }

    /// <summary>Deletes an element; what becomes of its kptrs is the map's destroy policy.</summary>
    /// <returns>The kernel's error number, <see cref="Errno.None"/> for success.</returns>
    /// <exception cref="ArgumentException">The key has another size than the map's.</exception>
    public static Errno Delete<TKey>(this BpfMap map, TKey key)
        where TKey : unmanaged
    {
        CheckKey<TKey>(map);
        return map.DeleteElem(Bytes(ref key));
    }

    /// <summary>
    /// The keys that user space finds by walking the map; changes while walking may be missed or met.
    /// </summary>
    public static IEnumerable<TKey> Keys<TKey>(this BpfMap map)
        where TKey : unmanaged
    {
        CheckKey<TKey>(map);
        TKey? key = null;
        while (TryNext(map, key, out var next))
        {
            yield return next;
            key = next;
        }
    }

    private static bool TryNext<TKey>(BpfMap map, TKey? key, out TKey next)
        where TKey : unmanaged
    {
        next = default;
        var at = key.GetValueOrDefault();
        return map.GetNextKey(key is null ? [] : Bytes(ref at), Bytes(ref next)) == Errno.None;
    }

    private static void CheckSizes<TKey, TValue>(BpfMap map)
        where TKey : unmanaged
        where TValue : unmanaged
    {
        CheckKey<TKey>(map);
        map.CheckCopyType<TValue>(map.UserValueSize);
    }

    private static void CheckKey<TKey>(BpfMap map)
        where TKey : unmanaged
    {
        ArgumentNullException.ThrowIfNull(map);
        map.CheckKeyType<TKey>();
    }

    private static Span<byte> Bytes<T>(ref T value)
        where T : unmanaged => MemoryMarshal.AsBytes(new Span<T>(ref value));
}
