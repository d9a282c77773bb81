namespace Kptr.Maps;

/// <summary>The memory of 2^<paramref name="bits"/> buckets.</summary>
/// <param name="bits">Bits of a hash that choose a bucket.</param>
internal sealed unsafe class BucketArray(int bits)
{
    private readonly NativeArray<HashBucket> _memory = new(1L << bits);

    internal int Bits => bits;

    internal HashBucket* Buckets => _memory.Pointer;

    /// <summary>
    /// All chains end at their heads. Locks stay as they are: somebody late may be in one, and changes no chain.
    /// </summary>
    internal void Empty()
    {
        for (var i = 0L; i < 1L << bits; i++)
        {
            Volatile.Write(ref Buckets[i].Head, HashTable.End);
        }
    }
}
