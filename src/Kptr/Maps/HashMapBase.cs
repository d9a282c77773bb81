using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary>
/// What all hash maps share: finding, deleting, walking. They differ in where elements come from and go to.
/// </summary>
/// <remarks>Kernel: <c>kernel/bpf/hashtab.c</c> (6.12).</remarks>
public abstract unsafe partial class HashMapBase : BpfMap
{
    private HashTable _table;

    private protected HashMapBase(
        KernelCore core, MapSpec spec, uint maxEntries, int extraCount, PoolKind kind, long? bucketCount = null)
        : base(core, spec)
    {
        MaxEntries = maxEntries;
        Pool = CreatePool(checked((int)maxEntries + extraCount), HashTable.PrefixBytesOf(spec.KeySize), kind);
        _table = new(Pool, spec.KeySize, bucketCount ?? maxEntries);
    }

    /// <inheritdoc/>
    public override uint MaxEntries { get; }

    /// <summary>Elements that keys lead to.</summary>
    public abstract int Count { get; }

    /// <inheritdoc/>
    protected override MapBatchOps BatchOps => MapBatchOps.All;

    internal ValuePool Pool { get; }

    /// <summary>The buckets; a resizable hash replaces them.</summary>
    internal HashTable Table
    {
        get => Volatile.Read(ref _table);
        private protected set => Volatile.Write(ref _table, value);
    }

    /// <inheritdoc/>
    protected internal override bool TryGetKey(ValuePool pool, int slot, Span<byte> key)
    {
        Table.KeyOf(slot).CopyTo(key);
        return FindElem(key) == slot;
    }

    /// <inheritdoc/>
    protected override ulong FindValue(ReadOnlySpan<byte> key, in MapCall caller)
    {
        var elem = FindElem(key);
        return elem < 0 ? 0 : Pool.ValueOf(elem, IsPerCpu ? caller.ValueCpu : 0);
    }

    /// <inheritdoc/>
    protected override Errno ReadValue(
        ReadOnlySpan<byte> key, Span<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        var spin = default(SpinWait);
        while (true)
        {
            // An element may be reused while it is copied; the bucket's sequence tells, and the copy is made again.
            var table = Table;
            var bucket = table.BucketOf(key);
            var seq = bucket->Lock.Read();
            var elem = table.FindIn(bucket, key);
            if (elem >= 0)
            {
                ReadValue(value, Pool, elem, flags, caller);
            }

            if (bucket->Lock.IsStill(seq) && table == Table)
            {
                GC.KeepAlive(this);
                return elem >= 0 ? Errno.None : Errno.ENOENT;
            }

            spin.SpinOnce(sleep1Threshold: -1);
        }
    }

    /// <inheritdoc/>
    protected override Errno DeleteValue(ReadOnlySpan<byte> key, in MapCall caller)
    {
        using var dying = new DyingValues(this, DeathPath.Delete);
        int elem;
        using (var held = LockBucket(key))
        {
            if (!held.IsTaken)
            {
                return Errno.EBUSY;
            }

            elem = Table.UnlinkLocked(held.Bucket, key);
        }

        if (elem < 0)
        {
            return Errno.ENOENT;
        }

        dying.Recycle(Pool, elem);
        Retire(elem, caller.Cpu);
        return Errno.None;
    }

    /// <inheritdoc/>
    protected override Errno TakeValue(
        ReadOnlySpan<byte> key, Span<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        using var dying = new DyingValues(this, DeathPath.LookupAndDelete);
        int elem;
        using (var held = LockBucket(key))
        {
            if (!held.IsTaken)
            {
                return Errno.EBUSY;
            }

            elem = Table.FindIn(held.Bucket, key);
            if (elem < 0)
            {
                return Errno.ENOENT;
            }

            ReadValue(value, Pool, elem, flags, caller);
            Table.UnlinkLocked(held.Bucket, key);
        }

        dying.Recycle(Pool, elem);
        Retire(elem, caller.Cpu);
        return Errno.None;
    }

    /// <inheritdoc/>
    protected override Errno NextKey(ReadOnlySpan<byte> key, Span<byte> nextKey)
    {
        var table = Table;
        var elem = key.IsEmpty ? HashTable.End : FindElem(key);
        var next = elem < 0 ? table.FirstFrom(0) : table.NextOf(elem);
        if (elem >= 0 && next < 0)
        {
            next = table.FirstFrom(table.BucketOf(key) - table.Buckets + 1);
        }

        if (next < 0)
        {
            return Errno.ENOENT;
        }

        Table.KeyOf(next).CopyTo(nextKey);
        return Errno.None;
    }

    /// <inheritdoc/>
    protected override long VisitValues(MapElemCallback callback, in MapCall caller)
    {
        long visited = 0;
        using var reader = Core.Rcu.ReadLock();
        var table = Table;
        for (var bucket = 0L; bucket < table.BucketCount; bucket++)
        {
            for (var elem = table.HeadOf(bucket); elem >= 0;)
            {
                // The callback may delete the element: its successor is looked up before.
                var next = table.NextOf(elem);
                visited++;
                if (callback((ulong)(Pool.SlotOf(elem) + Table.KeyOffset),
                    Pool.ValueOf(elem, IsPerCpu ? caller.ValueCpu : 0)) != 0)
                {
                    return visited;
                }

                elem = next;
            }
        }

        return visited;
    }

    /// <summary>
    /// Gives the memory of an unlinked element back, after its fields were handed to <see cref="DyingFields"/>.
    /// </summary>
    private protected abstract void Retire(int elem, int cpu);

    /// <summary>Copies a whole value in, for new elements: nobody else sees it yet.</summary>
    private protected virtual void FillElem(int elem, ReadOnlySpan<byte> value, in MapCall caller) =>
        InitValue(Pool, elem, value, caller);

    /// <summary>
    /// Ends what the new values of a per-CPU element inherited, where user space brought them;
    /// programs take them as they are.
    /// </summary>
    private protected void RecycleFilled(int elem, in MapCall caller, ref DyingValues dying)
    {
        for (var cpu = 0; caller.IsUserSpace && cpu < Pool.CpuCount; cpu++)
        {
            if (caller.Writes(cpu))
            {
                dying.RecycleAt(Pool.ValueOf(elem, cpu));
            }
        }
    }

    /// <summary>Finds a key without a lock; -1 when it is not there.</summary>
    private protected int FindElem(ReadOnlySpan<byte> key)
    {
        var spin = default(SpinWait);
        while (true)
        {
            // Nothing found counts only in the table that counts: a resizable hash may have moved everything meanwhile.
            var table = Table;
            if (table.TryFind(key, out var elem) && (elem >= 0 || table == Table))
            {
                GC.KeepAlive(this);
                return elem;
            }

            spin.SpinOnce(sleep1Threshold: -1);
        }
    }

    /// <summary>
    /// Locks the bucket of a key, of the table that counts once the lock is taken. What is done
    /// under it must not need memory.
    /// </summary>
    /// <returns>Nothing is locked where a test wants this to fail.</returns>
    private protected BucketLock LockBucket(ReadOnlySpan<byte> key)
    {
        if (Fails(FaultPoint.LockBucket))
        {
            return default;
        }

        while (true)
        {
            var table = Table;
            var held = new BucketLock(table.BucketOf(key));
            if (table == Table)
            {
                return held;
            }

            held.Dispose();
        }
    }
}
