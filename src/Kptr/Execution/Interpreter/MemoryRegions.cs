using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;

namespace Kptr.Execution;

/// <summary>A stretch of memory that a run may touch.</summary>
internal readonly record struct Region(ulong Address, ulong SizeBytes, bool IsWritable)
{
    internal bool Holds(ulong address, ulong sizeBytes) =>
        sizeBytes <= SizeBytes && address - Address <= SizeBytes - sizeBytes;

    internal bool Allows(ulong address, ulong sizeBytes, bool isWrite) =>
        Holds(address, sizeBytes) && (IsWritable || !isWrite);
}

/// <summary>
/// What one run may touch besides its stack and context: what it was given, and the modelled kernel's heap.
/// </summary>
internal sealed class MemoryRegions
{
    private Region? _first;
    private List<Region>? _others;

    /// <summary>The heap of the kernel that the run is in; null for none.</summary>
    internal KernelHeap? Heap { get; set; }

    /// <summary>Makes memory accessible until the run ends.</summary>
    internal void Add(Region region)
    {
        // Runs with a packet are given one: no list for that.
        if (_first is null)
        {
            _first = region;
        }
        else
        {
            (_others ??= []).Add(region);
        }
    }

    /// <summary>Takes everything away: the run has ended.</summary>
    internal void Clear()
    {
        _first = null;
        _others = null;
    }

    /// <summary>Takes away what <see cref="Add"/> gave; does nothing where no such region begins here.</summary>
    internal void Remove(ulong address)
    {
        if (_first?.Address == address)
        {
            _first = null;
        }

        _others?.RemoveAll(r => r.Address == address);
    }

    /// <summary>Finds the live region that holds all of these bytes.</summary>
    /// <param name="address">Any value at all.</param>
    /// <param name="sizeBytes">How many bytes.</param>
    /// <param name="isWrite">Whether they are to be written.</param>
    /// <param name="region">The whole region.</param>
    /// <param name="code">Why not, where the answer is no.</param>
    internal bool TryFind(ulong address, ulong sizeBytes, bool isWrite, out Region region, out DiagCode code)
    {
        code = DiagCode.RunBadAccess;
        if (TryFindOwn(address, sizeBytes, isWrite, out region))
        {
            return true;
        }

        if (Heap is null || sizeBytes > int.MaxValue || !Heap.TryFindRegion(address, (int)sizeBytes, out var found))
        {
            return false;
        }

        if (found.State != HeapState.Live)
        {
            code = DiagCode.RunUseAfterFree;
            return false;
        }

        region = RegionAt(found, address);
        return region.Allows(address, sizeBytes, isWrite);
    }

    private bool TryFindOwn(ulong address, ulong sizeBytes, bool isWrite, out Region region)
    {
        region = _first ?? default;
        if (_first is not null && region.Allows(address, sizeBytes, isWrite))
        {
            return true;
        }

        for (var i = 0; i < (_others?.Count ?? 0); i++)
        {
            region = _others![i];
            if (region.Allows(address, sizeBytes, isWrite))
            {
                return true;
            }
        }

        region = default;
        return false;
    }

    // Of a map's memory, one value: the next one is out of bounds, though it lies in the same block.
    private static Region RegionAt(HeapRegion found, ulong address)
    {
        if (found.Slab.Owner is not BpfMap map)
        {
            return new(found.Address, (ulong)found.SizeBytes, IsWritable: true);
        }

        var part = map.PartAt(found.Address, found.SizeBytes, address);
        return new(part.Address, (ulong)part.SizeBytes, part.IsWritable);
    }
}
