using Kptr.Diagnostics;
using Kptr.Objects;

namespace Kptr.Maps;

/// <summary>What must pass before a map whose last reference went is freed.</summary>
internal enum MapFreeWait
{
    None,
    Rcu,
    RcuAndTasksTrace,
}

// How a map lives and ends. Kernel: bpf_map_put, bpf_map_free_deferred (kernel/bpf/syscall.c, 6.12).
public abstract partial class BpfMap
{
    private int _refs = 1;
    private int _userRefs = 1;
    private int _isClosed;
    private int _isEnding;
    private int _isFreed;
    private MapFreeWait _freeWait;

    /// <summary>Whether the map's memory and everything it owned are gone.</summary>
    public bool IsFreed => Volatile.Read(ref _isFreed) != 0;

    /// <summary>Whether the free has begun: nothing goes in any more.</summary>
    internal bool IsEnding => Volatile.Read(ref _isEnding) != 0;

    /// <summary>References on the map: the maker's, programs', outer maps'.</summary>
    public int RefCount => Volatile.Read(ref _refs);

    /// <summary>References from user space; when the last goes, timers and work queues stop, and kptrs stay.</summary>
    public int UserRefCount => Volatile.Read(ref _userRefs);

    /// <summary>The allocator of the elements that are not preallocated; null when all are.</summary>
    internal ElemCache? Allocator { get; set; }

    /// <summary>
    /// Gives up the maker's reference, like closing its file descriptor. The map is freed later, when nobody uses it.
    /// </summary>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>
    /// Another reference (<c>bpf_map_inc</c>) for somebody who holds the map already, given back by <see cref="Put"/>.
    /// </summary>
    internal void Hold()
    {
        Invariant.That(Interlocked.Increment(ref _refs) > 1, "a map that is being freed was taken into use");
    }

    /// <summary>Another reference, unless the last one is gone already.</summary>
    internal bool TryHold()
    {
        for (var refs = Volatile.Read(ref _refs); refs > 0;)
        {
            var seen = Interlocked.CompareExchange(ref _refs, refs + 1, refs);
            if (seen == refs)
            {
                return true;
            }

            refs = seen;
        }

        return false;
    }

    /// <summary>
    /// Another user-space reference (a second file descriptor, an iterator), given back by <see cref="PutUser"/>.
    /// </summary>
    internal void HoldUser()
    {
        Hold();
        Interlocked.Increment(ref _userRefs);
    }

    /// <summary>As <see cref="HoldUser"/>, unless user space has let the map go.</summary>
    internal bool TryHoldUser()
    {
        if (!TryHold())
        {
            return false;
        }

        for (var refs = Volatile.Read(ref _userRefs); refs > 0;)
        {
            var seen = Interlocked.CompareExchange(ref _userRefs, refs + 1, refs);
            if (seen == refs)
            {
                return true;
            }

            refs = seen;
        }

        Put();
        return false;
    }

    internal void PutUser()
    {
        if (Interlocked.Decrement(ref _userRefs) == 0)
        {
            ReleaseUserRef();
        }

        Put();
    }

    /// <summary>Gives a reference back; the last one starts the end (<c>bpf_map_put</c>).</summary>
    internal void Put()
    {
        var left = Interlocked.Decrement(ref _refs);
        Invariant.That(left >= 0, "a map was let go of once more than it was taken");
        if (left > 0)
        {
            return;
        }

        switch (_freeWait)
        {
            case MapFreeWait.RcuAndTasksTrace:
                Core.RcuTrace.Call(static m => ((BpfMap)m).WaitForRcu(), this, "bpf_map_free_mult_rcu_gp");
                break;
            default:
                // Linux waits here for inner maps only; C# may hold a ref into a value, good until its reader ends.
                WaitForRcu();
                break;
        }
    }

    /// <summary>
    /// The map leaves another one: programs may still have its pointer, so it must outlive their readers.
    /// </summary>
    internal void DeferFree(MapFreeWait wait) => _freeWait = (MapFreeWait)Math.Max((int)_freeWait, (int)wait);

