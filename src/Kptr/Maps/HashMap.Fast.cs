using System.Runtime.CompilerServices;
using Kptr.Diagnostics;

namespace Kptr.Maps;

// How preallocated hashes without timers or work queues are written, from C# and from programs alike: the same steps as in
// HashMap.cs for every kind, with nothing asked that these cannot need.
public unsafe partial class HashMap
{
    private readonly bool _isFast;

    /// <summary>Whether <see cref="TryUpdateFast{TShape}"/> and <see cref="TryDeleteFast{TShape}"/> may be tried.</summary>
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
    /// <param name="shape">What elements look like.</param>
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
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private protected bool TryUpdateFast<TShape>(
        TShape shape, byte* key, byte* value, MapUpdateFlags flags, StockUse stock, bool isUncounted, out Errno err)
        where TShape : struct, IElemShape
    {
        var table = Table;
        var bucket = table.BucketOf(shape, key);
        var seq = table.Lock(bucket, stock.Thread);
        if (Faults.IsArmed || (isUncounted && IsWriteBlocked))
        {
            bucket->Unlock(seq);
            err = Errno.None;
            return false;
        }

        var link = table.FindLink(shape, bucket, key);
        var old = *link;
        err = flags == MapUpdateFlags.Any ? Errno.None : CheckExistence(old >= 0, flags);
        if (err == Errno.None && old >= 0)
        {
            if (!shape.IsPlain && Layout.OwnsAnything(table.At(shape, old) + shape.ValueOffset))
            {
                ReplaceOwner(bucket, seq, link, key, value, stock);
                return true;
            }

            table.Replace(shape, bucket, link, FreeList.TakeSpare(stock), key, value, Layout);
            FreeList.ReturnSpare(old, stock);
        }
        else if (err == Errno.None)
        {
            var elem = _free!.Pop(stock);
            err = elem < 0 ? Errno.E2BIG : Errno.None;
            if (elem >= 0)
            {
                table.Link(shape, bucket, elem, key, value, Layout);
            }
        }

        bucket->Unlock(seq);
        return true;
    }

    /// <summary>Deletes an element.</summary>
    /// <inheritdoc cref="TryUpdateFast{TShape}"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private protected bool TryDeleteFast<TShape>(TShape shape, byte* key, StockUse stock, bool isUncounted, out Errno err)
        where TShape : struct, IElemShape
    {
        var table = Table;
        var bucket = table.BucketOf(shape, key);
        var seq = table.Lock(bucket, stock.Thread);
        if (Faults.IsArmed || (isUncounted && IsWriteBlocked))
        {
            bucket->Unlock(seq);
            err = Errno.None;
            return false;
        }

        var link = table.FindLink(shape, bucket, key);
        var old = *link;
        if (old < 0)
        {
            bucket->Unlock(seq);
            err = Errno.ENOENT;
            return true;
        }

        var at = table.At(shape, old);
        Volatile.Write(ref *link, *(int*)at);
        bucket->Unlock(seq);
        err = Errno.None;
        if (!shape.IsPlain && Layout.OwnsAnything(at + shape.ValueOffset))
        {
            RetireOwner(old, stock);
            return true;
        }

        _free!.Push(old, stock);
        return true;
    }

    // Destructors run after the bucket's lock is left, in a reader as in Linux.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void ReplaceOwner(HashBucket* bucket, uint seq, int* link, byte* key, byte* value, StockUse stock)
    {
        using var reader = Core.Rcu.ReadLock();
        using var dying = new DyingFields(this, DeathPath.Replace);
        var old = *link;
        Table.Replace(_shape, bucket, link, FreeList.TakeSpare(stock), key, value, Layout);
        dying.RecycleAt(Pool.ValueOf(old));
        FreeList.ReturnSpare(old, stock);
        bucket->Unlock(seq);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void RetireOwner(int elem, StockUse stock)
    {
        using var reader = Core.Rcu.ReadLock();
        using var dying = new DyingFields(this, DeathPath.Delete);
        dying.Recycle(Pool, elem);
        _free!.Push(elem, stock);
    }
}
