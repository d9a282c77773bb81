using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary><c>BPF_MAP_TYPE_HASH</c>, preallocated or not.</summary>
/// <remarks>
/// An update of an existing key takes another element and swaps it in. Preallocated, that is the CPU's spare element,
/// and the old one becomes the spare: so the map owns one element more per CPU than it has room for, and each of them
/// may hold kptrs. With <c>BPF_F_NO_PREALLOC</c> elements come from an allocator's cache (<see cref="ElemCache"/>).
/// </remarks>
public unsafe partial class HashMap : HashMapBase
{
    private const int None = -1;
    private readonly ElemCache? _cache;
    private readonly FreeList? _free;
    private readonly ElemShape _shape;
    private int _cachedCount;

    /// <summary>Makes a hash.</summary>
    /// <exception cref="MapCreateException">The kernel refuses the blueprint.</exception>
    public HashMap(KernelCore core, MapSpec spec)
        : this(core, spec, BpfMapType.Hash)
    {
    }

    private protected HashMap(KernelCore core, MapSpec spec, BpfMapType type)
        : base(
            core,
            MapRules.Admit(core, spec, type),
            spec.MaxEntries,
            (spec.Flags & MapFlags.NoPrealloc) == 0 ? core.CpuCount : 0,
            (spec.Flags & MapFlags.NoPrealloc) == 0 ? PoolKind.FreeList : PoolKind.Chunked)
    {
        if (!IsPreallocated)
        {
            _cache = new(this, Pool);
            return;
        }

        _free = Pool.FreeSlots!;
        _free.SetSparesAside();
        _shape = new(KeySize, ValueSize, !Layout.HasSpecials);
        _isFast = !HoldsMaps && !Layout.HasAsync;
    }

    /// <inheritdoc/>
    /// <remarks>Preallocated, it is what is neither free nor spare: nothing is counted when elements come and go.</remarks>
    public override int Count => _cache is not null ? Volatile.Read(ref _cachedCount)
        : Math.Max(0, Pool.SlotCount - Core.CpuCount - _free!.Count);

    /// <inheritdoc/>
    public override MapCensus TakeCensus()
    {
        if (_cache is not null)
        {
            return _cache.TakeCensus(_cachedCount);
        }

        long free = 0, live = 0;
        _free!.Walk(_ => free++);
        for (var bucket = 0L; bucket < Table.BucketCount; bucket++)
        {
            live += Table.CountIn(Table.Buckets + bucket);
        }

        return new(Pool.SlotCount, live, free, _free.SpareCount);
    }

    /// <inheritdoc/>
    protected override ulong FindValue(ReadOnlySpan<byte> key, in MapCall caller)
    {
        var elem = Table.Find(key);
        return elem < 0 ? 0 : Pool.ValueOf(elem);
    }

    /// <inheritdoc/>
    protected override Errno UpdateValue(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        if (_isFast && flags <= MapUpdateFlags.Exist)
        {
            fixed (byte* keyAt = key, valueAt = value[..ValueSize])
            {
                if (TryUpdateFast(_shape, keyAt, valueAt, flags, _free!.StockOf(caller.Cpu), isUncounted: false, out var done))
                {
                    return done;
                }
            }
        }

        if ((flags & ~MapUpdateFlags.Lock) > MapUpdateFlags.Exist)
        {
            return Errno.EINVAL;
        }

        if ((flags & MapUpdateFlags.Lock) != 0 && UpdateLocked(key, value, flags, out var err))
        {
            return err;
        }

        var dying = new DyingFields(this, DeathPath.Replace);
        err = Upsert(key, value, flags, caller, ref dying);
        dying.Dispose();
        return err;
    }

    /// <inheritdoc/>
    protected override Errno DeleteValue(ReadOnlySpan<byte> key, in MapCall caller)
    {
        fixed (byte* at = key)
        {
            return _isFast && TryDeleteFast(_shape, at, _free!.StockOf(caller.Cpu), isUncounted: false, out var err) ? err : base.DeleteValue(key, caller);
        }
    }

    /// <inheritdoc/>
    private protected override void Retire(int elem, int cpu)
    {
        CountElem(-1);
        ReturnElem(elem, cpu);
    }

    // BPF_F_LOCK on an existing element writes in place and frees nothing, under either policy.
    private bool UpdateLocked(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, out Errno err)
    {
        if (Layout.LockOffset < 0)
        {
            err = Errno.EINVAL;
            return true;
        }

        var elem = Table.Find(key);
        err = CheckExistence(elem >= 0, flags);
        if (err == Errno.None && elem >= 0)
        {
            WriteInPlace(elem, value);
        }

        return err != Errno.None || elem >= 0;
    }

    private void WriteInPlace(int elem, ReadOnlySpan<byte> value)
    {
        using var dying = new DyingFields(this, DeathPath.LockedUpdate);
        CopyIn(Pool.ValueOf(elem), value, MapUpdateFlags.Lock);
        dying.RecycleAt(Pool.ValueOf(elem));
    }

    private Errno Upsert(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller, ref DyingFields dying)
    {
        if (!TryLock(key, out var bucket, out var seq))
        {
            return Errno.EBUSY;
        }

        var old = Table.FindIn(bucket, key);
        var err = CheckExistence(old >= 0, flags);
        if (err == Errno.None && old >= 0 && (flags & MapUpdateFlags.Lock) != 0)
        {
            // Somebody inserted it since the search without the lock.
            WriteInPlace(old, value);
        }
        else if (err == Errno.None)
        {
            err = Swap(bucket, old, key, value, caller, ref dying);
            if (err == Errno.None && old >= 0 && !IsPreallocated)
            {
                bucket->Unlock(seq);
                dying.RecycleAt(Pool.ValueOf(old));
                ReturnElem(old, caller.Cpu);
                return err;
            }
        }

        bucket->Unlock(seq);
        return err;
    }

    // Links a new element and unlinks the old one. A preallocated old element becomes the spare, emptied first.
    private Errno Swap(
        HashBucket* bucket, int old, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, in MapCall caller, ref DyingFields dying)
    {
        var elem = TakeElem(old, caller.Cpu, out var err);
        if (elem < 0)
        {
            return err;
        }

        FillElem(elem, value, caller);
        Table.LinkLocked(bucket, elem, key);
        if (old < 0)
        {
            CountElem(1);
            return Errno.None;
        }

        Table.UnlinkLocked(bucket, old);
        if (IsPreallocated)
        {
            dying.RecycleAt(Pool.ValueOf(old));
            FreeList.ReturnSpare(old, _free!.StockOf(caller.Cpu));
        }

        return Errno.None;
    }

    private void CountElem(int by)
    {
        if (_cache is not null)
        {
            Interlocked.Add(ref _cachedCount, by);
        }
    }

    private int TakeElem(int old, int cpu, out Errno err)
    {
        err = Errno.None;
        if (!IsPreallocated)
        {
            err = old < 0 && _cachedCount >= MaxEntries ? Errno.E2BIG : Errno.ENOMEM;
            return err == Errno.E2BIG || Faults.ShouldFail(MapFaultPoint.AllocElem) ? None : _cache!.Take(cpu);
        }

        if (old >= 0)
        {
            return FreeList.TakeSpare(_free!.StockOf(cpu));
        }

        err = Errno.E2BIG;
        return Faults.ShouldFail(MapFaultPoint.AllocElem) ? None : _free!.Pop(cpu);
    }

    private void ReturnElem(int elem, int cpu)
    {
        if (IsPreallocated)
        {
            _free!.Push(elem, cpu);
        }
        else
        {
            _cache!.Return(elem, cpu);
        }
    }
}
