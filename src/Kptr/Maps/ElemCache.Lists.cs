using System.Runtime.InteropServices;
using Kptr.Objects;

namespace Kptr.Maps;

// The lists of elements, and their ways through grace periods. Lists are changed under the cache's lock.
internal sealed unsafe partial class ElemCache
{
    private int Pop(ref ElemList list)
    {
        var elem = list.Head;
        list.Head = _next[elem];
        list.Count--;
        return elem;
    }

    private void Push(ref ElemList list, int elem)
    {
        _next[elem] = list.Head;
        list.Head = elem;
        list.Count++;
    }

    // Whether some are to leave, and must be sent.
    private bool ReturnLocked(int elem, int cpu)
    {
        Prefill(cpu);
        Push(ref _cached[cpu], elem);
        if (_cached[cpu].Count <= _highMark)
        {
            return false;
        }

        for (; _cached[cpu].Count > (_highMark + _lowMark) / 2; _waitingCount++)
        {
            Push(ref _toLeave, Pop(ref _cached[cpu]));
        }

        return true;
    }

    private void Prefill(int cpu)
    {
        if (!_isPrefilled[cpu])
        {
            _isPrefilled[cpu] = true;
            Refill(cpu, _prefillCount);
        }
    }

    // Fresh elements on top of the cache, ascending. For want of memory there are fewer.
    private void Refill(int cpu, int count)
    {
        ElemList taken = default;
        try
        {
            while (taken.Count < count)
            {
                Push(ref taken, TakeFresh());
            }
        }
        catch (OutOfMemoryException)
        {
        }

        while (taken.Count > 0)
        {
            Push(ref _cached[cpu], Pop(ref taken));
        }
    }

    private int TakeFresh()
    {
        if (_fresh.Count == 0)
        {
            AddBlock();
        }

        return Pop(ref _fresh);
    }

    // Elements in ascending order. What needs memory comes first.
    private void AddBlock()
    {
        var first = _pool.SlotCount;
        _map.Allocating();
        Array.Resize(ref _next, first + _pool.SlotsPerBlock);
        for (var i = first + _pool.AddBlock() - 1; i >= first; i--)
        {
            Push(ref _fresh, i);
        }
    }

    // Sends what waits through its grace periods. What memory lacks for stays where it is, for the next call; it is
    // counted as waiting, so the map is not freed before.
    private void Send()
    {
        try
        {
            if (Volatile.Read(ref _toLeave.Count) > 0)
            {
                _map.Allocating();
                new Leaving(this).Send();
            }

            for (var cpu = 0; cpu < _toReturn.Length; cpu++)
            {
                if (Volatile.Read(ref _toReturn[cpu].Count) > 0)
                {
                    _map.Allocating();
                    new Returning(this, cpu).Send();
                }
            }
        }
        catch (OutOfMemoryException)
        {
        }
    }

    private bool TryCall(RcuDomain rcu, Action<object> run, object state, string name)
    {
        try
        {
            _map.Allocating();
            rcu.Call(run, state, name);
            return true;
        }
        catch (OutOfMemoryException)
        {
            return false;
        }
    }

    private ElemList TakeAll(ref ElemList list)
    {
        using (_lock.Enter())
        {
            var all = list;
            list = default;
            return all;
        }
    }

    private void MoveAll(ElemList from, ref ElemList to)
    {
        using (_lock.Enter())
        {
            while (from.Count > 0)
            {
                Push(ref to, Pop(ref from));
            }
        }
    }

    // No reader can stand on them any more, nor a writer be late.
    private void Release(ElemList elems)
    {
        try
        {
            using var dying = DyingValues.Unlocked(_map, DeathPath.AllocatorRelease);
            for (int i = 0, elem = elems.Head; i < elems.Count; i++, elem = _next[elem])
            {
                dying.Recycle(_pool, elem);
            }
        }
        finally
        {
            ReturnFresh(elems);
        }
    }

    private void ReturnFresh(ElemList elems)
    {
        using (_lock.Enter())
        {
            _waitingCount -= elems.Count;
            while (elems.Count > 0)
            {
                var elem = Pop(ref elems);
                NativeMemory.Clear(_pool.SlotOf(elem) + _pool.PrefixBytes,
                    (nuint)(_pool.StrideBytes - _pool.PrefixBytes));
                Push(ref _fresh, elem);
            }
        }
    }

    /// <summary>Elements linked by number; each is in one list at most.</summary>
    private struct ElemList
    {
        internal int Head;
        internal int Count;
    }

    // On their way back to a CPU's cache.
    private sealed class Returning(ElemCache cache, int cpu)
    {
        private ElemList _elems;

        internal void Send()
        {
            _elems = cache.TakeAll(ref cache._toReturn[cpu]);
            if (_elems.Count > 0
                && !cache.TryCall(cache._map.Core.Rcu, static s => ((Returning)s).AfterRcu(), this,
                    "bpf_mem_cache_free_rcu"))
            {
                cache.MoveAll(_elems, ref cache._toReturn[cpu]);
            }
        }

        private void AfterRcu()
        {
            var isOver = false;
            using (cache._lock.Enter())
            {
                for (var elems = _elems; elems.Count > 0; cache._waitingCount--)
                {
                    isOver |= cache.ReturnLocked(cache.Pop(ref elems), cpu);
                }
            }

            if (isOver)
            {
                cache.Send();
            }
        }
    }

    // On their way out of the caches, through both flavours.
    private sealed class Leaving(ElemCache cache)
    {
        private ElemList _elems;

        internal void Send()
        {
            _elems = cache.TakeAll(ref cache._toLeave);
            if (_elems.Count > 0
                && !cache.TryCall(cache._map.Core.RcuTrace, static s => ((Leaving)s).AfterTasksTrace(),
                    this, "bpf_mem_alloc"))
            {
                cache.MoveAll(_elems, ref cache._toLeave);
            }
        }

        private void AfterTasksTrace()
        {
            if (!cache.TryCall(cache._map.Core.Rcu, static s => ((Leaving)s).AfterRcu(), this, "bpf_mem_alloc"))
            {
                cache.MoveAll(_elems, ref cache._toLeave);
            }
        }

        private void AfterRcu() => cache.Release(_elems);
    }
}
