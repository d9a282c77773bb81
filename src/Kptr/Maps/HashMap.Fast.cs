using System.Runtime.CompilerServices;
using Kptr.Diagnostics;

namespace Kptr.Maps;

// How preallocated hashes without timers or work queues are written, from C# and from programs alike: the same steps as in
// HashMap.cs for every kind, with nothing asked that these cannot need. One atomic instruction each: the bucket's lock.
public unsafe partial class HashMap
{
    private readonly bool _isFast;

    /// <summary>Whether <see cref="TryUpdateFast(byte*, byte*, MapUpdateFlags, StockUse, bool, out Errno)"/> and its like may be tried.</summary>
    private protected bool IsFast => _isFast;

    /// <inheritdoc/>
    private protected override void OnWriteBlocked()
    {
        // Whoever writes without being counted has checked under a bucket's lock.
        for (var bucket = 0L; bucket < Table.BucketCount; bucket++)
        {
            Table.Buckets[bucket].Unlock(Table.Lock(Table.Buckets + bucket));
        }
    }

    /// <summary>Creates or replaces an element.</summary>
    /// <param name="key">The key.</param>
    /// <param name="value">The value; its special fields are not looked at.</param>
    /// <param name="flags">At most <see cref="MapUpdateFlags.Exist"/>.</param>
    /// <param name="stock">Whose spare and free elements to use.</param>
    /// <param name="isUncounted">
    /// The caller is user space and neither counted as a writer nor in a reader: it may not write to maps that are read-only,
    /// frozen or freed. Elements never go back to the system while the map is there, so it needs no reader.
    /// </param>
    /// <param name="err">The outcome.</param>
    /// <returns>False: nothing was done, and the slow way knows why.</returns>
    private protected bool TryUpdateFast(byte* key, byte* value, MapUpdateFlags flags, StockUse stock, bool isUncounted, out Errno err)
    {
        var table = Table;
        var bucket = table.BucketOf(key);
        var seq = table.Lock(bucket, stock.Thread);
        if (Faults.IsArmed || (isUncounted && IsWriteBlocked))
        {
            bucket->Unlock(seq);
            err = Errno.None;
            return false;
        }

        var link = table.FindLink(bucket, key);
        var old = *link;
        err = flags == MapUpdateFlags.Any ? Errno.None : CheckExistence(old >= 0, flags);
        if (err == Errno.None && old >= 0)
        {
            if (Layout.OwnsAnything(table.At(old) + table.ValueOffset))
            {
                ReplaceOwner(bucket, seq, link, key, value, stock);
                return true;
            }

            Replace(bucket, link, key, value, stock);
            Pool.Free!.ReturnSpare(old, stock);
        }
        else if (err == Errno.None)
        {
            err = Insert(bucket, key, value, stock);
        }

        bucket->Unlock(seq);
        return true;
    }

    /// <summary>Deletes an element.</summary>
    private protected bool TryDeleteFast(byte* key, StockUse stock, bool isUncounted, out Errno err)
    {
        var table = Table;
        var bucket = table.BucketOf(key);
        var seq = table.Lock(bucket, stock.Thread);
        if (Faults.IsArmed || (isUncounted && IsWriteBlocked))
        {
            bucket->Unlock(seq);
            err = Errno.None;
            return false;
        }

        var link = table.FindLink(bucket, key);
        var old = *link;
        if (old >= 0)
        {
            Volatile.Write(ref *link, *(int*)table.At(old));
        }

        bucket->Unlock(seq);
        err = old >= 0 ? Errno.None : Errno.ENOENT;
        if (old < 0)
        {
            return true;
        }

        if (Layout.OwnsAnything(table.At(old) + table.ValueOffset))
        {
            RetireOwner(old, stock);
            return true;
        }

        Pool.Free!.Push(old, stock);
        return true;
    }

    private bool TryUpdateFast(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, int cpu, out Errno err)
    {
        fixed (byte* keyAt = key, valueAt = value[..ValueSize])
        {
            return TryUpdateFast(keyAt, valueAt, flags, Pool.Free!.StockOf(cpu), isUncounted: false, out err);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Errno Insert(HashBucket* bucket, byte* key, byte* value, StockUse stock)
    {
        var elem = Pool.Free!.Pop(stock);
        if (elem < 0)
        {
            return Errno.E2BIG;
        }

        Link(bucket, elem, key, value);
        return Errno.None;
    }

    // Links the spare element in and unlinks the old one, in that order: who searches meanwhile finds one of them.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Replace(HashBucket* bucket, int* link, byte* key, byte* value, StockUse stock)
    {
        var at = Table.At(*link);
        var first = Link(bucket, Pool.Free!.TakeSpare(stock), key, value);
        Volatile.Write(ref link == &bucket->Head ? ref *first : ref *link, *(int*)at);
    }

    // Writes an element nobody sees yet and makes it the chain's first; gives back its own link.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int* Link(HashBucket* bucket, int elem, byte* key, byte* value)
    {
        var table = Table;
        var at = table.At(elem);
        Layout.CopyIn(at + table.ValueOffset, value);
        table.WriteKey(at, key);
        Volatile.Write(ref *(int*)at, bucket->Head);
        Volatile.Write(ref bucket->Head, elem);
        return (int*)at;
    }

    // Destructors run after the bucket's lock is left, in a reader as in Linux.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void ReplaceOwner(HashBucket* bucket, uint seq, int* link, byte* key, byte* value, StockUse stock)
    {
        using var reader = Core.Rcu.ReadLock();
        using var dying = new DyingFields(this, DeathPath.Replace);
        var old = *link;
        Replace(bucket, link, key, value, stock);
        dying.Recycle(Pool.ValueOf(old));
        Pool.Free!.ReturnSpare(old, stock);
        bucket->Unlock(seq);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void RetireOwner(int elem, StockUse stock)
    {
        using var reader = Core.Rcu.ReadLock();
        using var dying = new DyingFields(this, DeathPath.Delete);
        dying.Recycle(Pool, elem);
        Pool.Free!.Push(elem, stock);
    }
}
