using System.Runtime.CompilerServices;

namespace Kptr.Maps;

// The one search for a key, and what changes chains.
internal sealed unsafe partial class HashTable
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal HashBucket* BucketOf<TKey>(TKey key)
        where TKey : struct, IElemKey => Buckets + (key.HashOf(Bits) & Mask);

    internal HashBucket* BucketOf(ReadOnlySpan<byte> key) => Buckets + (KeyHash.Of(key, Bits) & Mask);

    /// <summary>Walks one chain once: the only place that does.</summary>
    /// <param name="elems">Where the elements lie.</param>
    /// <param name="bucket">The chain's bucket.</param>
    /// <param name="key">The key.</param>
    /// <param name="link">The link that led to the element, or the one that ends the chain.</param>
    /// <param name="index">The element's number, or whatever ended the chain.</param>
    /// <param name="elem">The element with the key.</param>
    /// <returns>
    /// Whether there is one. Without the bucket's lock false may mean that the chain changed meanwhile, and a found
    /// element may be unlinked and another key's at any time.
    /// </returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool TryWalk<TElems, TKey>(
        TElems elems, HashBucket* bucket, TKey key, out int* link, out int index, out byte* elem)
        where TElems : struct, IElems
        where TKey : struct, IElemKey
    {
        // The head is the bucket's first field.
        link = (int*)bucket;
        while (true)
        {
            index = Volatile.Read(ref *link);
            if (!elems.TryAt(index, out elem))
            {
                return false;
            }

            if (key.IsAt(elem))
            {
                return true;
            }

            link = (int*)elem;
        }
    }

    /// <summary>Finds a key without a lock.</summary>
    /// <param name="key">The key.</param>
    /// <param name="index">The element's number, which may be unlinked at any time; -1 for none.</param>
    /// <returns>False when nothing was found but a writer was there: search again.</returns>
    internal bool TryFind(ReadOnlySpan<byte> key, out int index)
    {
        var bucket = BucketOf(key);
        var seq = bucket->Lock.Read();
        if (TryWalk(bucket, key, out _, out index, out _))
        {
            return true;
        }

        index = End;
        return bucket->Lock.IsStill(seq);
    }

    /// <summary>Walks a chain once. Without the bucket's lock, -1 may mean that the chain changed meanwhile.</summary>
    /// <returns>The element's number, or -1.</returns>
    internal int FindIn(HashBucket* bucket, ReadOnlySpan<byte> key) =>
        TryWalk(bucket, key, out _, out var index, out _) ? index : End;

    /// <summary>
    /// Writes the key and links the element as the first. The value must be written already. Needs the bucket's lock.
    /// </summary>
    internal void LinkLocked(HashBucket* bucket, int elem, ReadOnlySpan<byte> key)
    {
        key.CopyTo(KeyOf(elem));
        LinkFirst(bucket, elem, (int*)Pool.SlotOf(elem));
    }

    /// <summary>
    /// Writes the key and links the element in place of the key's old one, in that order: who searches meanwhile finds
    /// one of them. Needs the bucket's lock.
    /// </summary>
    internal void ReplaceLocked(HashBucket* bucket, int elem, ReadOnlySpan<byte> key)
    {
        TryWalk(bucket, key, out var link, out _, out var old);
        LinkLocked(bucket, elem, key);
        Unlink(link == (int*)bucket ? (int*)Pool.SlotOf(elem) : link, old);
    }

    /// <summary>
    /// Takes a key's element out of its chain; it keeps its link for readers that stand on it. Needs the bucket's lock.
    /// </summary>
    /// <returns>Its number, or -1.</returns>
    internal int UnlinkLocked(HashBucket* bucket, ReadOnlySpan<byte> key)
    {
        if (!TryWalk(bucket, key, out var link, out var index, out var elem))
        {
            return End;
        }

        Unlink(link, elem);
        return index;
    }

    /// <summary>
    /// Makes an element that nobody sees yet, key and value, the first of a chain. Needs the bucket's lock.
    /// </summary>
    /// <returns>Its own link.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static int* Insert<TElems, TKey, TValue>(
        TElems elems, HashBucket* bucket, int index, TKey key, TValue value)
        where TElems : struct, IElems
        where TKey : struct, IElemKey
        where TValue : struct, IElemValue
    {
        elems.TryAt(index, out var elem);
        key.WriteTo(elem);
        value.WriteTo(elem + elems.PrefixBytes);
        LinkFirst(bucket, index, (int*)elem);
        return (int*)elem;
    }

    /// <summary>The same in place of an element that a link leads to. Needs the bucket's lock.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Replace<TElems, TKey, TValue>(
        TElems elems, HashBucket* bucket, int* link, byte* old, int index, TKey key, TValue value)
        where TElems : struct, IElems
        where TKey : struct, IElemKey
        where TValue : struct, IElemValue
    {
        var first = Insert(elems, bucket, index, key, value);
        Unlink(link == (int*)bucket ? first : link, old);
    }

    /// <summary>Takes an element out of its chain. Needs the bucket's lock.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Unlink(int* link, byte* elem) => Volatile.Write(ref *link, *(int*)elem);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void LinkFirst(HashBucket* bucket, int index, int* elem)
    {
        Volatile.Write(ref *elem, bucket->Head);
        Volatile.Write(ref bucket->Head, index);
    }

    private bool TryWalk(HashBucket* bucket, ReadOnlySpan<byte> key, out int* link, out int index, out byte* elem)
    {
        var elems = new AnyElems(Pool);
        fixed (byte* at = key)
        {
            return KeySize switch
            {
                sizeof(uint) => TryWalk(elems, bucket, new Key4(*(uint*)at), out link, out index, out elem),
                sizeof(ulong) => TryWalk(elems, bucket, new Key8(*(ulong*)at), out link, out index, out elem),
                _ => TryWalk(elems, bucket, new KeyBytes(at, KeySize), out link, out index, out elem),
            };
        }
    }
}
