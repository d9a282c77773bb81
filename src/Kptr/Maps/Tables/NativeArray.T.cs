using System.Runtime.InteropServices;
using Kptr.Objects;

namespace Kptr.Maps;

/// <summary>A zeroed native array that goes back to the system when nothing managed can reach it any more.</summary>
/// <remarks>
/// Never freed earlier: a lookup that races with the end of its map may still read it, and then finds an empty table
/// instead of crashing the host.
/// </remarks>
internal sealed unsafe class NativeArray<T>
    where T : unmanaged
{
    private const int CacheLineBytes = 64;
    private readonly long _sizeBytes;

    internal NativeArray(long length)
    {
        _sizeBytes = checked(Math.Max(1, length) * sizeof(T));
        Pointer = (T*)NativeMemory.AlignedAlloc((nuint)_sizeBytes, LargePages.AlignmentOf(_sizeBytes, CacheLineBytes));
        LargePages.Ask(Pointer, _sizeBytes);
        NativeMemory.Clear(Pointer, (nuint)_sizeBytes);
        GC.AddMemoryPressure(_sizeBytes);
    }

    ~NativeArray()
    {
        NativeMemory.AlignedFree(Pointer);
        GC.RemoveMemoryPressure(_sizeBytes);
    }

    internal T* Pointer { get; }
}
