using System.Runtime.InteropServices;

namespace Kptr.Testing.Schedules;

/// <summary>
/// Native memory that rewritten code got: what lies there never moves, so that a store to it can be held.
/// </summary>
internal static unsafe class NativeBlocks
{
    private static readonly Lock s_lock = new();
    private static readonly SortedList<nuint, nuint> s_sizes = [];

    internal static bool Contains(nint address, int sizeBytes)
    {
        lock (s_lock)
        {
            var (low, high) = (0, s_sizes.Count);
            while (low < high)
            {
                var middle = (low + high) / 2;
                (low, high) = s_sizes.GetKeyAtIndex(middle) <= (nuint)address ? (middle + 1, high) : (low, middle);
            }

            return low > 0 && (nuint)address + (nuint)sizeBytes
                <= s_sizes.GetKeyAtIndex(low - 1) + s_sizes.GetValueAtIndex(low - 1);
        }
    }

    internal static void* Alloc(nuint bytes) => Note(NativeMemory.Alloc(bytes), bytes);

    internal static void* AllocZeroed(nuint bytes) => Note(NativeMemory.AllocZeroed(bytes), bytes);

    internal static void* AllocZeroedArray(nuint count, nuint bytes) =>
        Note(NativeMemory.AllocZeroed(count, bytes), count * bytes);

    internal static void* AlignedAlloc(nuint bytes, nuint alignment) =>
        Note(NativeMemory.AlignedAlloc(bytes, alignment), bytes);

    internal static void Free(void* block)
    {
        Forget(block);
        NativeMemory.Free(block);
    }

    internal static void AlignedFree(void* block)
    {
        Forget(block);
        NativeMemory.AlignedFree(block);
    }

    private static void* Note(void* block, nuint bytes)
    {
        lock (s_lock)
        {
            s_sizes[(nuint)block] = bytes;
        }

        return block;
    }

    // What is held may be a store to the block.
    private static void Forget(void* block)
    {
        Points.FenceAll();
        lock (s_lock)
        {
            s_sizes.Remove((nuint)block);
        }
    }
}
