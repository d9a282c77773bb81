using Kptr.Diagnostics;

namespace Kptr.Maps;

/// <summary>
/// The allocator of elements that are not preallocated: a cache per CPU in front of slots that wait for readers.
/// </summary>
/// <remarks>
/// A freed element goes to the cache and may be handed out again at once, with whatever its special fields hold. Only
/// when the cache overflows, fresh elements in it counted, do elements leave it: after a grace period of both RCU
/// flavours, when no writer can be late any more, their fields are destroyed (the fix 1df97a7453ee of 2026) and the
/// memory is zeroed for a later use. Giving an element back never fails for want of memory: elements are linked by
/// number, and those that nobody could be told about wait for the next that can. Kernel:
/// <c>kernel/bpf/memalloc.c</c>, with its marks.
/// </remarks>
internal sealed unsafe partial class ElemCache
{
    private readonly BpfMap _map;
    private readonly ValuePool _pool;
    private readonly RankedLock _lock = new(LockRank.ElemCache);
    private readonly ElemList[] _cached;
    private readonly ElemList[] _toReturn;
    private readonly bool[] _isPrefilled;
    private readonly int _prefillCount;
    private readonly int _lowMark;
    private readonly int _highMark;
    private readonly int _batchCount;
    private int[] _next = [];
    private ElemList _fresh;
    private ElemList _toLeave;
    private int _waitingCount;

    internal ElemCache(BpfMap map, ValuePool pool)
    {
        _map = map;
        _pool = pool;
        map.Allocator = this;
        _cached = new ElemList[map.Core.CpuCount];
        _toReturn = new ElemList[map.Core.CpuCount];
        _isPrefilled = new bool[map.Core.CpuCount];
        var size = pool.StrideBytes;
        (_prefillCount, _lowMark, _highMark) = map.IsPerCpu ? (1, 1, 3)
            : size <= 256 ? (4, 32, 96)
            : (1, Math.Max(32 * 256 / size, 1), Math.Max(96 * 256 / size, 3));
        _batchCount = Math.Max((_highMark - _lowMark) / 4 * 3, 1);
    }

    /// <summary>
    /// Whether elements are waiting for a grace period: they come back into the pool, so it must live until then.
    /// </summary>
    internal bool IsWaited
    {
        get
        {
            Send();
            using (_lock.Enter())
            {
                return _waitingCount > 0;
            }
        }
    }

    /// <summary>
    /// Takes an element, the CPU's newest cached one first. Not under a bucket's lock: it may need memory.
    /// </summary>
    /// <exception cref="OutOfMemoryException">Nothing was taken.</exception>
    internal int Take(int cpu)
    {
        using (_lock.Enter())
        {
            Prefill(cpu);
            if (_cached[cpu].Count == 0)
            {
                return TakeFresh();
            }

            var elem = Pop(ref _cached[cpu]);
            if (_cached[cpu].Count < _lowMark)
            {
                Refill(cpu, _batchCount);
            }

            return elem;
        }
    }

    /// <summary>Puts an element back that was taken and not used.</summary>
    internal void PutBack(int elem, int cpu)
    {
        using (_lock.Enter())
        {
            Push(ref _cached[cpu], elem);
        }
    }

    /// <summary>Puts an element back; its fields were treated as the destroy policy says.</summary>
    internal void Return(int elem, int cpu)
    {
        bool isOver;
        using (_lock.Enter())
        {
            isOver = ReturnLocked(elem, cpu);
        }

        if (isOver)
        {
            Send();
        }
    }

    /// <summary>Puts an element back once no reader can stand on it any more.</summary>
    internal void ReturnAfterRcu(int elem, int cpu)
    {
        using (_lock.Enter())
        {
            Push(ref _toReturn[cpu], elem);
            _waitingCount++;
        }

        Send();
    }

    /// <summary>
    /// Lets an element go for good: both grace periods, then a last look at its fields, then zeroed memory.
    /// </summary>
    internal void Leave(int elem)
    {
        using (_lock.Enter())
        {
            Push(ref _toLeave, elem);
            _waitingCount++;
        }

        Send();
    }

    internal MapCensus TakeCensus(long live)
    {
        using (_lock.Enter())
        {
            long free = _fresh.Count;
            foreach (ref readonly var cached in _cached.AsSpan())
            {
                free += cached.Count;
            }

            return new(_pool.SlotCount, live, free, Deferred: _waitingCount);
        }
    }
}
