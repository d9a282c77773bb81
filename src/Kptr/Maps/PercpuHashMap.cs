using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary><c>BPF_MAP_TYPE_PERCPU_HASH</c>: each key has one value per CPU.</summary>
/// <remarks>
/// Existing keys are written in place, a program its own CPU's value, user space all of them; what the written values' special
/// fields held ends there and then. Linux forgot that until 2025 (6af6e49a76c9, CVE-2025-68744).
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
    protected override Errno UpdateValue(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        if (flags > MapUpdateFlags.Exist)
        {
            return Errno.EINVAL;
        }

        var dying = new DyingFields(this, DeathPath.InPlaceUpdate);
        if (!TryLock(key, out var bucket, out var seq))
        {
            return Errno.EBUSY;
        }

        var elem = Table.FindIn(bucket, key);
        var err = CheckExistence(elem >= 0, flags);
        if (err == Errno.None && elem < 0)
        {
            elem = TakeElem(caller.Cpu, out err);
            if (err == Errno.None)
            {
                FillElem(elem, value, caller);
                RecycleFilled(elem, caller, ref dying);
                Table.LinkLocked(bucket, elem, key);
                Interlocked.Increment(ref _count);
            }
        }
        else if (err == Errno.None)
        {
            WriteValue(Pool, elem, value, MapUpdateFlags.Any, caller, ref dying);
        }

        bucket->Unlock(seq);
        dying.Dispose();
        return err;
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

    private int TakeElem(int cpu, out Errno err)
    {
        err = IsPreallocated || Count >= MaxEntries ? Errno.E2BIG : Errno.ENOMEM;
        var isFull = !IsPreallocated && err == Errno.E2BIG;
        var elem = isFull || Faults.ShouldFail(MapFaultPoint.AllocElem) ? -1
            : IsPreallocated ? Pool.FreeSlots!.Pop(cpu) : _cache!.Take(cpu);
        err = elem >= 0 ? Errno.None : err;
        return elem;
    }
}
