using System.Runtime.InteropServices;
using Kptr.Objects;

namespace Kptr.Maps;

/// <summary>The pages of one arena, got from the host one by one and given back all at once.</summary>
/// <remarks>
/// Whoever may reach the pages holds this object. What changes them is called under the arena's lock; programs read
/// <see cref="Space"/> without one.
/// </remarks>
internal sealed unsafe class ArenaPages
{
    private readonly KernelHeap _heap;
    private readonly Dictionary<int, ulong> _spare = [];
    private readonly int _count;
    private long _chargedBytes;
    private bool _isFreed;

    internal ArenaPages(KernelHeap heap, ulong userVmStart, int count)
    {
        (_heap, _count) = (heap, count);
        Space = (ArenaSpace*)NativeMemory.AllocZeroed((nuint)sizeof(ArenaSpace));
        Space->Pages = (ulong*)NativeMemory.AllocZeroed((nuint)count, sizeof(ulong));
        Space->Low = (uint)userVmStart;
        Space->SizeBytes = (ulong)count * ArenaSpace.PageBytes;
    }

    ~ArenaPages()
    {
        if (!_isFreed)
        {
            FreeMemory();
        }
    }

    /// <summary>What programs go by; as good as this object is alive.</summary>
    internal ArenaSpace* Space { get; }

    /// <summary>How many pages are there.</summary>
    internal int MappedCount { get; private set; }

    /// <summary>The host's address of a page, or 0.</summary>
    internal ulong this[int page] => Space->Pages[page];

    /// <summary>Puts a page of zeros there.</summary>
    /// <returns>False where the host has no memory for it.</returns>
    internal bool TryMap(int page)
    {
        if (Space->Pages[page] != 0)
        {
            return true;
        }

        if (!_spare.TryGetValue(page, out var host) && !TryAllocate(out host))
        {
            return false;
        }

        _spare.Remove(page);
        NativeMemory.Clear((void*)host, ArenaSpace.PageBytes);
        Volatile.Write(ref Space->Pages[page], host);
        MappedCount++;
        return true;
    }

    /// <summary>Takes a page away; its memory waits for the next page at the same place.</summary>
    internal void Unmap(int page)
    {
        if (Space->Pages[page] is not 0 and var host)
        {
            _spare[page] = host;
            Volatile.Write(ref Space->Pages[page], 0);
            MappedCount--;
        }
    }

    /// <summary>Gives all memory back; the object is not used after that.</summary>
    internal void Free()
    {
        _heap.Uncharge(_chargedBytes);
        FreeMemory();
        _isFreed = true;
    }

    private bool TryAllocate(out ulong host)
    {
        host = 0;
        if (!_heap.TryCharge(ArenaSpace.PageBytes))
        {
            return false;
        }

        try
        {
            host = (ulong)NativeMemory.AlignedAlloc(ArenaSpace.PageBytes, ArenaSpace.PageBytes);
        }
        catch (OutOfMemoryException)
        {
            _heap.Uncharge(ArenaSpace.PageBytes);
            return false;
        }

        _chargedBytes += ArenaSpace.PageBytes;
        return true;
    }

    private void FreeMemory()
    {
        foreach (var host in _spare.Values)
        {
            NativeMemory.AlignedFree((void*)host);
        }

        // A finalizer also runs for what was not made to the end.
        if (Space == null)
        {
            return;
        }

        for (var page = 0; page < _count && Space->Pages != null; page++)
        {
            NativeMemory.AlignedFree((void*)Space->Pages[page]);
        }

        NativeMemory.Free(Space->Pages);
        NativeMemory.Free(Space);
    }
}
