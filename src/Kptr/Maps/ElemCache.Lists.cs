using System.Runtime.InteropServices;
using Kptr.Objects;

namespace Kptr.Maps;

// The lists of elements. They are changed under the cache's lock.
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

    // The other way round, in front of what is there.
    private void MoveAll(ref ElemList from, ref ElemList to)
    {
        while (from.Count > 0)
        {
            Push(ref to, Pop(ref from));
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
        Array.Resize(ref _takenOn, first + _pool.SlotsPerBlock);
        for (var i = first + _pool.AddBlock() - 1; i >= first; i--)
        {
            Push(ref _fresh, i);
        }
    }

    private bool TryCall(RcuDomain rcu, Action<object> run, object state, string name)
    {
        // Counted first: the answer may come before the call returns.
        Interlocked.Increment(ref _callsInFlight);
        try
        {
            _map.Allocating();
            rcu.Call(run, state, name);
            return true;
        }
        catch (OutOfMemoryException)
        {
            Answered();
            return false;
        }
    }

    private void Answered() => Interlocked.Decrement(ref _callsInFlight);

    // No reader can stand on them any more, nor a writer be late.
    private void DestroyFields(in ElemList elems)
    {
        using var dying = DyingValues.Unlocked(_map, DeathPath.AllocatorRelease);
        for (int i = 0, elem = elems.Head; i < elems.Count; i++, elem = _next[elem])
        {
            dying.Recycle(_pool, elem);
        }
    }

    private void ReturnFresh(ref ElemList elems)
    {
        while (elems.Count > 0)
        {
            var elem = Pop(ref elems);
            NativeMemory.Clear(_pool.SlotOf(elem) + _pool.PrefixBytes,
                (nuint)(_pool.StrideBytes - _pool.PrefixBytes));
            Push(ref _fresh, elem);
        }
    }

    /// <summary>Elements linked by number; each is in one list at most.</summary>
    private struct ElemList
    {
        internal int Head;
        internal int Count;
    }
}
