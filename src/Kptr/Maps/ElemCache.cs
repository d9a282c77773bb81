using System.Runtime.InteropServices;
using Kptr.Diagnostics;

namespace Kptr.Maps;

/// <summary>The allocator of elements that are not preallocated: a cache per CPU in front of slots that wait for readers.</summary>
/// <remarks>
/// A freed element goes to the cache and may be handed out again at once, with whatever its special fields hold. Only
/// when the cache overflows do elements leave it: after a grace period of both RCU flavours, when no writer can be late any
/// more, their fields are destroyed (the fix 1df97a7453ee of 2026) and the memory is zeroed for a later use.
/// Kernel: <c>kernel/bpf/memalloc.c</c>; marks as there for small units.
/// </remarks>
internal sealed unsafe class ElemCache
{
    private readonly BpfMap _map;
    private readonly ValuePool _pool;
    private readonly Stack<int>[] _cached;
    private readonly Stack<int> _fresh = [];
    private readonly RankedLock _lock = new(LockRank.ElemCache);
    private readonly int _highMark;
    private readonly int _batchCount;
    private int _waitingCount;

    internal ElemCache(BpfMap map, ValuePool pool)
    {
        _map = map;
        _pool = pool;
        map.Allocator = this;
        _cached = [.. Enumerable.Range(0, map.Core.CpuCount).Select(_ => new Stack<int>())];
        var size = pool.StrideBytes;
        var low = size <= 256 ? 32 : Math.Max(32 * 256 / size, 1);
        _highMark = size <= 256 ? 96 : Math.Max(96 * 256 / size, 3);
        _batchCount = Math.Max((_highMark - low) / 4 * 3, 1);
    }

    /// <summary>Whether elements are waiting for a grace period: they come back into the pool, so it must live until then.</summary>
    internal bool IsWaited
    {
        get
        {
            using (_lock.Enter())
            {
                return _waitingCount > 0;
            }
        }
    }

    /// <summary>Takes an element, the CPU's newest cached one first.</summary>
    internal int Take(int cpu)
    {
        using (_lock.Enter())
        {
            if (_cached[cpu].TryPop(out var elem))
            {
                return elem;
            }

            if (_fresh.Count == 0)
            {
                var first = _pool.SlotCount;
                for (var i = first + _pool.AddBlock() - 1; i >= first; i--)
                {
                    _fresh.Push(i);
                }
            }

            return _fresh.Pop();
        }
    }

    /// <summary>Puts an element back; its fields were treated as the destroy policy says.</summary>
    internal void Return(int elem, int cpu)
    {
        int[] leaving;
        using (_lock.Enter())
        {
            _cached[cpu].Push(elem);
            if (_cached[cpu].Count <= _highMark)
            {
                return;
            }

            leaving = new int[_batchCount];
            for (var i = 0; i < leaving.Length; i++)
            {
                leaving[i] = _cached[cpu].Pop();
            }

            _waitingCount += leaving.Length;
        }

        _map.Core.RcuTrace.Call(static s => ((Leaving)s).AfterTasksTrace(), new Leaving(this, leaving), "bpf_mem_alloc");
    }

    /// <summary>Puts an element back once no reader can stand on it any more.</summary>
    internal void ReturnAfterRcu(int elem, int cpu)
    {
        using (_lock.Enter())
        {
            _waitingCount++;
        }

        _map.Core.Rcu.Call(static s => ((Returning)s).AfterRcu(), new Returning(this, elem, cpu), "bpf_mem_cache_free_rcu");
    }

    /// <summary>Lets an element go for good: both grace periods, then a last look at its fields, then zeroed memory.</summary>
    internal void Leave(int elem)
    {
        using (_lock.Enter())
        {
            _waitingCount++;
        }

        _map.Core.RcuTrace.Call(static s => ((Leaving)s).AfterTasksTrace(), new Leaving(this, [elem]), "bpf_selem_free");
    }

    internal MapCensus TakeCensus(long live)
    {
        using (_lock.Enter())
        {
            return new(_pool.SlotCount, live, _fresh.Count + _cached.Sum(c => c.Count), Deferred: _waitingCount);
        }
    }

    private void Release(int[] elems)
    {
        using (var dying = new DyingFields(_map, DeathPath.AllocatorRelease))
        {
            foreach (var elem in elems)
            {
                dying.Recycle(_pool, elem);
            }
        }

        using (_lock.Enter())
        {
            foreach (var elem in elems)
            {
                NativeMemory.Clear(_pool.SlotOf(elem) + _pool.PrefixBytes, (nuint)(_pool.StrideBytes - _pool.PrefixBytes));
                _fresh.Push(elem);
            }

            _waitingCount -= elems.Length;
        }
    }

    private sealed class Returning(ElemCache cache, int elem, int cpu)
    {
        internal void AfterRcu()
        {
            // Counted as waiting until it is back, so that the map is not freed in between.
            cache.Return(elem, cpu);
            using (cache._lock.Enter())
            {
                cache._waitingCount--;
            }
        }
    }

    private sealed class Leaving(ElemCache cache, int[] elems)
    {
        internal void AfterTasksTrace() =>
            cache._map.Core.Rcu.Call(static s => ((Leaving)s).AfterRcu(), this, "bpf_mem_alloc");

        private void AfterRcu() => cache.Release(elems);
    }
}