    /// <summary>Gives up the maker's reference.</summary>
    /// <param name="disposing">True when called by <see cref="Dispose()"/>.</param>
    protected virtual void Dispose(bool disposing)
    {
        if (disposing && Interlocked.Exchange(ref _isClosed, 1) == 0)
        {
            PutUser();
        }
    }

    /// <summary>
    /// The last user-space reference went. Stops timers and work queues in all slots; kptrs stay, as a
    /// program may still use them.
    /// </summary>
    protected virtual void ReleaseUserRef() => EndAll(DeathPath.LastUserRef);

    /// <summary>
    /// Frees what the map has besides its pools, whose values the base has destroyed before.
    /// Runs once, in the work queue.
    /// </summary>
    protected virtual void OnFree()
    {
    }

    /// <summary>Called when the free begins, before values are destroyed.</summary>
    private protected virtual void OnFreeing()
    {
    }

    private void WaitForRcu() => Core.Rcu.Call(static m => ((BpfMap)m).QueueFree(), this, "bpf_map_free_rcu_gp");

    private void QueueFree() => Core.Work.Enqueue(static m => ((BpfMap)m).BeginFree(), this, "bpf_map_free_deferred");

    private void BeginFree()
    {
        Invariant.That(Interlocked.Exchange(ref _isEnding, 1) == 0, "a map was freed twice");
        var failures = default(Failures);
        Try(ref failures, static m => m.OnWriteBlocked());
        Try(ref failures, static m => m.OnFreeing());
        Try(ref failures, static m => m.FreeWhenQuiet());
        failures.ThrowIfAny();
    }

    // Each step of an end is done, whatever destructors and overrides throw in the others.
    private void Try(ref Failures failures, Action<BpfMap> step)
    {
        try
        {
            step(this);
        }
        catch (Exception e)
        {
            failures.Add(Core, e);
        }
    }

    // Elements on their way through grace periods come back to their pool, so the pool waits for
    // them (bpf_mem_alloc_destroy); so does whatever else the map has put off.
    private void FreeWhenQuiet()
    {
        if (!TryStopDeferring() || Allocator is { IsWaited: true })
        {
            Core.RcuTrace.Call(static m => ((BpfMap)m).WaitForElems(), this, "bpf_mem_alloc_destroy");
        }
        else
        {
            Free();
        }
    }

    private void WaitForElems() => Core.Rcu.Call(
        static m => ((BpfMap)m).Core.Work.Enqueue(static m => ((BpfMap)m).FreeWhenQuiet(), m, "bpf_mem_alloc_destroy"),
        this, "bpf_mem_alloc_destroy");

    // The record stays until after the last field is destroyed (59e5791f59dd, 2023): it belongs to the immutable spec.
    private void Free()
    {
        Volatile.Write(ref _isFreed, 1);

        // No key has this size: who calls from now on learns why in the slow path.
        Volatile.Write(ref _keySize, -1);
        var failures = default(Failures);
        Try(ref failures, static m => m.EndAll(DeathPath.MapFree));
        Try(ref failures, static m => m.OnFree());
        Core.Ledger.RemoveSource(this);
        foreach (var pool in _pools)
        {
            pool.Release();
        }

        Core.Heap.FreeBlock(Address);
        Core.Heap.Uncharge(_chargedBytes);
        failures.ThrowIfAny();
    }

    // Every slot, not only live ones: free and spare ones may own something under both policies.
    private void EndAll(DeathPath path)
    {
        if (!Layout.HasSpecials && !(HoldsMaps && path == DeathPath.MapFree))
        {
            return;
        }

        var failures = default(Failures);
        foreach (var pool in _pools)
        {
            for (var slot = 0; slot < pool.SlotCount; slot++)
            {
                try
                {
                    using var dying = DyingValues.Unlocked(this, path);
                    dying.Recycle(pool, slot);
                }
                catch (Exception e)
                {
                    failures.Add(Core, e);
                }
            }
        }

        failures.ThrowIfAny();
    }
}
