using System.Runtime.CompilerServices;

namespace Kptr.Maps;

/// <summary>
/// Free slots of a map, by index: a stock for each CPU, and a depot behind them. The newest go out first.
/// </summary>
/// <remarks>
/// Stocks are filled from the depot and relieved into it many slots at a time. The depot is a lock-free stack: its head
/// holds an index and a count of its changes, so that a slot which left and came back is noticed. The links lie outside
/// the elements: a reader that still stands on a freed element must be able to walk on. A CPU that finds both empty
/// takes from the others, so no slot is out of reach. Kernel: <c>kernel/bpf/percpu_freelist.c</c>.
/// </remarks>
internal sealed unsafe class PcpuFreelist
{
    private const int None = -1;
    private const int BatchMax = PcpuFreelistHead.SlotsMax / 2;
    private readonly NativeArray<PcpuFreelistHead> _stocks;
    private readonly NativeArray<int> _links;
    private readonly int _cpuCount;
    private readonly int _cpuMask;
    private readonly int _slotCount;
    private readonly int _batch;
    private long _depot = uint.MaxValue;
    private int _depotCount;
    private int _usedCount;

    internal PcpuFreelist(int slotCount, int cpuCount)
    {
        _slotCount = slotCount;
        _cpuCount = cpuCount;
        _cpuMask = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)cpuCount + 1) / 2 - 1;
        _batch = Math.Clamp(slotCount / (2 * cpuCount), 1, BatchMax);
        _stocks = new(cpuCount);
        _links = new(slotCount);
        for (var cpu = 0; cpu < cpuCount; cpu++)
        {
            Stock(cpu)->OmitExtraElem();
        }
    }

    /// <summary>Free slots, extra elements not counted; exact while nobody pushes or pops.</summary>
    internal int Count
    {
        get
        {
            var count = Volatile.Read(ref _depotCount) + Math.Max(0, _slotCount - Volatile.Read(ref _usedCount));
            for (var cpu = 0; cpu < _cpuCount; cpu++)
            {
                count += Volatile.Read(ref Stock(cpu)->Count);
            }

            return count;
        }
    }

    /// <summary>Extra elements that are where they belong.</summary>
    internal int ExtraElemCount => Enumerable.Range(0, _cpuCount).Count(cpu => Stock(cpu)->HasExtraElem);

    /// <summary>A CPU's stock.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal PcpuFreelistHead* Stock(int cpu) => _stocks.Pointer + cpu;

    /// <summary>The stock near the calling thread, where it does not matter which modelled CPU's that is.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal PcpuFreelistHead* StockNearby() => Stock(Thread.GetCurrentProcessorId() & _cpuMask);

    internal void Push(int slot, int cpu) => Push(slot, Stock(cpu));

    internal int Pop(int cpu) => Pop(Stock(cpu));

    /// <summary>Adds a free slot.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Push(int slot, PcpuFreelistHead* stock)
    {
        stock->Enter();
        if (stock->Count == PcpuFreelistHead.SlotsMax)
        {
            Relieve(stock);
        }

        stock->Slots[stock->Count] = slot;
        Volatile.Write(ref stock->Count, stock->Count + 1);
        stock->Exit();
    }

    /// <summary>Takes a slot, the newest of this stock first; -1 when no CPU has any.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal int Pop(PcpuFreelistHead* stock)
    {
        stock->Enter();
        var slot = stock->Count > 0 || Refill(stock) ? stock->TakeNewest() : None;
        stock->Exit();
        return slot >= 0 ? slot : Steal(stock);
    }

    /// <summary>Sets one slot aside for each CPU. Before anything else.</summary>
    internal void SetExtraElemsAside()
    {
        for (var cpu = 0; cpu < _cpuCount; cpu++)
        {
            Stock(cpu)->ReturnExtraElem(_usedCount++);
        }
    }

    /// <summary>Calls back for every free slot. The caller lets nobody push or pop meanwhile.</summary>
    internal void Walk(Action<int> visit)
    {
        for (var cpu = 0; cpu < _cpuCount; cpu++)
        {
            for (var i = 0; i < Stock(cpu)->Count; i++)
            {
                visit(Stock(cpu)->Slots[i]);
            }
        }

        for (var slot = (int)Volatile.Read(ref _depot); slot >= 0; slot = _links.Pointer[slot])
        {
            visit(slot);
        }

        for (var slot = Volatile.Read(ref _usedCount); slot < _slotCount; slot++)
        {
            visit(slot);
        }
    }

    private static long Next(long old, int slot) => (((old >> 32) + 1) << 32) | (uint)slot;

    // Moves the oldest half of a full stock to the depot, the newest of it on top. Needs the stock's lock.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Relieve(PcpuFreelistHead* stock)
    {
        for (var i = 1; i < BatchMax; i++)
        {
            Volatile.Write(ref _links.Pointer[stock->Slots[i]], stock->Slots[i - 1]);
        }

        long old;
        do
        {
            old = Volatile.Read(ref _depot);
            Volatile.Write(ref _links.Pointer[stock->Slots[0]], (int)old);
        }
        while (Interlocked.CompareExchange(ref _depot, Next(old, stock->Slots[BatchMax - 1]), old) != old);
        Interlocked.Add(ref _depotCount, BatchMax);
        for (var i = BatchMax; i < PcpuFreelistHead.SlotsMax; i++)
        {
            stock->Slots[i - BatchMax] = stock->Slots[i];
        }

        Volatile.Write(ref stock->Count, PcpuFreelistHead.SlotsMax - BatchMax);
    }

    // Fills an empty stock: with used slots before such as never were. Meanwhile its count is not zero, so that who
    // finds the depot empty waits for the outcome instead of calling the map full. Needs the stock's lock.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool Refill(PcpuFreelistHead* stock)
    {
        if ((int)Volatile.Read(ref _depot) < 0 && Volatile.Read(ref _usedCount) >= _slotCount)
        {
            return false;
        }

        Volatile.Write(ref stock->Count, 1);
        var count = TakeFromDepot(stock);
        count = count > 0 ? count : TakeUnused(stock);
        Volatile.Write(ref stock->Count, count);
        return count > 0;
    }

    private int TakeFromDepot(PcpuFreelistHead* stock)
    {
        while (true)
        {
            var old = Volatile.Read(ref _depot);
            var count = 0;
            var slot = (int)old;
            for (; slot >= 0 && count < _batch; slot = Volatile.Read(ref _links.Pointer[slot]))
            {
                stock->Slots[_batch - 1 - count++] = slot;
            }

            if (count == 0)
            {
                return 0;
            }

            // Links may have been read while others changed them; then the head has changed, too.
            if (Interlocked.CompareExchange(ref _depot, Next(old, slot), old) == old)
            {
                Interlocked.Add(ref _depotCount, -count);
                for (var i = 0; i < count; i++)
                {
                    stock->Slots[i] = stock->Slots[_batch - count + i];
                }

                return count;
            }
        }
    }

    private int TakeUnused(PcpuFreelistHead* stock)
    {
        if (Volatile.Read(ref _usedCount) >= _slotCount)
        {
            return 0;
        }

        var end = Interlocked.Add(ref _usedCount, _batch);
        var first = end - _batch;
        var count = Math.Max(0, Math.Min(end, _slotCount) - first);
        for (var i = 0; i < count; i++)
        {
            stock->Slots[count - 1 - i] = first + i;
        }

        return count;
    }

    // Takes one slot from another CPU's stock; -1 when no CPU has any.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private int Steal(PcpuFreelistHead* own)
    {
        for (var i = 1; i < _cpuCount; i++)
        {
            var stock = Stock((int)((own - Stock(0)) + i) % _cpuCount);
            if (Volatile.Read(ref stock->Count) == 0)
            {
                continue;
            }

            stock->Enter();
            var slot = stock->Count > 0 ? stock->TakeNewest() : None;
            stock->Exit();
            if (slot >= 0)
            {
                return slot;
            }
        }

        return None;
    }
}
