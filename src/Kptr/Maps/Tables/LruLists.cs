using System.Runtime.InteropServices;
using Kptr.Diagnostics;

namespace Kptr.Maps;

/// <summary>Takes an element out of its map so that it can be reused; false when it is not in it.</summary>
internal delegate bool LruEvictor(int elem, ref DyingValues dying);

/// <summary>The order in which an LRU map gives its elements up.</summary>
/// <remarks>
/// An approximation of least recent use, as in Linux: a lookup only sets a mark, and elements travel between an active
/// and an inactive list when room is needed. With common lists each CPU has a stock of free elements and a list of
/// fresh ones (pending); with a list per CPU (<c>BPF_F_NO_COMMON_LRU</c>) it has all for itself and never borrows. One
/// lock guards all lists; a bucket's lock may be taken under it, never the other way round. Kernel:
/// <c>kernel/bpf/bpf_lru_list.c</c> (6.12).
/// </remarks>
internal sealed unsafe class LruLists
{
    private const int CommonTarget = 128;
    private const int PercpuTarget = 4;
    private readonly NativeArray<Node> _memory;
    private readonly Node* _nodes;
    private readonly int _elemCount;
    private readonly int _cpuCount;
    private readonly bool _isPerCpu;
    private readonly bool _keepsOrder;
    private readonly int _scanMax;
    private readonly int _target;
    private readonly LruEvictor _evict;
    private readonly RankedLock _lock = new(LockRank.LruLists);
    private readonly int[] _nextSteal;
    private readonly int[] _rotation;
    private readonly int[] _activeCount;
    private readonly int[] _inactiveCount;

    /// <param name="elemCount">Elements in all.</param>
    /// <param name="cpuCount">CPUs that there can be.</param>
    /// <param name="isPerCpu">Whether each has a list of its own.</param>
    /// <param name="keepsOrder">Whether a CPU uses its batch of free elements from the first to the last.</param>
    /// <param name="evict">Takes an element out of the map.</param>
    internal LruLists(int elemCount, int cpuCount, bool isPerCpu, bool keepsOrder, LruEvictor evict)
    {
        _elemCount = elemCount;
        _cpuCount = cpuCount;
        _isPerCpu = isPerCpu;
        _keepsOrder = keepsOrder;
        _evict = evict;
        _scanMax = isPerCpu ? PercpuTarget : CommonTarget;
        _target = isPerCpu ? PercpuTarget : Math.Clamp(elemCount / cpuCount / 2, 1, CommonTarget);
        _memory = new(elemCount + (cpuCount * Heads));
        _nodes = _memory.Pointer;
        _nextSteal = [.. Enumerable.Range(0, cpuCount)];
        _rotation = new int[cpuCount];
        _activeCount = new int[cpuCount];
        _inactiveCount = new int[cpuCount];
        for (var head = elemCount; head < elemCount + (cpuCount * Heads); head++)
        {
            _nodes[head].Prev = _nodes[head].Next = head;
        }

        for (var cpu = 0; cpu < cpuCount; cpu++)
        {
            _rotation[cpu] = HeadOf(cpu, ListKind.Inactive);
        }

        for (var i = 0; i < elemCount; i++)
        {
            var set = isPerCpu ? i / (elemCount / cpuCount) : 0;
            _nodes[i].Cpu = (short)set;
            InsertAfter(HeadOf(set, ListKind.Free), i, ListKind.Free);
        }
    }

    private static int Heads => (int)ListKind.Pending + 1;

    /// <summary>Elements on free lists.</summary>
    internal int FreeCount
    {
        get
        {
            using (_lock.Enter())
            {
                return Enumerable.Range(0, _cpuCount).Sum(
                    cpu => Length(cpu, ListKind.Free) + Length(cpu, ListKind.LocalFree));
            }
        }
    }

    /// <summary>The most elements that one <see cref="Take"/> pushes out.</summary>
    internal int EvictedMax => _target;

    /// <summary>Notes that an element was used.</summary>
    internal void Mark(int elem)
    {
        if (_nodes[elem].IsMarked == 0)
        {
            _nodes[elem].IsMarked = 1;
        }
    }

