using System.Numerics;

namespace Kptr.Maps;

/// <summary>Buckets of chained elements; an element is a slot of a <see cref="ValuePool"/>.</summary>
/// <remarks>
/// <code>
/// element:  0  next element of the chain, -1 at its end
///           4  key, when it has up to 4 bytes; else the key is at 8
///           …  value, 8-byte aligned
/// </code>
/// Elements are named by index: 8 bytes a bucket and 4 a link. Searches are lock-free; changing a chain needs its
/// bucket's lock. A new element is written whole before it is linked, at the head, and before the one it replaces
/// is unlinked: whoever searches meanwhile finds one of them. Whoever works with pointers into a table keeps its
/// map alive until he is done.
/// </remarks>
internal sealed unsafe partial class HashTable
{
    internal const int End = -1;
    private const long ManyEntries = 1 << 16;

    /// <summary>Makes a table with buckets of its own.</summary>
    internal HashTable(ValuePool pool, int keySize, long maxEntries)
        : this(pool, keySize, new BucketArray(BitsFor(maxEntries)))
    {
    }

    /// <summary>Makes a table of buckets that no live table uses.</summary>
    internal HashTable(ValuePool pool, int keySize, BucketArray memory)
    {
        Pool = pool;
        KeySize = keySize;
        KeyOffset = KeyOffsetOf(keySize);
        FirstElem = pool.Base;
        StrideBytes = pool.StrideBytes;
        PrefixBytes = pool.PrefixBytes;
        SlotsInBlock = pool.Base == null ? 0 : (uint)pool.SlotCount;
        Memory = memory;
        Bits = memory.Bits;
        BucketCount = 1L << Bits;
        Mask = (uint)(BucketCount - 1);
        Buckets = memory.Buckets;
        memory.Empty();
    }

    internal ValuePool Pool { get; }

    internal BucketArray Memory { get; }

    internal int KeySize { get; }

    internal int KeyOffset { get; }

    internal int Bits { get; }

    internal long BucketCount { get; }

    internal uint Mask { get; }

    internal HashBucket* Buckets { get; }

    /// <summary>The first element, where all lie in one block; else null.</summary>
    internal byte* FirstElem { get; }

    /// <summary>Elements in the one block; 0 where they are not in one.</summary>
    internal uint SlotsInBlock { get; }

    internal nint StrideBytes { get; }

    /// <summary>Bytes in front of an element's value.</summary>
    internal nint PrefixBytes { get; }

    internal static int KeyOffsetOf(int keySize) => keySize <= 4 ? 4 : 8;

    /// <summary>Bytes in front of an element's value.</summary>
    internal static int PrefixBytesOf(int keySize) => ValueLayout.RoundUp8(KeyOffsetOf(keySize) + keySize);

    /// <summary>The key of an element.</summary>
    internal Span<byte> KeyOf(int elem) => new(Pool.SlotOf(elem) + KeyOffset, KeySize);

    /// <summary>The element after this one in its chain; -1 at the end.</summary>
    internal int NextOf(int elem)
    {
        var next = Volatile.Read(ref *(int*)Pool.SlotOf(elem));
        return (uint)next < (uint)Pool.SlotCount ? next : End;
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

    // As many buckets as entries, rounded up to a power of two as in Linux. Where that would be over one and a
    // half times as many and memory matters, rounded down: chains of 1.3 elements then cost less than the
    // cache lines of empty buckets.
    private static int BitsFor(long maxEntries)
    {
        var bits = Math.Max(0, 32 - BitOperations.LeadingZeroCount((uint)Math.Max(1, maxEntries) - 1));
        return maxEntries >= ManyEntries && (2L << bits) > 3 * maxEntries ? bits - 1 : bits;
    }
}
