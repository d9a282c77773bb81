using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Kptr.Objects;

/// <summary>The 16 hidden bytes before every allocation: they lead from an address back to managed code.</summary>
/// <remarks>
/// <code>
/// -16  handle of the chunk (weak; written once, valid as long as the heap)
///  -8  slot index in the chunk
///  -4  state (low 2 bits) and generation (how often the slot was handed out)
///   0  the object
/// </code>
/// The handle names the chunk, never the object: a stale address can thus at worst find a later tenant of the same
/// slab, and never a dangling handle.
/// </remarks>
[StructLayout(LayoutKind.Sequential)]
internal struct HeapHeader
{
    internal const int SizeBytes = 16;
    private const uint StateMask = 3;

    internal nint Chunk;
    internal int Index;
    private uint _stateAndGeneration;

    internal readonly HeapState State => (HeapState)(_stateAndGeneration & StateMask);

    internal readonly uint Generation => _stateAndGeneration >> 2;

    internal static unsafe ref HeapHeader Of(ulong address) => ref *(HeapHeader*)(address - SizeBytes);

    /// <summary>The wrapper of the kernel object that starts at <paramref name="address"/>; null once it is freed.</summary>
    /// <remarks>The address must be one that the heap handed out; <see cref="KernelHeap.TryFindRegion"/> takes any.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static KernelObject? WrapperOf(ulong address)
    {
        ref var header = ref Of(address);
        var chunk = Unsafe.As<HeapChunk>(GCHandle.FromIntPtr(header.Chunk).Target!);
        return chunk.Wrappers[header.Index];
    }

    internal void Set(HeapState state, bool nextGeneration = false)
    {
        var generation = Generation + (nextGeneration ? 1u : 0u);
        Volatile.Write(ref _stateAndGeneration, (generation << 2) | (uint)state);
    }
}