    /// <summary>
    /// Takes a free element, pushing others out of the map where there is none; -1 when nothing can be had.
    /// </summary>
    internal int Take(int cpu, ref DyingValues dying)
    {
        using (_lock.Enter())
        {
            return _isPerCpu ? TakeOwn(cpu, ref dying) : TakeCommon(cpu, ref dying);
        }
    }

    /// <summary>Gives an element back that is not in the map any more.</summary>
    internal void Return(int elem)
    {
        using (_lock.Enter())
        {
            if (!_isPerCpu && _nodes[elem].List == ListKind.Pending)
            {
                Move(elem, _nodes[elem].Cpu, ListKind.LocalFree);
            }
            else
            {
                Move(elem, SetOf(elem), ListKind.Free);
            }
        }
    }

    private int SetOf(int elem) => _isPerCpu ? _nodes[elem].Cpu : 0;

    private int HeadOf(int set, ListKind kind) => _elemCount + (set * Heads) + (int)kind;

    private bool IsEmpty(int set, ListKind kind) => _nodes[HeadOf(set, kind)].Next == HeadOf(set, kind);

    private int Length(int set, ListKind kind)
    {
        var head = HeadOf(set, kind);
        var length = 0;
        for (var i = _nodes[head].Next; i != head; i = _nodes[i].Next)
        {
            length++;
        }

        return length;
    }

    private int TakeOwn(int cpu, ref DyingValues dying)
    {
        Rotate(cpu);
        if (IsEmpty(cpu, ListKind.Free))
        {
            Shrink(cpu, PercpuTarget, cpu, ListKind.Free, ref dying);
        }

        if (IsEmpty(cpu, ListKind.Free))
        {
            return -1;
        }

        var elem = _nodes[HeadOf(cpu, ListKind.Free)].Next;
        Move(elem, cpu, ListKind.Inactive);
        return elem;
    }

    private int TakeCommon(int cpu, ref DyingValues dying)
    {
        var elem = PopLocalFree(cpu);
        if (elem < 0)
        {
            Refill(cpu, ref dying);
            elem = PopLocalFree(cpu);
        }

        for (int i = 0, from = _nextSteal[cpu]; elem < 0 && i < _cpuCount; i++)
        {
            elem = PopLocalFree(from);
            elem = elem >= 0 ? elem : PopPending(from, ref dying);
            from = (from + 1) % _cpuCount;
            _nextSteal[cpu] = from;
        }

        if (elem >= 0)
        {
            _nodes[elem].Cpu = (short)cpu;
            Move(elem, cpu, ListKind.Pending);
        }

        return elem;
    }

    private int PopLocalFree(int cpu)
    {
        var elem = _nodes[HeadOf(cpu, ListKind.LocalFree)].Next;
        return elem < _elemCount ? elem : -1;
    }

    // The oldest pending element; marked ones only when there is no other.
    private int PopPending(int cpu, ref DyingValues dying)
    {
        for (var pass = 0; pass < 2; pass++)
        {
            for (var i = _nodes[HeadOf(cpu, ListKind.Pending)].Prev; i < _elemCount; i = _nodes[i].Prev)
            {
                if ((_nodes[i].IsMarked == 0 || pass == 1) && _evict(i, ref dying))
                {
                    return i;
                }
            }
        }

        return -1;
    }

    // Fills a CPU's stock from the common free list, and from what the inactive list gives up.
    private void Refill(int cpu, ref DyingValues dying)
    {
        Flush(cpu);
        Rotate(0);
        var got = 0;
        while (got < _target && !IsEmpty(0, ListKind.Free))
        {
            Move(_nodes[HeadOf(0, ListKind.Free)].Next, cpu, ListKind.LocalFree);
            got++;
        }

        if (got < _target)
        {
            Shrink(0, _target - got, cpu, ListKind.LocalFree, ref dying);
        }

        if (_keepsOrder)
        {
            Reverse(HeadOf(cpu, ListKind.LocalFree));
        }
    }

    private void Reverse(int head)
    {
        var i = head;
        do
        {
            ref var node = ref _nodes[i];
            (node.Prev, node.Next) = (node.Next, node.Prev);
            i = node.Prev;
        }
        while (i != head);
    }

