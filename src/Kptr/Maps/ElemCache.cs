using Kptr.Diagnostics;

namespace Kptr.Maps;

/// <summary>
/// The allocator of elements that are not preallocated: for each CPU a stock, and lists of what waits for grace
/// periods.
/// </summary>
/// <remarks>
/// <para>
/// A freed element goes to its CPU's stock and may be handed out again at once, with whatever its special fields hold;
/// given back by <see cref="ReturnAfterRcu"/>, only after readers. What a stock above its high mark, fresh elements in
/// it counted, is rid of, and what readers were waited for, then waits for a grace period of both RCU flavours. A stock
/// below its low mark takes from those that wait before it takes fresh ones. When no writer can be late any more, the
/// fields of the others are destroyed (the fix 1df97a7453ee of 2026) and their memory is zeroed for a later use.
/// </para>
/// <para>
/// What Linux does in irq work is done here before the call returns. Giving an element back never fails for want of
/// memory: elements are linked by number, and those that nobody could be told about wait for the next call of that CPU.
/// Kernel: <c>kernel/bpf/memalloc.c</c>, with its marks and lists.
/// </para>
/// </remarks>
internal sealed unsafe partial class ElemCache
{
    private readonly BpfMap _map;
    private readonly ValuePool _pool;
    private readonly RankedLock _lock = new(LockRank.ElemCache);
    private readonly CpuStock[] _stocks;
    private readonly int _prefillCount;
    private readonly int _lowMark;
    private readonly int _highMark;
    private readonly int _batchCount;
    private int[] _next = [];
    private int[] _takenOn = [];
    private ElemList _fresh;
    private ElemList _toLeave;
    private int _leavingCount;
    private int _callsInFlight;

    internal ElemCache(BpfMap map, ValuePool pool)
    {
        _map = map;
        _pool = pool;
        map.Allocator = this;
        _stocks = new CpuStock[map.Core.CpuCount];
        for (var cpu = 0; cpu < _stocks.Length; cpu++)
        {
            _stocks[cpu] = new(this);
        }

        var size = pool.StrideBytes;
        (_prefillCount, _lowMark, _highMark) = map.IsPerCpu ? (1, 1, 3)
            : size <= 256 ? (4, 32, 96)
            : (1, Math.Max(32 * 256 / size, 1), Math.Max(96 * 256 / size, 3));
        _batchCount = Math.Max((_highMark - _lowMark) / 4 * 3, 1);
    }

    /// <summary>
    /// Whether a grace period is waited for: elements come back into the pool then, so it must live until that.
    /// </summary>
    internal bool IsWaited
    {
        get
        {
            Send();
            using (_lock.Enter())
            {
                return Volatile.Read(ref _callsInFlight) > 0 || _toLeave.Count > 0;
            }
        }
    }

    /// <summary>
    /// Takes an element, the CPU's newest cached one first. Not under a bucket's lock: it may need memory.
    /// </summary>
    /// <exception cref="OutOfMemoryException">Nothing was taken.</exception>
    internal int Take(int cpu)
    {
        var stock = _stocks[cpu];
        int elem;
        bool isLow;
        using (_lock.Enter())
        {
            stock.Prefill();
            elem = stock.Free.Count > 0 ? Pop(ref stock.Free) : TakeFresh();
            _takenOn[elem] = cpu;
            isLow = stock.Free.Count < _lowMark;
            if (isLow)
            {
                stock.Refill(_batchCount);
            }
        }

        if (isLow)
        {
            stock.SendToRcu();
        }

        return elem;
    }

    /// <summary>Puts an element back that was taken and not used.</summary>
    internal void PutBack(int elem, int cpu)
    {
        using (_lock.Enter())
        {
            Push(ref _stocks[cpu].Free, elem);
        }
    }

    /// <summary>Puts an element back; its fields were treated as the destroy policy says.</summary>
    internal void Return(int elem, int cpu)
    {
        var stock = _stocks[cpu];
        bool isOver;
        using (_lock.Enter())
        {
            stock.Prefill();
            stock.Target = _stocks[_takenOn[elem]];
            Push(ref stock.Free, elem);
            isOver = stock.Free.Count > _highMark;
        }

        if (isOver)
        {
            stock.Balance();
        }
    }

    /// <summary>Puts an element back once no reader can stand on it any more.</summary>
    internal void ReturnAfterRcu(int elem, int cpu)
    {
        var stock = _stocks[cpu];
        using (_lock.Enter())
        {
            stock.Prefill();
            stock.Target = _stocks[_takenOn[elem]];
            Push(ref stock.ForRcu, elem);
            if (stock.IsRcuCalled)
            {
                return;
            }
        }

        stock.Balance();
    }

    /// <summary>
    /// Lets an element go for good: both grace periods, then a last look at its fields, then zeroed memory.
    /// </summary>
    internal void Leave(int elem)
    {
        using (_lock.Enter())
        {
            Push(ref _toLeave, elem);
            _leavingCount++;
        }

        Send();
    }

    internal MapCensus TakeCensus(long live)
    {
        using (_lock.Enter())
        {
            long free = _fresh.Count;
            long deferred = _leavingCount;
            foreach (var stock in _stocks)
            {
                free += stock.Free.Count;
                deferred += stock.DeferredCount;
            }

            return new(_pool.SlotCount, live, free, Deferred: deferred);
        }
    }
}
