using System.Runtime.InteropServices;
using Kptr.Diagnostics;

namespace Kptr.Objects;

/// <summary>
/// A pool of equal, zeroed, type-stable allocations: a slot is only ever used again for the same kind of thing.
/// </summary>
/// <remarks>Safe for any number of threads. Memory is not given back before the whole heap goes.</remarks>
internal sealed unsafe class HeapSlab
{
    internal const byte PoisonByte = 0x6b;

    // To poison all of a huge block would touch pages that nobody ever did.
    private const long PoisonedBytesMax = 64L << 20;
    private readonly KernelHeap _heap;
    private readonly RankedLock _lock = new(LockRank.Slab);
    private readonly Stack<ulong> _free = [];
    private readonly Queue<ulong> _quarantine = [];
    private readonly List<HeapChunk> _chunks = [];
    private long _liveCount;
    private long _createdCount;

    internal HeapSlab(KernelHeap heap, string name, long sizeBytes, int slotsPerChunk, bool holdsObjects,
        IReferenceSource? owner)
    {
        _heap = heap;
        Name = name;
        SizeBytes = sizeBytes;
        AllocBytes = sizeBytes;
        HoldsObjects = holdsObjects;
        Owner = owner;
        StrideBytes = (sizeBytes + HeapHeader.SizeBytes + 15) & ~15L;
        SlotsPerChunk = slotsPerChunk > 0 && !holdsObjects ? slotsPerChunk
            : (int)Math.Max(1, (HeapChunk.UnitBytes - HeapChunk.HeaderBytes) / StrideBytes);
    }

    internal string Name { get; }

    /// <summary>Bytes that a program may see of each allocation.</summary>
    internal long SizeBytes { get; init; }

    /// <summary>Bytes of each allocation, those included that only the model uses.</summary>
    internal long AllocBytes { get; }

    internal long StrideBytes { get; }

    internal bool HoldsObjects { get; }

    /// <summary>Who can say what a kptr slot in this memory is (a map); null for kernel objects.</summary>
    internal IReferenceSource? Owner { get; }

    /// <summary>How what is in it lies in memory; null for plain blocks and what maps own.</summary>
    internal ObjectLayout? Layout { get; set; }

    internal long LiveCount => Interlocked.Read(ref _liveCount);

    /// <summary>How often memory was handed out.</summary>
    internal long CreatedCount => Interlocked.Read(ref _createdCount);

    /// <summary>Whether it holds one block and nothing else ever.</summary>
    internal bool IsBlock { get; init; }

    private int SlotsPerChunk { get; }

    /// <summary>
    /// Hands out zeroed memory. Of an object, nothing leads to its wrapper before <see cref="SetWrapper"/>.
    /// </summary>
    internal ulong Allocate()
    {
        ulong address;
        var isZero = false;
        using (_lock.Enter())
        {
            if (!_free.TryPop(out address))
            {
                address = UseNext();
                isZero = _chunks[^1].IsZeroed;
            }

            _liveCount++;
            _createdCount++;
        }

        if (!isZero)
        {
            NativeMemory.Clear((void*)address, (nuint)AllocBytes);
        }

        HeapHeader.Of(address).Set(HeapState.Live, nextGeneration: true);
        return address;
    }

    /// <summary>From now on the object's memory leads to its C# side, which it keeps alive.</summary>
    internal void SetWrapper(ulong address, KernelObject wrapper) => ChunkOf(address).SetWrapper(address, wrapper);

    /// <summary>Takes memory back. Where checking is on it is poisoned and held back for a while.</summary>
    /// <returns>False, and nothing is done, when the memory is not live: a second free.</returns>
    internal bool TryFree(ulong address)
    {
        using (_lock.Enter())
        {
            ref var header = ref HeapHeader.Of(address);
            if (header.State != HeapState.Live)
            {
                return false;
            }

            if (HoldsObjects)
            {
                ChunkOf(address).SetWrapper(address, null);
            }

            _liveCount--;
            if (!_heap.IsChecked)
            {
                header.Set(HeapState.Free);
                _free.Push(address);
                return true;
            }

            header.Set(HeapState.Quarantined);
            NativeMemory.Fill((void*)address, (nuint)Math.Min(AllocBytes, PoisonedBytesMax), PoisonByte);
            _quarantine.Enqueue(address);
            if (_quarantine.Count > _heap.QuarantineSlotsMax)
            {
                var oldest = _quarantine.Dequeue();
                HeapHeader.Of(oldest).Set(HeapState.Free);
                _free.Push(oldest);
            }

            return true;
        }
    }

    /// <summary>The live kernel objects of this slab, as of some moment during the call.</summary>
    internal List<KernelObject> LiveObjects()
    {
        using (_lock.Enter())
        {
            return [.. _chunks.SelectMany(c => c.Wrappers).OfType<KernelObject>()];
        }
    }

    /// <summary>Marks all chunks that there are.</summary>
    internal void SetWatch(HeapWatch watch)
    {
        using (_lock.Enter())
        {
            _chunks.ForEach(c => c.SetWatch(watch));
        }
    }

    private HeapChunk ChunkOf(ulong address) => _heap.FindChunk(address)!;

    private ulong UseNext()
    {
        if (_chunks.Count > 0 && _chunks[^1].UseNext() is var next and not 0)
        {
            return next;
        }

        var chunk = _heap.AddChunk(this, SlotsPerChunk);
        _chunks.Add(chunk);
        return chunk.UseNext();
    }
}
