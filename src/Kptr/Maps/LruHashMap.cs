using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary>
/// <c>BPF_MAP_TYPE_LRU_HASH</c> and <c>LRU_PERCPU_HASH</c>: never full; an insert pushes out what was not used lately.
/// </summary>
/// <remarks>
/// A push-out ends somebody else's value, which Linux does under that key's bucket lock. Elements are always
/// preallocated and reused as they are: what a late writer put into one is there for the next key (275c30bcee66, 2022).
/// </remarks>
public unsafe class LruHashMap : HashMapBase
{
    private readonly LruLists _lists;
    private int _count;

    /// <summary>Makes an LRU hash.</summary>
    /// <exception cref="MapCreateException">The kernel refuses the blueprint.</exception>
    public LruHashMap(KernelCore core, MapSpec spec)
        : base(core, MapRules.Admit(core, spec, BpfMapType.LruHash, BpfMapType.LruPercpuHash), Capacity(core, spec),
            0, PoolKind.AllLive)
    {
        _lists = new(
            (int)MaxEntries, core.CpuCount, HasListPerCpu(spec), core.Spec.Profile.LruBatchesKeepOrder, TryEvict);
    }

    /// <inheritdoc/>
    public override int Count => Volatile.Read(ref _count);

    /// <inheritdoc/>
    public override MapCensus TakeCensus() => new(Pool.SlotCount, Count, _lists.FreeCount);

    /// <inheritdoc/>
    protected override ulong FindValue(ReadOnlySpan<byte> key, in MapCall caller)
    {
        var elem = FindElem(key);
        if (elem < 0)
        {
            return 0;
        }

        if (!caller.IsUserSpace)
        {
            _lists.Mark(elem);
        }

        return Pool.ValueOf(elem, IsPerCpu ? caller.ValueCpu : 0);
    }

    /// <inheritdoc/>
    protected override Errno UpdateValue(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        if (flags > MapUpdateFlags.Exist)
        {
            return Errno.EINVAL;
        }

        var evicted = new DyingValues(this, DeathPath.Evict);
        try
        {
            return Update(key, value, flags, caller, ref evicted);
        }
        finally
        {
            evicted.Dispose();
        }
    }

    /// <inheritdoc/>
    private protected override void Retire(int elem, int cpu)
    {
        Interlocked.Decrement(ref _count);
        _lists.Return(elem);
    }

    private static bool HasListPerCpu(MapSpec spec) => (spec.Flags & MapFlags.NoCommonLru) != 0;

    // A list per CPU needs the same number of elements on each.
    private static uint Capacity(KernelCore core, MapSpec spec)
    {
        var cpus = (uint)core.CpuCount;
        return HasListPerCpu(spec) ? (spec.MaxEntries + cpus - 1) / cpus * cpus : spec.MaxEntries;
    }

    private Errno Update(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller,
        ref DyingValues evicted)
    {
        var elem = -1;
        if (!IsPerCpu || flags != MapUpdateFlags.Exist)
        {
            evicted.Reserve(_lists.EvictedMax);
            elem = Fails(FaultPoint.AllocElem) ? -1 : _lists.Take(caller.Cpu, ref evicted);
            if (elem < 0)
            {
                return Errno.ENOMEM;
            }
        }

        try
        {
            return IsPerCpu ? UpdatePercpu(ref elem, key, value, flags, caller) : Insert(ref elem, key, value, flags);
        }
        finally
        {
            if (elem >= 0)
            {
                Abandon(elem);
            }
        }
    }

    // Sets elem to -1 when it is the map's.
    private Errno Insert(ref int elem, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags)
    {
        using var replaced = new DyingValues(this, DeathPath.Replace);
        Layout.CopyIn(Pool.ValueOf(elem), value);
        int old;
        using (var held = LockBucket(key))
        {
            if (!held.IsTaken)
            {
                return Errno.EBUSY;
            }

            old = Table.FindIn(held.Bucket, key);
            if (CheckExistence(old >= 0, flags) is var bad and not Errno.None)
            {
                return bad;
            }

            if (old < 0)
            {
                Table.LinkLocked(held.Bucket, elem, key);
            }
            else
            {
                _lists.Mark(elem);
                Table.ReplaceLocked(held.Bucket, elem, key);
            }

            Interlocked.Increment(ref _count);
            elem = -1;
        }

        if (old >= 0)
        {
            replaced.Recycle(Pool, old);
            Retire(old, 0);
        }

        return Errno.None;
    }

    private Errno UpdatePercpu(
        ref int elem, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        var written = new DyingValues(this, DeathPath.InPlaceUpdate);
        try
        {
            using var held = LockBucket(key);
            return held.IsTaken
                ? UpdatePercpuLocked(held.Bucket, ref elem, key, value, flags, caller, ref written)
                : Errno.EBUSY;
        }
        finally
        {
            written.Dispose();
        }
    }

    private Errno UpdatePercpuLocked(
        HashBucket* bucket,
        ref int elem,
        ReadOnlySpan<byte> key,
        ReadOnlySpan<byte> value,
        MapUpdateFlags flags,
        in MapCall caller,
        ref DyingValues written)
    {
        var old = Table.FindIn(bucket, key);
        var err = CheckExistence(old >= 0, flags);
        if (err == Errno.None && old >= 0)
        {
            _lists.Mark(old);
            WriteValue(Pool, old, value, MapUpdateFlags.Any, caller, ref written);
        }
        else if (err == Errno.None)
        {
            FillElem(elem, value, caller);
            RecycleFilled(elem, caller, ref written);
            Table.LinkLocked(bucket, elem, key);
            Interlocked.Increment(ref _count);
            elem = -1;
        }

        return err;
    }

    // An element that was taken and not used goes back: a lost one would shrink the map for ever (b34ffb0c6d23, 2023).
    // Of a map without a value per CPU it was filled before, and is emptied.
    private void Abandon(int elem)
    {
        using var dying = DyingValues.Unlocked(this, DeathPath.FailedInsert);
        if (!IsPerCpu)
        {
            dying.Recycle(Pool, elem);
        }

        _lists.Return(elem);
    }

    // Called under the lists' lock, with room in dying.
    private bool TryEvict(int elem, ref DyingValues dying)
    {
        if (Fails(FaultPoint.LockBucket))
        {
            return false;
        }

        var key = Table.KeyOf(elem);
        using var held = new BucketLock(Table.BucketOf(key));
        if (Table.FindIn(held.Bucket, key) != elem)
        {
            return false;
        }

        Table.UnlinkLocked(held.Bucket, key);
        Interlocked.Decrement(ref _count);
        dying.Recycle(Pool, elem);
        return true;
    }
}
