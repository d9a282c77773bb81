using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary><c>BPF_MAP_TYPE_LRU_HASH</c> and <c>LRU_PERCPU_HASH</c>: never full; an insert pushes out what was not used lately.</summary>
/// <remarks>
/// A push-out ends somebody else's value, which Linux does under that key's bucket lock. Elements are always preallocated and
/// reused as they are: what a late writer put into one is there for the next key (275c30bcee66, 2022).
/// </remarks>
public unsafe class LruHashMap : HashMapBase
{
    private readonly LruLists _lists;
    private int _count;

    /// <summary>Makes an LRU hash.</summary>
    /// <exception cref="MapCreateException">The kernel refuses the blueprint.</exception>
    public LruHashMap(KernelCore core, MapSpec spec)
        : base(core, MapRules.Admit(core, spec, BpfMapType.LruHash, BpfMapType.LruPercpuHash), Capacity(core, spec), 0, PoolKind.AllLive)
    {
        _lists = new((int)MaxEntries, core.CpuCount, HasListPerCpu(spec), TryEvict);
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

        return Pool.ValueOf(elem, IsPerCpu ? caller.Cpu : 0);
    }

    /// <inheritdoc/>
    protected override Errno UpdateValue(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        if (flags > MapUpdateFlags.Exist)
        {
            return Errno.EINVAL;
        }

        var evicted = new DyingFields(this, DeathPath.Evict);
        var elem = -1;
        if (!IsPerCpu || flags != MapUpdateFlags.Exist)
        {
            elem = Faults.ShouldFail(MapFaultPoint.AllocElem) ? -1 : _lists.Take(caller.Cpu, ref evicted);
            if (elem < 0)
            {
                evicted.Dispose();
                return Errno.ENOMEM;
            }
        }

        var err = IsPerCpu ? UpdatePercpu(elem, key, value, flags, caller) : Insert(elem, key, value, flags);
        evicted.Dispose();
        return err;
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

    private Errno Insert(int elem, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags)
    {
        using var replaced = new DyingFields(this, DeathPath.Replace);
        Layout.CopyIn(Pool.ValueOf(elem), value);
        if (!TryLock(key, out var bucket, out var seq))
        {
            Abandon(elem);
            return Errno.EBUSY;
        }

        var old = Table.FindIn(bucket, key);
        var err = CheckExistence(old >= 0, flags);
        if (err == Errno.None)
        {
            Table.LinkLocked(bucket, elem, key);
            Interlocked.Increment(ref _count);
            if (old >= 0)
            {
                _lists.Mark(elem);
                Table.UnlinkLocked(bucket, old);
            }
        }

        bucket->Unlock(seq);
        if (err != Errno.None)
        {
            Abandon(elem);
        }
        else if (old >= 0)
        {
            replaced.Recycle(Pool, old);
            Retire(old, 0);
        }

        return err;
    }

    private Errno UpdatePercpu(int elem, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        var written = new DyingFields(this, DeathPath.InPlaceUpdate);
        var err = Errno.EBUSY;
        if (TryLock(key, out var bucket, out var seq))
        {
            var old = Table.FindIn(bucket, key);
            err = CheckExistence(old >= 0, flags);
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

            bucket->Unlock(seq);
        }

        if (elem >= 0)
        {
            _lists.Return(elem);
        }

        written.Dispose();
        return err;
    }

    // An element that was taken and not used goes back, emptied: a lost one would shrink the map for ever (b34ffb0c6d23, 2023).
    private void Abandon(int elem)
    {
        using var dying = new DyingFields(this, DeathPath.FailedInsert);
        dying.Recycle(Pool, elem);
        _lists.Return(elem);
    }

    // Called under the lists' lock.
    private bool TryEvict(int elem, ref DyingFields dying)
    {
        var bucket = Table.BucketOf(Table.KeyOf(elem));
        if (Faults.ShouldFail(MapFaultPoint.LockBucket))
        {
            return false;
        }

        var seq = Table.Lock(bucket);
        var found = Table.UnlinkLocked(bucket, elem);
        if (found)
        {
            dying.Recycle(Pool, elem);
            Interlocked.Decrement(ref _count);
        }

        bucket->Unlock(seq);
        return found;
    }
}
