using System.Buffers.Binary;
using Kptr.Diagnostics;

namespace Kptr.Maps;

// Batches go bucket by bucket: a bucket comes whole or not at all, and the cursor is the number of the next one.
// Kernel: __htab_map_lookup_and_delete_batch (kernel/bpf/hashtab.c, 6.12).
public abstract unsafe partial class HashMapBase
{
    /// <inheritdoc/>
    public override int BatchCursorSize => sizeof(uint);

    /// <inheritdoc/>
    private protected override Errno ReadBatch(
        ReadOnlySpan<byte> inBatch, Span<byte> outBatch, Span<byte> keys, Span<byte> values, int wanted, ref int count,
        MapUpdateFlags flags) =>
        WalkBuckets(inBatch, outBatch, keys, values, wanted, ref count, flags, take: false);

    /// <inheritdoc/>
    private protected override Errno TakeBatch(
        ReadOnlySpan<byte> inBatch, Span<byte> outBatch, Span<byte> keys, Span<byte> values, int wanted, ref int count,
        MapUpdateFlags flags) =>
        WalkBuckets(inBatch, outBatch, keys, values, wanted, ref count, flags, take: true);

    private Errno WalkBuckets(
        ReadOnlySpan<byte> inBatch,
        Span<byte> outBatch,
        Span<byte> keys,
        Span<byte> values,
        int wanted,
        ref int count,
        MapUpdateFlags flags,
        bool take)
    {
        var table = Table;
        long batch = inBatch.IsEmpty ? 0 : BinaryPrimitives.ReadUInt32LittleEndian(inBatch);
        if (batch >= table.BucketCount)
        {
            return Errno.ENOENT;
        }

        var err = Errno.ENOENT;
        for (; batch < table.BucketCount; batch++)
        {
            // The reader is left between buckets, so that no batch holds up a grace period (85136bf22404, 2026).
            using var reader = Core.Rcu.ReadLock();
            if (table.HeadOf(batch) >= 0
                && !CopyBucket(table.Buckets + batch, keys, values, wanted, ref count, flags, take))
            {
                err = count == 0 ? Errno.ENOSPC : Errno.None;
                break;
            }
        }

        BinaryPrimitives.WriteUInt32LittleEndian(outBatch, (uint)batch);
        return err;
    }

    // False when the bucket does not fit any more.
    private bool CopyBucket(
        HashBucket* bucket, Span<byte> keys, Span<byte> values, int wanted, ref int count,
        MapUpdateFlags flags, bool take)
    {
        var dying = new DyingValues(this, DeathPath.BatchDelete);
        try
        {
            int first;
            while (true)
            {
                var lengthMax = Math.Min(wanted - count, take ? dying.SlotsLeft : int.MaxValue);
                if (TryCopyChain(bucket, keys, values, ref count, flags, take, lengthMax, out first, out var length))
                {
                    break;
                }

                if (length > wanted - count)
                {
                    return false;
                }

                dying.Reserve(length);
            }

            RetireChain(take ? first : HashTable.End, ref dying);
            return true;
        }
        finally
        {
            dying.Dispose();
        }
    }

    // False: the chain is longer than that, and nothing was done.
    private bool TryCopyChain(
        HashBucket* bucket,
        Span<byte> keys,
        Span<byte> values,
        ref int count,
        MapUpdateFlags flags,
        bool take,
        int lengthMax,
        out int first,
        out int length)
    {
        var size = UserBytesOf(flags);
        using var held = new BucketLock(bucket);
        first = bucket->Head;
        length = Table.CountIn(bucket);
        if (length > lengthMax)
        {
            return false;
        }

        for (var elem = first; elem >= 0; elem = Table.NextOf(elem), count++)
        {
            Table.KeyOf(elem).CopyTo(keys[(count * KeySize)..]);
            CopyForBatch(elem, values.Slice(count * size, size), flags);
        }

        if (take)
        {
            Volatile.Write(ref bucket->Head, HashTable.End);
        }

        return true;
    }

    private void RetireChain(int elem, ref DyingValues dying)
    {
        while (elem >= 0)
        {
            var next = Table.NextOf(elem);
            dying.Recycle(Pool, elem);
            Retire(elem, Core.CurrentCpu);
            elem = next;
        }
    }

    /// <summary>A value as batches show it.</summary>
    private protected virtual void CopyForBatch(int elem, Span<byte> value, MapUpdateFlags flags) =>
        ReadValue(value, Pool, elem, flags, UserCall(flags));
}
