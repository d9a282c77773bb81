using System.Numerics;
using System.Runtime.CompilerServices;

namespace Kptr.Maps;

/// <summary>Buckets of chained elements; an element is a slot of a <see cref="ValuePool"/>.</summary>
/// <remarks>
/// <code>
/// element:  0  next element of the chain, -1 at its end
///           4  key, when it has up to 4 bytes; else the key is at 8
///           …  value, 8-byte aligned
/// </code>
/// Elements are named by index: 8 bytes a bucket and 4 a link. Searches are lock-free; changing a chain needs its bucket's
/// lock. A new element is written whole before it is linked, at the head, and before the one it replaces is unlinked:
/// whoever searches meanwhile finds one of them.
/// </remarks>
internal sealed unsafe partial class HashTable
{
    internal const int End = -1;
    private const long ManyEntries = 1 << 16;
    private readonly NativeArray<HashBucket> _buckets;
    private readonly NativeArray<WriterBias> _bias = new(1);
    private readonly byte* _firstElem;
    private readonly ElemShape _shape;

    internal HashTable(ValuePool pool, int keySize, long maxEntries)
    {
        Pool = pool;
        KeySize = keySize;
        KeyOffset = KeyOffsetOf(keySize);
        _firstElem = pool.Base;
        _shape = new(keySize, pool.StrideBytes - pool.PrefixBytes, IsPlain: false);
        Bits = BitsFor(maxEntries);
        BucketCount = 1L << Bits;
        Mask = (uint)(BucketCount - 1);
        _buckets = new(BucketCount);
        Buckets = _buckets.Pointer;
        for (var i = 0L; i < BucketCount; i++)
        {
            Buckets[i].Head = End;
        }
    }

    internal ValuePool Pool { get; }

    internal int KeySize { get; }

    internal int KeyOffset { get; }

    internal int Bits { get; }

    internal long BucketCount { get; }

    internal uint Mask { get; }

    internal HashBucket* Buckets { get; }

    internal static int KeyOffsetOf(int keySize) => keySize <= 4 ? 4 : 8;

    /// <summary>Bytes in front of an element's value.</summary>
    internal static int PrefixBytesOf(int keySize) => ValueLayout.RoundUp8(KeyOffsetOf(keySize) + keySize);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal HashBucket* BucketOf(ReadOnlySpan<byte> key) => Buckets + (KeyHash.Of(key, Bits) & Mask);

    /// <summary>Enters a bucket as its one writer.</summary>
    /// <returns>What to hand to <see cref="HashBucket.Unlock"/>.</returns>
    internal uint Lock(HashBucket* bucket) => Lock(bucket, CallingThread.Id);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal uint Lock(HashBucket* bucket, int thread) => _bias.Pointer->Lock(bucket, thread);

    internal Span<byte> KeyOf(int elem) => new(Pool.SlotOf(elem) + KeyOffset, KeySize);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal HashBucket* BucketOf<TShape>(TShape shape, byte* key)
        where TShape : struct, IElemShape => Buckets + (shape.HashOf(key, Bits) & Mask);

    /// <summary>Finds a key without a lock.</summary>
    /// <returns>The element, which may be unlinked at any time; or -1.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal int Find(ReadOnlySpan<byte> key) => TryFind(key, out var elem) ? elem : FindSlow(key);

    /// <summary>Searches once without a lock.</summary>
    /// <returns>False when nothing was found but a writer was there: search again.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryFind(ReadOnlySpan<byte> key, out int elem)
    {
        fixed (byte* at = key)
        {
            var bucket = BucketOf(_shape, at);
            var seq = Volatile.Read(ref bucket->Seq);
            elem = FindIn(bucket, at);
            return elem >= 0 || bucket->IsStill(seq);
        }
    }

    /// <summary>Walks one chain once. Without the bucket's lock, -1 may mean that the chain changed meanwhile.</summary>
    internal int FindIn(HashBucket* bucket, ReadOnlySpan<byte> key)
    {
        fixed (byte* at = key)
        {
            return FindIn(bucket, at);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal int FindIn(HashBucket* bucket, byte* key)
    {
        var elem = Volatile.Read(ref bucket->Head);
        while ((uint)elem < (uint)Pool.SlotCount)
        {
            var at = Pool.SlotOf(elem);
            if (_shape.IsKey(at, key))
            {
                return elem;
            }

            elem = Volatile.Read(ref *(int*)at);
        }

        return End;
    }

    /// <summary>The element after this one in its chain; -1 at the end.</summary>
    internal int NextOf(int elem)
    {
        var next = Volatile.Read(ref *(int*)Pool.SlotOf(elem));
        return (uint)next < (uint)Pool.SlotCount ? next : End;
    }

    /// <summary>Writes the key and links the element as the first. The value must be written already. Needs the bucket's lock.</summary>
    internal void LinkLocked(HashBucket* bucket, int elem, ReadOnlySpan<byte> key)
    {
        key.CopyTo(KeyOf(elem));
        Volatile.Write(ref *(int*)Pool.SlotOf(elem), bucket->Head);
        Volatile.Write(ref bucket->Head, elem);
    }

    /// <summary>Takes an element out of its chain; it keeps its link for readers that stand on it. Needs the bucket's lock.</summary>
    /// <returns>False when it was not in this chain.</returns>
    internal bool UnlinkLocked(HashBucket* bucket, int elem)
    {
        var link = &bucket->Head;
        while (*link != elem)
        {
            if (*link < 0)
            {
                return false;
            }

            link = (int*)Pool.SlotOf(*link);
        }

        Volatile.Write(ref *link, *(int*)Pool.SlotOf(elem));
        return true;
    }

    // As many buckets as entries, rounded up to a power of two as in Linux. Where that would be over one and a half times as many
    // and memory matters, rounded down: chains of 1.3 elements then cost less than the cache lines of empty buckets.
    private static int BitsFor(long maxEntries)
    {
        var bits = Math.Max(0, 32 - BitOperations.LeadingZeroCount((uint)Math.Max(1, maxEntries) - 1));
        return maxEntries >= ManyEntries && (2L << bits) > 3 * maxEntries ? bits - 1 : bits;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private int FindSlow(ReadOnlySpan<byte> key)
    {
        var spin = default(SpinWait);
        int elem;
        while (!TryFind(key, out elem))
        {
            spin.SpinOnce(sleep1Threshold: -1);
        }

        return elem;
    }

    /// <summary>Length of a chain. Needs the bucket's lock to be exact.</summary>
    internal int CountIn(HashBucket* bucket)
    {
        var count = 0;
        for (var elem = Volatile.Read(ref bucket->Head); elem >= 0; elem = NextOf(elem))
        {
            count++;
        }

        return count;
    }

    /// <summary>The first element of a bucket; -1 when it is empty.</summary>
    internal int HeadOf(long bucket)
    {
        var head = Volatile.Read(ref Buckets[bucket].Head);
        return (uint)head < (uint)Pool.SlotCount ? head : End;
    }

    /// <summary>The first element at or after a bucket; -1 when there is none.</summary>
    internal int FirstFrom(long bucket)
    {
        for (; bucket < BucketCount; bucket++)
        {
            if (HeadOf(bucket) is var head and >= 0)
            {
                return head;
            }
        }

        return End;
    }
}
