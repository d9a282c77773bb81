using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary><c>BPF_MAP_TYPE_RHASH</c> (7.2): a hash whose buckets grow and shrink with its content.</summary>
/// <remarks>
/// Existing keys are written in place, so readers without <c>BPF_F_LOCK</c> may see a mix, as in arrays. Deleted elements
/// wait for an RCU grace period before they are used again, and keep what the destroy policy leaves in them: an insert must
/// not zero it (5df46ddcb7b3, 2026). Unlike Linux, which resizes in a work queue, the insert or delete that crosses a mark does.
/// </remarks>
public unsafe class RhashMap : HashMapBase
{
    private const int MinBits = 4;
    private readonly ElemCache _cache;
    private readonly RankedLock _resizeLock = new(LockRank.MapResize);
    private int _count;

    /// <summary>Makes a resizable hash.</summary>
    /// <exception cref="MapCreateException">The kernel refuses the blueprint.</exception>
    public RhashMap(KernelCore core, MapSpec spec)
        : base(core, MapRules.Admit(core, spec, BpfMapType.Rhash), spec.MaxEntries, 0, PoolKind.Chunked)
    {
        _cache = new(this, Pool);
        Table = new(Pool, spec.KeySize, Math.Max(1L << MinBits, (long)spec.MapExtra));
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
    protected override Errno UpdateValue(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        if ((flags & ~MapUpdateFlags.Lock) > MapUpdateFlags.Exist || ((flags & MapUpdateFlags.Lock) != 0 && Layout.LockOffset < 0))
        {
            return Errno.EINVAL;
        }

        var dying = new DyingFields(this, DeathPath.InPlaceUpdate);
        var err = Upsert(key, value, flags, caller, ref dying);
        dying.Dispose();
        if (err == Errno.None && Count > Table.BucketCount * 3 / 4)
        {
            Resize(Table.Bits + 1);
        }

        return err;
    }

    /// <inheritdoc/>
    private protected override int FindElem(ReadOnlySpan<byte> key)
    {
        var spin = default(SpinWait);
        while (true)
        {
            // The table is read anew each time: a resize keeps the old one locked until the new one is there.
            if (Table.TryFind(key, out var elem))
            {
                return elem;
            }

            spin.SpinOnce(sleep1Threshold: -1);
        }
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
        ReadOnlySpan<byte> inBatch, Span<byte> outBatch, Span<byte> keys, Span<byte> values, int wanted, ref int count, MapUpdateFlags flags) =>
        Walk(inBatch, outBatch, keys, values, wanted, ref count, flags, take: false);

    /// <inheritdoc/>
    private protected override Errno TakeBatch(
        ReadOnlySpan<byte> inBatch, Span<byte> outBatch, Span<byte> keys, Span<byte> values, int wanted, ref int count, MapUpdateFlags flags) =>
        Walk(inBatch, outBatch, keys, values, wanted, ref count, flags, take: true);

    private Errno Upsert(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller, ref DyingFields dying)
    {
        if (!TryLock(key, out var bucket, out var seq))
        {
            return Errno.EBUSY;
        }

        var elem = Table.FindIn(bucket, key);
        var err = CheckExistence(elem >= 0, flags);
        if (err == Errno.None && elem >= 0)
        {
            CopyIn(Pool.ValueOf(elem), value, flags & MapUpdateFlags.Lock);
            dying.RecycleAt(Pool.ValueOf(elem));
        }
        else if (err == Errno.None)
        {
            err = Count >= MaxEntries ? Errno.E2BIG : Faults.ShouldFail(MapFaultPoint.AllocElem) ? Errno.ENOMEM : Errno.None;
            if (err == Errno.None)
            {
                elem = _cache.Take(caller.Cpu);
                Layout.CopyIn(Pool.ValueOf(elem), value);
                Table.LinkLocked(bucket, elem, key);
                Interlocked.Increment(ref _count);
            }
        }

        bucket->Unlock(seq);
        return err;
    }

    // All buckets of the old table are locked while their elements move over, and unlocked after the new one is in place:
    // whoever found nothing in the old table sees its sequence changed and looks again, in the new one.
    private void Resize(int bits)
    {
        using (_resizeLock.Enter())
        {
            var old = Table;
            if (bits < MinBits || bits == old.Bits || Math.Abs(bits - old.Bits) > 1 || bits > 30)
            {
                return;
            }

            var table = new HashTable(Pool, KeySize, 1L << bits);
            var seqs = new uint[old.BucketCount];
            for (var i = 0L; i < old.BucketCount; i++)
            {
                seqs[i] = old.Lock(old.Buckets + i);
            }

            for (var i = 0L; i < old.BucketCount; i++)
            {
                for (var elem = old.HeadOf(i); elem >= 0;)
                {
                    var next = old.NextOf(elem);
                    var key = table.KeyOf(elem);
                    table.LinkLocked(table.BucketOf(key), elem, key);
                    elem = next;
                }
            }

            Table = table;
            for (var i = 0L; i < old.BucketCount; i++)
            {
                old.Buckets[i].Unlock(seqs[i]);
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