    private void Flush(int cpu)
    {
        for (var i = _nodes[HeadOf(cpu, ListKind.Pending)].Prev; i < _elemCount;)
        {
            var previous = _nodes[i].Prev;
            Move(i, 0, _nodes[i].IsMarked != 0 ? ListKind.Active : ListKind.Inactive);
            i = previous;
        }
    }

    private void Rotate(int set)
    {
        if (_inactiveCount[set] < _activeCount[set])
        {
            RotateActive(set);
        }

        RotateInactive(set);
    }

    private void RotateActive(int set)
    {
        var first = _nodes[HeadOf(set, ListKind.Active)].Next;
        var i = _nodes[HeadOf(set, ListKind.Active)].Prev;
        for (var n = 0; n < _scanMax && i < _elemCount; n++)
        {
            var previous = _nodes[i].Prev;
            var wasFirst = i == first;
            Move(i, set, _nodes[i].IsMarked != 0 ? ListKind.Active : ListKind.Inactive);
            if (wasFirst)
            {
                break;
            }

            i = previous;
        }
    }

    // Goes on where it stopped the last time: marked elements become active.
    private void RotateInactive(int set)
    {
        var head = HeadOf(set, ListKind.Inactive);
        if (IsEmpty(set, ListKind.Inactive))
        {
            return;
        }

        var last = _nodes[_rotation[set]].Next;
        last = last == head ? _nodes[last].Next : last;
        var i = _rotation[set];
        var next = head;
        for (var n = 0; n < _scanMax;)
        {
            if (i == head)
            {
                i = _nodes[i].Prev;
                continue;
            }

            next = _nodes[i].Prev;
            var isLast = i == last;
            if (_nodes[i].IsMarked != 0)
            {
                Move(i, set, ListKind.Active);
            }

            if (isLast)
            {
                break;
            }

            i = next;
            n++;
        }

        _rotation[set] = next;
    }

    // Pushes elements out of the map: unmarked inactive ones; if there are none, the oldest whatever its mark.
    private void Shrink(int set, int wanted, int toSet, ListKind to, ref DyingValues dying)
    {
        var got = 0;
        var i = _nodes[HeadOf(set, ListKind.Inactive)].Prev;
        for (var n = 0; n < _scanMax && i < _elemCount && got < wanted; n++)
        {
            var previous = _nodes[i].Prev;
            if (_nodes[i].IsMarked != 0)
            {
                Move(i, set, ListKind.Active);
            }
            else if (_evict(i, ref dying))
            {
                Move(i, toSet, to);
                got++;
            }

            i = previous;
        }

        if (got > 0)
        {
            return;
        }

        var forced = IsEmpty(set, ListKind.Inactive) ? ListKind.Active : ListKind.Inactive;
        for (i = _nodes[HeadOf(set, forced)].Prev; i < _elemCount; i = _nodes[i].Prev)
        {
            if (_evict(i, ref dying))
            {
                Move(i, toSet, to);
                return;
            }
        }
    }

    private void Move(int elem, int set, ListKind to)
    {
        ref var node = ref _nodes[elem];
        if (_rotation[SetOf(elem)] == elem)
        {
            _rotation[SetOf(elem)] = node.Prev;
        }

        Tally(SetOf(elem), node.List, -1);
        _nodes[node.Prev].Next = node.Next;
        _nodes[node.Next].Prev = node.Prev;
        node.IsMarked = 0;
        InsertAfter(HeadOf(set, to), elem, to);
        Tally(SetOf(elem), to, 1);
    }

    private void InsertAfter(int head, int elem, ListKind kind)
    {
        ref var node = ref _nodes[elem];
        node.List = kind;
        node.Prev = head;
        node.Next = _nodes[head].Next;
        _nodes[node.Next].Prev = elem;
        _nodes[head].Next = elem;
    }

    private void Tally(int set, ListKind kind, int by)
    {
        if (kind == ListKind.Active)
        {
            _activeCount[set] += by;
        }
        else if (kind == ListKind.Inactive)
        {
            _inactiveCount[set] += by;
        }
    }

    private enum ListKind : byte
    {
        Active,
        Inactive,
        Free,
        LocalFree,
        Pending,
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Node
    {
        internal int Prev;
        internal int Next;
        internal short Cpu;
        internal ListKind List;
        internal byte IsMarked;
    }
}
