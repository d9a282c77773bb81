using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary><c>BPF_MAP_TYPE_HASH</c>, preallocated or not.</summary>
/// <remarks>
/// An update of an existing key takes another element and swaps it in. Preallocated, that is the CPU's extra element
/// (<c>extra_elems</c>), and the old one becomes that: so the map owns one element more per CPU than it has room for,
/// and each of them may hold kptrs. With <c>BPF_F_NO_PREALLOC</c> elements come from an allocator's cache
/// (<see cref="ElemCache"/>).
/// </remarks>
public unsafe partial class HashMap : HashMapBase
{
    private const int None = -1;
    private readonly ElemCache? _cache;
    private readonly PcpuFreelist? _free;
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
        if (GetType() == typeof(HashMap))
        {
            LookUpIn(Table);
        }

        if (!IsPreallocated)
        {
            _cache = new(this, Pool);
            return;
        }

        _free = Pool.FreeSlots!;
        _free.SetExtraElemsAside();
        _canOwn = Layout.HasSpecials;
        _isFast = !HoldsMaps && !Layout.HasAsync;
    }

    /// <inheritdoc/>
    /// <remarks>
    /// Preallocated, it is what is neither free nor spare: nothing is counted when elements come and go.
    /// </remarks>
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

        return new(Pool.SlotCount, live, free, _free.ExtraElemCount);
    }

    /// <inheritdoc/>
    protected override Errno UpdateValue(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        // What user space writes to a map that can own something comes here after it was tried.
        if (_isFast && !(caller.IsUserSpace && _canOwn) && flags <= MapUpdateFlags.Exist
            && TryUpdateFast(key, value[..ValueSize], flags, caller.Cpu, out var done))
        {
            return done;
        }

        if ((flags & ~MapUpdateFlags.Lock) > MapUpdateFlags.Exist)
        {
            return Errno.EINVAL;
        }

        while (true)
        {
            if ((flags & MapUpdateFlags.Lock) != 0 && UpdateLocked(key, value, flags, out var err))
            {
                return err;
            }

            if (TryUpsert(key, value, flags, caller, out err))
            {
                return err;
            }
        }
    }

    /// <inheritdoc/>
    protected override Errno DeleteValue(ReadOnlySpan<byte> key, in MapCall caller) =>
        _isFast && TryDeleteFast(key, caller.Cpu, out var err) ? err : base.DeleteValue(key, caller);

    /// <inheritdoc/>
    private protected override void Retire(int elem, int cpu)
    {
        if (_cache is null)
        {
            _free!.Push(elem, cpu);
        }
        else
        {
            Interlocked.Decrement(ref _cachedCount);
            _cache.Return(elem, cpu);
        }
    }

    // BPF_F_LOCK on an existing element writes in place and frees nothing, under either policy.
    private bool UpdateLocked(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, out Errno err)
    {
        if (Layout.LockOffset < 0)
        {
            err = Errno.EINVAL;
            return true;
        }

        var elem = FindElem(key);
        err = CheckExistence(elem >= 0, flags);
        if (err == Errno.None && elem >= 0)
        {
            WriteInPlace(elem, value);
        }

        return err != Errno.None || elem >= 0;
    }

    private void WriteInPlace(int elem, ReadOnlySpan<byte> value)
    {
        using var dying = new DyingValues(this, DeathPath.LockedUpdate);
        CopyIn(Pool.ValueOf(elem), value, MapUpdateFlags.Lock);
        dying.RecycleAt(Pool.ValueOf(elem));
    }

    // False: the key came while BPF_F_LOCK was looking for it without the bucket's lock.
    private bool TryUpsert(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller, out Errno err)
    {
        var dying = new DyingValues(this, DeathPath.Replace);
        try
        {
            return _cache is null
                ? TryUpsertPreallocated(key, value, flags, caller, ref dying, out err)
                : TryUpsertAllocated(key, value, flags, caller, ref dying, out err);
        }
        finally
        {
            dying.Dispose();
        }
    }

    private bool TryUpsertPreallocated(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller,
        ref DyingValues dying, out Errno err)
    {
        err = Errno.EBUSY;
        using var held = LockBucket(key);
        if (!held.IsTaken)
        {
            return true;
        }

        var old = Table.FindIn(held.Bucket, key);
        err = CheckExistence(old >= 0, flags);
        if (err != Errno.None)
        {
            return true;
        }

        if (old >= 0)
        {
            if ((flags & MapUpdateFlags.Lock) != 0)
            {
                return false;
            }

            SwapExtraElem(held.Bucket, old, key, value, caller, ref dying);
            return true;
        }

        var elem = Fails(FaultPoint.AllocElem) ? None : _free!.Pop(caller.Cpu);
        err = elem < 0 ? Errno.E2BIG : Errno.None;
        if (elem >= 0)
        {
            FillElem(elem, value, caller);
            Table.LinkLocked(held.Bucket, elem, key);
        }

        return true;
    }

    // The old element becomes the CPU's extra one, emptied first.
    private void SwapExtraElem(
        HashBucket* bucket, int old, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, in MapCall caller,
        ref DyingValues dying)
    {
        var stock = _free!.Stock(caller.Cpu);
        var elem = stock->TakeExtraElem();
        var extra = elem;
        try
        {
            FillElem(elem, value, caller);
            Table.ReplaceLocked(bucket, elem, key);
            extra = old;
            dying.RecycleAt(Pool.ValueOf(old));
        }
        finally
        {
            stock->ReturnExtraElem(extra);
        }
    }

    // The element is taken before the bucket is locked, as that may need memory, and put back where it is not used.
    private bool TryUpsertAllocated(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller,
        ref DyingValues dying, out Errno err)
    {
        var elem = _cache!.Take(caller.Cpu);
        var unused = elem;
        var old = None;
        try
        {
            err = Errno.EBUSY;
            using var held = LockBucket(key);
            if (!held.IsTaken)
            {
                return true;
            }

            old = Table.FindIn(held.Bucket, key);
            err = CheckExistence(old >= 0, flags);
            if (err == Errno.None && old >= 0 && (flags & MapUpdateFlags.Lock) != 0)
            {
                return false;
            }

            err = err != Errno.None ? err : CheckRoom(old);
            if (err == Errno.None)
            {
                FillElem(elem, value, caller);
                unused = None;
                LinkOrReplace(held.Bucket, old, elem, key);
            }
        }
        finally
        {
            if (unused >= 0)
            {
                _cache.PutBack(unused, caller.Cpu);
            }
        }

        if (err == Errno.None && old >= 0)
        {
            dying.RecycleAt(Pool.ValueOf(old));
            _cache.Return(old, caller.Cpu);
        }

        return true;
    }

    private Errno CheckRoom(int old) => old < 0 && _cachedCount >= MaxEntries ? Errno.E2BIG
        : Fails(FaultPoint.AllocElem) ? Errno.ENOMEM : Errno.None;

    private void LinkOrReplace(HashBucket* bucket, int old, int elem, ReadOnlySpan<byte> key)
    {
        if (old >= 0)
        {
            Table.ReplaceLocked(bucket, elem, key);
        }
        else
        {
            Table.LinkLocked(bucket, elem, key);
            Interlocked.Increment(ref _cachedCount);
        }
    }
}
