using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Kptr.Objects;

/// <summary>A run of native memory that one <see cref="HeapSlab"/> cuts into equal slots.</summary>
/// <remarks>
/// The memory goes back to the system when nothing managed can reach the chunk any more, and never before: an
/// object's memory stays readable after the object, and after the kernel was disposed. A chunk begins at a multiple of
/// <see cref="UnitBytes"/>, with a header; every kernel object begins in the first unit of its chunk, so that the
/// header is found from the object's address by masking.
/// </remarks>
internal sealed unsafe class HeapChunk
{
    internal const int UnitShift = 16;
    internal const int UnitBytes = 1 << UnitShift;
    internal const int HeaderBytes = 64;
    private const int PageBytes = 4096;
    // Well above what the C library takes from its own heap, whose memory it has to clear.
    private const long ZeroedBytesMin = 64L << 20;
    private readonly void* _memory;
    private int _usedCount;
    private long _touchedBytes;

    internal HeapChunk(HeapSlab slab, int slotCount, HeapWatch watch)
    {
        Slab = slab;
        SlotCount = slotCount;
        SizeBytes = checked(HeaderBytes + (slotCount * slab.StrideBytes) + UnitBytes - 1) & -UnitBytes;
        var alignment = LargePages.AlignmentOf(SizeBytes, UnitBytes);
        IsZeroed = SizeBytes >= ZeroedBytesMin;

        // The system maps pages of this size when they are touched, and they are zero: a large map costs what it holds.
        _memory = IsZeroed
            ? NativeMemory.AllocZeroed(checked((nuint)SizeBytes + alignment))
            : NativeMemory.AlignedAlloc((nuint)SizeBytes, alignment);
        Base = IsZeroed ? ((ulong)_memory + alignment - 1) & ~(ulong)(alignment - 1) : (ulong)_memory;
        LargePages.Ask((void*)Base, SizeBytes);
        Wrappers = slab.HoldsObjects ? new KernelObject?[slotCount] : [];
        SetWatch(watch);
    }

    ~HeapChunk()
    {
        for (var i = 0; Slab.HoldsObjects && i < _usedCount; i++)
        {
            HeapHeader.Of(AddressOf(i)).Wrapper.Dispose();
        }

        if (_memory == null)
        {
            // There was no memory to be had.
            return;
        }

        if (IsZeroed)
        {
            NativeMemory.Free(_memory);
        }
        else
        {
            NativeMemory.AlignedFree(_memory);
        }

        if (_touchedBytes > 0)
        {
            GC.RemoveMemoryPressure(_touchedBytes);
        }
    }

    internal HeapSlab Slab { get; }

    internal ulong Base { get; }

    internal long SizeBytes { get; }

    internal int SlotCount { get; }

    /// <summary>Whether memory that was never handed out is zero already.</summary>
    internal bool IsZeroed { get; }

    /// <summary>Slots that were handed out at least once; the memory of the others was never touched.</summary>
    internal int UsedCount => Volatile.Read(ref _usedCount);

    /// <summary>The C# object of each slot, which this keeps alive; empty where the slab holds plain memory.</summary>
    internal KernelObject?[] Wrappers { get; }

    /// <summary>Whether the ledger follows references on the object at this address one by one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool IsFollowing(ulong address) => (WatchOn(address) & HeapWatch.References) != 0;

    /// <summary>
    /// Whether what is done with the object at this address must be looked at, one by one: the slow path asks why.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool IsWatched(ulong address) =>
        (WatchOn(address) & (HeapWatch.References | HeapWatch.Slots)) != 0;

    /// <summary>Whether an acquire of the object at this address is to be looked at.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool IsAcquireWatched(ulong address) =>
        (WatchOn(address) & (HeapWatch.References | HeapWatch.Acquires)) != 0;

    internal void SetWatch(HeapWatch watch) => Volatile.Write(ref *(int*)Base, (int)watch);

    internal ulong AddressOf(int slot) =>
        Base + HeaderBytes + ((ulong)slot * (ulong)Slab.StrideBytes) + HeapHeader.SizeBytes;

    /// <summary>
    /// Prepares the next slot that was never used; 0 when there is none. Caller holds the slab's lock.
    /// </summary>
    internal ulong UseNext()
    {
        if (_usedCount == SlotCount)
        {
            return 0;
        }

        var address = AddressOf(_usedCount);
        TouchUpTo((long)(address - Base) + Slab.StrideBytes);
        var handle = Slab.HoldsObjects ? new WeakGCHandle<KernelObject?>(null) : default;
        HeapHeader.Of(address) = new HeapHeader { Wrapper = handle, Index = _usedCount };
        Volatile.Write(ref _usedCount, _usedCount + 1);
        return address;
    }

    /// <summary>Changes the C# object of a slot.</summary>
    internal void SetWrapper(ulong address, KernelObject? wrapper)
    {
        ref var header = ref HeapHeader.Of(address);
        Wrappers[header.Index] = wrapper;
        header.Wrapper.SetTarget(wrapper);
    }

    // The collector is told of memory that is used. A kernel has a chunk for each kind of thing and few things of each:
    // told of whole chunks, it collected after every twentieth small kernel.
    private void TouchUpTo(long bytes)
    {
        var pages = Math.Min((bytes + PageBytes - 1) & -PageBytes, SizeBytes);
        if (pages > _touchedBytes)
        {
            GC.AddMemoryPressure(pages - _touchedBytes);
            _touchedBytes = pages;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static HeapWatch WatchOn(ulong address) =>
        (HeapWatch)Volatile.Read(ref *(int*)(address & ~(ulong)(UnitBytes - 1)));
}
