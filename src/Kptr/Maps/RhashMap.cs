using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary><c>BPF_MAP_TYPE_RHASH</c> (7.2): a hash whose buckets grow and shrink with its content.</summary>
/// <remarks>
/// Existing keys are written in place, so readers without <c>BPF_F_LOCK</c> may see a mix, as in arrays. Deleted
/// elements wait for an RCU grace period before they can be used again, and keep what the destroy policy leaves in
/// them: an insert must not zero it (5df46ddcb7b3, 2026). Those that no insert has taken by the end of a grace period
/// of sleepable readers as well are freed with what is in them (<see cref="ElemCache"/>). Unlike Linux, which resizes
/// in a work queue, the insert or delete that crosses a mark does.
/// </remarks>
public unsafe class RhashMap : HashMapBase
{
    private const int MinBits = 4;
    private const int MaxBits = 30;
    private readonly ElemCache _cache;
    private readonly RankedLock _resizeLock = new(LockRank.MapResize);

    // Kept as long as the map: somebody late may still look at one, and a size that was there once comes back.
    private readonly BucketArray?[] _bucketArrays = new BucketArray?[sizeof(uint) * 8 + 1];
    private int _count;

    /// <summary>Makes a resizable hash.</summary>
    /// <exception cref="MapCreateException">The kernel refuses the blueprint.</exception>
    public RhashMap(KernelCore core, MapSpec spec)
        : base(
            core,
            MapRules.Admit(core, spec, BpfMapType.Rhash),
            spec.MaxEntries,
            0,
            PoolKind.Chunked,
            Math.Max(1L << MinBits, (long)spec.MapExtra))
    {
        _cache = new(this, Pool);
        _bucketArrays[Table.Bits] = Table.Memory;
    }

    /// <inheritdoc/>
    public override int Count => Volatile.Read(ref _count);

    /// <summary>Number of buckets now.</summary>
    public long BucketCount => Table.BucketCount;

    /// <inheritdoc/>
    public override int BatchCursorSize => KeySize;

    /// <inheritdoc/>
    protected override MapBatchOps BatchOps => MapBatchOps.All;

    /// <inheritdoc/>
    public override MapCensus TakeCensus() => _cache.TakeCensus(Count);

    /// <inheritdoc/>
    protected override Errno UpdateValue(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        if ((flags & ~MapUpdateFlags.Lock) > MapUpdateFlags.Exist
            || ((flags & MapUpdateFlags.Lock) != 0 && Layout.LockOffset < 0))
        {
            return Errno.EINVAL;
        }

        var err = Upsert(key, value, flags, caller);
        if (err == Errno.None && Count > Table.BucketCount * 3 / 4)
        {
            Resize(Table.Bits + 1);
        }

        return err;
    }

    /// <inheritdoc/>
    private protected override void Retire(int elem, int cpu)
    {
        var left = Interlocked.Decrement(ref _count);
        _cache.ReturnAfterRcu(elem, cpu);
        if (Table.Bits > MinBits && left < Table.BucketCount * 3 / 10)
        {
            Resize(Table.Bits - 1);
        }
    }

    /// <inheritdoc/>
    private protected override Errno ReadBatch(
        ReadOnlySpan<byte> inBatch, Span<byte> outBatch, Span<byte> keys, Span<byte> values, int wanted, ref int count,
        MapUpdateFlags flags) =>
        Walk(inBatch, outBatch, keys, values, wanted, ref count, flags, take: false);

    /// <inheritdoc/>
    private protected override Errno TakeBatch(
        ReadOnlySpan<byte> inBatch, Span<byte> outBatch, Span<byte> keys, Span<byte> values, int wanted, ref int count,
        MapUpdateFlags flags) =>
        Walk(inBatch, outBatch, keys, values, wanted, ref count, flags, take: true);

