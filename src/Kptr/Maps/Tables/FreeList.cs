namespace Kptr.Maps;

/// <summary>Free slots of a map, by index: one last-in-first-out stack for each CPU, which steals from the others when empty.</summary>
/// <remarks>
/// Lock-free. A head holds an index and a count of its changes, so that a slot which left and came back is noticed. The links
/// lie outside the elements: a reader that still stands on a freed element must be able to walk on.
/// Kernel: <c>kernel/bpf/percpu_freelist.c</c>.
/// </remarks>
internal sealed unsafe class FreeList
{
    private const int HeadsPerLine = 8;
    private readonly NativeArray<long> _heads;
    private readonly int _cpuCount;
    private readonly NativeArray<int> _links;

    internal FreeList(int slotCount, int cpuCount)
    {
        _cpuCount = cpuCount;
        _heads = new(cpuCount * HeadsPerLine);
        _links = new(slotCount);
        for (var cpu = 0; cpu < cpuCount; cpu++)
        {
            Head(cpu) = uint.MaxValue;
        }
    }

    /// <summary>Gives the slots of a range to the CPUs in equal runs; low indexes come out first.</summary>
    internal void Fill(int first, int count)
    {
        var share = (count + _cpuCount - 1) / _cpuCount;
        for (var i = first + count - 1; i >= first; i--)
        {
            Push(i, (i - first) / share);
        }
    }

    internal void Push(int slot, int cpu)
    {
        ref var head = ref Head(cpu);
        while (true)
        {
            var old = Volatile.Read(ref head);
            Volatile.Write(ref _links.Pointer[slot], (int)old);
            if (Interlocked.CompareExchange(ref head, Next(old, slot), old) == old)
            {
                return;
            }
        }
    }

    /// <summary>Takes a slot, the caller's CPU's newest first; -1 when no CPU has any.</summary>
    internal int Pop(int cpu)
    {
        var slot = PopFrom(ref Head(cpu));
        return slot >= 0 ? slot : Steal(cpu);
    }

    /// <summary>Calls back for every free slot. The caller lets nobody push or pop meanwhile.</summary>
    internal void Walk(Action<int> visit)
    {
        for (var cpu = 0; cpu < _cpuCount; cpu++)
        {
            for (var slot = (int)Volatile.Read(ref Head(cpu)); slot >= 0; slot = _links.Pointer[slot])
            {
                visit(slot);
            }
        }
    }

    private int Steal(int cpu)
    {
        var slot = -1;
        for (var other = 0; other < _cpuCount && slot < 0; other++)
        {
            slot = other == cpu ? -1 : PopFrom(ref Head(other));
        }

        return slot;
    }

    private static long Next(long old, int slot) => (((old >> 32) + 1) << 32) | (uint)slot;

    private ref long Head(int cpu) => ref _heads.Pointer[cpu * HeadsPerLine];

    private int PopFrom(ref long head)
    {
        while (true)
        {
            var old = Volatile.Read(ref head);
            var slot = (int)old;
            if (slot < 0)
            {
                return -1;
            }

            if (Interlocked.CompareExchange(ref head, Next(old, Volatile.Read(ref _links.Pointer[slot])), old) == old)
            {
                return slot;
            }
        }
    }
}
