using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Kptr.Objects;

/// <summary>The 16 hidden bytes before every allocation: they lead from an address back to managed code.</summary>
/// <remarks>
/// <code>
/// -16  handle to the wrapper (weak; made once with the slot, its target changes as the slot is used and freed)
///  -8  slot index in the chunk
///  -4  state (low 2 bits) and generation (how often the slot was handed out)
///   0  the object
/// </code>
/// The handle belongs to the slot and not to the object, so a stale address finds nothing or a later tenant of the same
/// slab, and never a dangling handle.
/// </remarks>
[StructLayout(LayoutKind.Sequential)]
internal struct HeapHeader
{
    internal const int SizeBytes = 16;
    private const uint StateMask = 3;

    internal WeakGCHandle<KernelObject?> Wrapper;
    internal int Index;
    private uint _stateAndGeneration;

    internal readonly HeapState State => (HeapState)(_stateAndGeneration & StateMask);

    internal readonly uint Generation => _stateAndGeneration >> 2;

    internal static unsafe ref HeapHeader Of(ulong address) => ref *(HeapHeader*)(address - SizeBytes);

    /// <summary>
    /// The wrapper of the kernel object that starts at <paramref name="address"/>; null once it is freed.
    /// </summary>
    /// <remarks>
    /// The address must be one that an object slab handed out; <see cref="KernelHeap.FindObject"/> takes any.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static KernelObject? WrapperOf(ulong address) =>
        Of(address).Wrapper.TryGetTarget(out var wrapper) ? wrapper : null;

    internal void Set(HeapState state, bool nextGeneration = false)
    {
        var generation = Generation + (nextGeneration ? 1u : 0u);
        Volatile.Write(ref _stateAndGeneration, (generation << 2) | (uint)state);
    }
}
