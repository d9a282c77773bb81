using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary><c>BPF_MAP_TYPE_PERCPU_HASH</c>: each key has one value per CPU.</summary>
/// <remarks>
/// Existing keys are written in place, a program its own CPU's value, user space all of them; what the written values'
/// special fields held ends there and then. Linux forgot that until 2025 (6af6e49a76c9, CVE-2025-68744).
/// </remarks>
public unsafe class PercpuHashMap : HashMapBase
{
    private readonly ElemCache? _cache;
    private int _count;

    /// <summary>Makes a per-CPU hash.</summary>
    /// <exception cref="MapCreateException">The kernel refuses the blueprint.</exception>
    public PercpuHashMap(KernelCore core, MapSpec spec)
        : base(
            core,
            MapRules.Admit(core, spec, BpfMapType.PercpuHash),
            spec.MaxEntries,
            0,
            (spec.Flags & MapFlags.NoPrealloc) == 0 ? PoolKind.FreeList : PoolKind.Chunked)
    {
        _cache = IsPreallocated ? null : new(this, Pool);
    }

    /// <inheritdoc/>
    public override int Count => Volatile.Read(ref _count);

    /// <inheritdoc/>
    public override MapCensus TakeCensus()
    {
        if (_cache is not null)
        {
            return _cache.TakeCensus(Count);
        }

        long free = 0;
        Pool.FreeSlots!.Walk(_ => free++);
        return new(Pool.SlotCount, Count, free);
    }

    /// <inheritdoc/>
    protected override Errno UpdateValue(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        if (flags > MapUpdateFlags.Exist)
        {
            return Errno.EINVAL;
        }

        var dying = new DyingValues(this, DeathPath.InPlaceUpdate);
        var elem = -1;
        try
        {
            // Before the bucket is locked, as it may need memory.
            elem = _cache?.Take(caller.Cpu) ?? -1;
            return Upsert(ref elem, key, value, flags, caller, ref dying);
        }
        finally
        {
            if (elem >= 0)
            {
                _cache!.PutBack(elem, caller.Cpu);
            }

            dying.Dispose();
        }
    }

    /// <inheritdoc/>
    private protected override void Retire(int elem, int cpu)
    {
        Interlocked.Decrement(ref _count);
        if (IsPreallocated)
        {
            Pool.FreeSlots!.Push(elem, cpu);
        }
        else
        {
            _cache!.Return(elem, cpu);
        }
    }

    // Sets elem to -1 when it is the map's.
    private Errno Upsert(
        ref int elem, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller,
        ref DyingValues dying)
    {
        using var held = LockBucket(key);
        if (!held.IsTaken)
        {
            return Errno.EBUSY;
        }

        var old = Table.FindIn(held.Bucket, key);
        var err = CheckExistence(old >= 0, flags);
        if (err == Errno.None && old >= 0)
        {
            WriteValue(Pool, old, value, MapUpdateFlags.Any, caller, ref dying);
        }
        else if (err == Errno.None && TryTake(ref elem, caller.Cpu, out err))
        {
            FillElem(elem, value, caller);
            RecycleFilled(elem, caller, ref dying);
            Table.LinkLocked(held.Bucket, elem, key);
            Interlocked.Increment(ref _count);
            elem = -1;
        }

        return err;
    }

    private bool TryTake(ref int elem, int cpu, out Errno err)
    {
        err = IsPreallocated || Count >= MaxEntries ? Errno.E2BIG : Errno.ENOMEM;
        if ((!IsPreallocated && err == Errno.E2BIG) || Fails(FaultPoint.AllocElem))
        {
            return false;
        }

        elem = IsPreallocated ? Pool.FreeSlots!.Pop(cpu) : elem;
        err = elem >= 0 ? Errno.None : err;
        return elem >= 0;
    }
}
