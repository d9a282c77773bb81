using System.Runtime.InteropServices;

namespace Kptr.Objects;

/// <summary>A run of native memory that one <see cref="HeapSlab"/> cuts into equal slots.</summary>
/// <remarks>
/// The memory goes back to the system when nothing managed can reach the chunk any more, and never before: an
/// object's memory stays readable after the object, and after the kernel was disposed.
/// </remarks>
internal sealed unsafe class HeapChunk
{
    internal const int UnitShift = 16;
    internal const int UnitBytes = 1 << UnitShift;
    private readonly nint _handle;

    internal HeapChunk(HeapSlab slab, int slotCount)
    {
        Slab = slab;
        SlotCount = slotCount;
        SizeBytes = ((slotCount * (long)slab.StrideBytes) + UnitBytes - 1) & -UnitBytes;
        Base = (ulong)NativeMemory.AlignedAlloc((nuint)SizeBytes, UnitBytes);
        GC.AddMemoryPressure(SizeBytes);
        Wrappers = slab.HoldsObjects ? new KernelObject?[slotCount] : [];
        _handle = GCHandle.ToIntPtr(GCHandle.Alloc(this, GCHandleType.Weak));
        for (var i = 0; i < slotCount; i++)
        {
            HeapHeader.Of(AddressOf(i)) = new HeapHeader { Chunk = _handle, Index = i };
        }
    }

    ~HeapChunk()
    {
        NativeMemory.AlignedFree((void*)Base);
        GC.RemoveMemoryPressure(SizeBytes);
        GCHandle.FromIntPtr(_handle).Free();
    }

    internal HeapSlab Slab { get; }

    internal ulong Base { get; }

    internal long SizeBytes { get; }

    internal int SlotCount { get; }

    /// <summary>The C# object of each slot; empty where the slab holds plain memory.</summary>
    internal KernelObject?[] Wrappers { get; }

    internal ulong AddressOf(int slot) => Base + ((ulong)slot * (ulong)Slab.StrideBytes) + HeapHeader.SizeBytes;
}
