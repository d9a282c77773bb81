using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Kptr.Maps;

/// <summary>One CPU's free slots at hand, the newest last; and the one slot it keeps back to swap in.</summary>
/// <remarks>Padded, so that neighbouring CPUs share no cache line, nor the pair of lines that processors fetch together.</remarks>
[StructLayout(LayoutKind.Explicit, Size = SizeBytes)]
internal unsafe struct SlotStock
{
    /// <summary>Slots that fit.</summary>
    internal const int SlotsMax = 64;

    /// <summary>In <see cref="Spare"/>: not there, or somebody has it for the moment.</summary>
    internal const int Taken = -1;

    private const int SlotsOffset = 64;
    private const int SizeBytes = 384;

    [FieldOffset(0)]
    internal BiasedLock Lock;

    [FieldOffset(24)]
    internal int Spare;

    /// <summary>Number of slots here. Written under the lock.</summary>
    [FieldOffset(28)]
    internal int Count;

    /// <summary>The slots, the oldest first. Only under the lock.</summary>
    [FieldOffset(SlotsOffset)]
    internal fixed int Slots[SlotsMax];

    /// <summary>Takes the newest of one or more slots. Only under the lock.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal int TakeNewest()
    {
        var slot = Slots[Count - 1];
        Volatile.Write(ref Count, Count - 1);
        return slot;
    }
}