    private Errno Upsert(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        var dying = new DyingValues(this, DeathPath.InPlaceUpdate);
        var elem = -1;
        try
        {
            while (true)
            {
                // Before the bucket is locked, as it may need memory.
                if (FindElem(key) < 0 && elem < 0
                    && TakeElem(flags, caller.Cpu, ref elem) is var err and not Errno.None)
                {
                    return err;
                }

                using var held = LockBucket(key);
                if (!held.IsTaken)
                {
                    return Errno.EBUSY;
                }

                var old = Table.FindIn(held.Bucket, key);
                if (old >= 0)
                {
                    return Overwrite(old, value, flags, ref dying);
                }

                if (Count >= MaxEntries)
                {
                    return Errno.E2BIG;
                }

                // Else somebody deleted the key meanwhile.
                if (elem >= 0)
                {
                    Layout.CopyIn(Pool.ValueOf(elem), value);
                    Table.LinkLocked(held.Bucket, elem, key);
                    Interlocked.Increment(ref _count);
                    elem = -1;
                    return Errno.None;
                }
            }
        }
        finally
        {
            if (elem >= 0)
            {
                _cache.PutBack(elem, caller.Cpu);
            }

            dying.Dispose();
        }
    }

    private Errno TakeElem(MapUpdateFlags flags, int cpu, ref int elem)
    {
        var err = CheckExistence(exists: false, flags);
        err = err != Errno.None ? err
            : Count >= MaxEntries ? Errno.E2BIG
            : Fails(FaultPoint.AllocElem) ? Errno.ENOMEM
            : Errno.None;
        if (err == Errno.None)
        {
            elem = _cache.Take(cpu);
        }

        return err;
    }

    private Errno Overwrite(int elem, ReadOnlySpan<byte> value, MapUpdateFlags flags, ref DyingValues dying)
    {
        var err = CheckExistence(exists: true, flags);
        if (err == Errno.None)
        {
            CopyIn(Pool.ValueOf(elem), value, flags & MapUpdateFlags.Lock);
            dying.RecycleAt(Pool.ValueOf(elem));
        }

        return err;
    }

    // All buckets of the old table are locked while their elements move over, and unlocked after the new one is in
    // place: whoever gets into one later sees that it is not the table any more, and goes to the new one.
    private void Resize(int bits)
    {
        using (_resizeLock.Enter())
        {
            var old = Table;
            if (bits is < MinBits or > MaxBits || Math.Abs(bits - old.Bits) != 1 || MakeTable(bits) is not { } table)
            {
                return;
            }

            LockOrder.Entering(LockRank.Bucket);
            for (var i = 0L; i < old.BucketCount; i++)
            {
                old.Buckets[i].Lock.EnterUnranked();
            }

            MoveAll(old, table);
            Table = table;
            for (var i = 0L; i < old.BucketCount; i++)
            {
                old.Buckets[i].Lock.ExitUnranked();
            }

            LockOrder.Left(LockRank.Bucket);
            GC.KeepAlive(this);
        }
    }

    // Null where there is no memory: then the map stays as it is, only slower, as in Linux.
    private HashTable? MakeTable(int bits)
    {
        try
        {
            Allocating();
            return new(Pool, KeySize, _bucketArrays[bits] ??= new(bits));
        }
        catch (OutOfMemoryException)
        {
            return null;
        }
    }

    private static void MoveAll(HashTable from, HashTable to)
    {
        for (var i = 0L; i < from.BucketCount; i++)
        {
            for (var elem = from.HeadOf(i); elem >= 0;)
            {
                var next = from.NextOf(elem);
                var key = to.KeyOf(elem);
                to.LinkLocked(to.BucketOf(key), elem, key);
                elem = next;
            }
        }
    }

    // The cursor is the key to begin with; when it is gone the caller has to start over.
    private Errno Walk(
        ReadOnlySpan<byte> inBatch,
        Span<byte> outBatch,
        Span<byte> keys,
        Span<byte> values,
        int wanted,
        ref int count,
        MapUpdateFlags flags,
        bool take)
    {
        var next = new byte[KeySize];
        var err = Errno.None;
        if (inBatch.IsEmpty)
        {
            err = NextKey([], next);
        }
        else
        {
            inBatch[..KeySize].CopyTo(next);
            err = FindElem(next) >= 0 ? Errno.None : Errno.EAGAIN;
        }

        var taken = new List<byte[]>();
        while (err == Errno.None && count < wanted)
        {
            var key = keys.Slice(count * KeySize, KeySize);
            next.CopyTo(key);
            if (UserRead(key, values.Slice(count * ValueSize, ValueSize), flags) == Errno.None)
            {
                taken.Add(key.ToArray());
                count++;
            }

            err = NextKey(key, next);
        }

        next.CopyTo(outBatch);
        foreach (var key in take ? taken : [])
        {
            DeleteValue(key, MapCall.User(Core.CurrentCpu));
        }

        return err;
    }
}
