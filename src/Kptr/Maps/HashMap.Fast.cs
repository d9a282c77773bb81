using System.Runtime.CompilerServices;
using Kptr.Diagnostics;

namespace Kptr.Maps;

// How preallocated hashes without timers or work queues are written, from C# and from programs alike: the same steps as
// in HashMap.cs for every kind, with nothing asked that these cannot need.
public unsafe partial class HashMap
{
    private readonly bool _isFast;
    private readonly bool _canOwn;

    /// <summary>Whether <c>TryUpdateFast</c> and <c>TryDeleteFast</c> may be tried.</summary>
    private protected bool IsFast => _isFast;

    /// <inheritdoc/>
    private protected override void OnWriteBlocked()
    {
        // Whoever writes without being counted has checked under a bucket's lock.
        for (var bucket = 0L; bucket < Table.BucketCount; bucket++)
        {
            new BucketLock(Table.Buckets + bucket).Dispose();
        }
    }

    /// <summary>
    /// Creates or replaces an element that owns nothing. Between lock and unlock nothing is done that can throw.
    /// </summary>
    /// <param name="elems">Where the elements lie.</param>
    /// <param name="key">The key.</param>
    /// <param name="value">The value.</param>
    /// <param name="flags">At most <see cref="MapUpdateFlags.Exist"/>.</param>
    /// <param name="stock">Whose extra and free elements to use.</param>
    /// <param name="isUncounted">
    /// The caller is user space and neither counted as a writer nor in a reader: it may not write to maps that are
    /// read-only, frozen or freed. Elements never go back to the system while the map is there, so it needs no reader.
    /// </param>
    /// <param name="err">The outcome.</param>
    /// <returns>False: nothing was done, and the slow way knows why.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private protected bool TryUpdateFast<TElems, TKey, TValue>(
        TElems elems, TKey key, TValue value, MapUpdateFlags flags, PcpuFreelistHead* stock,
        bool isUncounted, out Errno err)
        where TElems : struct, IElems
        where TKey : struct, IElemKey
        where TValue : struct, IElemValue
    {
        var bucket = Table.BucketOf(key);
        bucket->Lock.Enter(LockRank.Bucket);
        var exists = HashTable.TryWalk(elems, bucket, key, out var link, out var oldIndex, out var old);
        var isDone = !IsHindered(isUncounted)
            && (!exists || !_canOwn || !Layout.OwnsAnything(old + elems.PrefixBytes));
        err = isDone && flags != MapUpdateFlags.Any ? CheckExistence(exists, flags) : Errno.None;
        if (isDone && err == Errno.None)
        {
            if (exists)
            {
                HashTable.Replace(elems, bucket, link, old, stock->TakeExtraElem(), key, value);
                stock->ReturnExtraElem(oldIndex);
            }
            else if (Pool.FreeSlots!.Pop(stock) is var elem and >= 0)
            {
                HashTable.Insert(elems, bucket, elem, key, value);
            }
            else
            {
                err = Errno.E2BIG;
            }
        }

        bucket->Lock.Exit(LockRank.Bucket);
        GC.KeepAlive(this);
        return isDone;
    }

    /// <summary>Deletes an element that owns nothing. Between lock and unlock nothing is done that can throw.</summary>
    /// <inheritdoc cref="TryUpdateFast"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private protected bool TryDeleteFast<TElems, TKey>(
        TElems elems, TKey key, PcpuFreelistHead* stock, bool isUncounted, out Errno err)
        where TElems : struct, IElems
        where TKey : struct, IElemKey
    {
        var bucket = Table.BucketOf(key);
        bucket->Lock.Enter(LockRank.Bucket);
        var exists = HashTable.TryWalk(elems, bucket, key, out var link, out var oldIndex, out var old);
        var isDone = !IsHindered(isUncounted)
            && (!exists || !_canOwn || !Layout.OwnsAnything(old + elems.PrefixBytes));
        if (isDone && exists)
        {
            HashTable.Unlink(link, old);
        }

        bucket->Lock.Exit(LockRank.Bucket);
        err = exists ? Errno.None : Errno.ENOENT;
        if (isDone && exists)
        {
            Pool.FreeSlots!.Push(oldIndex, stock);
        }

        GC.KeepAlive(this);
        return isDone;
    }

    // A machine code for each kind of key. The caller is counted and in a reader.
    private bool TryUpdateFast(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, int cpu, out Errno err)
    {
        fixed (byte* keyAt = key, valueAt = value)
        {
            return KeySize switch
            {
                sizeof(uint) => TryUpdateBytes(new Key4(*(uint*)keyAt), valueAt, flags, cpu, out err),
                sizeof(ulong) => TryUpdateBytes(new Key8(*(ulong*)keyAt), valueAt, flags, cpu, out err),
                _ => TryUpdateBytes(new KeyBytes(keyAt, KeySize), valueAt, flags, cpu, out err),
            };
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryUpdateBytes<TKey>(TKey key, byte* value, MapUpdateFlags flags, int cpu, out Errno err)
        where TKey : struct, IElemKey => TryUpdateFast(
        new BlockElems(Table), key, new LaidOutValue(value, Layout), flags, _free!.Stock(cpu),
        isUncounted: false, out err);

    private bool TryDeleteFast(ReadOnlySpan<byte> key, int cpu, out Errno err)
    {
        fixed (byte* at = key)
        {
            return KeySize switch
            {
                sizeof(uint) => TryDeleteBytes(new Key4(*(uint*)at), cpu, out err),
                sizeof(ulong) => TryDeleteBytes(new Key8(*(ulong*)at), cpu, out err),
                _ => TryDeleteBytes(new KeyBytes(at, KeySize), cpu, out err),
            };
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryDeleteBytes<TKey>(TKey key, int cpu, out Errno err)
        where TKey : struct, IElemKey =>
        TryDeleteFast(new BlockElems(Table), key, _free!.Stock(cpu), isUncounted: false, out err);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool IsHindered(bool isUncounted) => FaultPlan is { IsArmed: true } || (isUncounted && IsWriteBlocked);
}
