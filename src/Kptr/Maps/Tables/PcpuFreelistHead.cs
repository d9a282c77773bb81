using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Kptr.Diagnostics;

namespace Kptr.Maps;

/// <summary>One CPU's free slots at hand, the newest last; and its extra element, which an update swaps in.</summary>
/// <remarks>
/// Padded, so that neighbouring CPUs share no cache line, nor the pair of lines that processors fetch together. Kernel:
/// <c>struct pcpu_freelist_head</c> (<c>kernel/bpf/percpu_freelist.h</c>), <c>extra_elems</c> (<c>struct bpf_htab</c>).
/// </remarks>
[StructLayout(LayoutKind.Explicit, Size = SizeBytes)]
internal unsafe struct PcpuFreelistHead
{
    /// <summary>Slots that fit.</summary>
    internal const int SlotsMax = 64;

    private const int Taken = -1;
    private const int SlotsOffset = 64;
    private const int SizeBytes = 384;

    [FieldOffset(0)]
    private SeqLock _lock;

    [FieldOffset(4)]
    private int _extraElem;

    /// <summary>Number of slots here. Written under the lock.</summary>
    [FieldOffset(8)]
    internal int Count;

    /// <summary>The slots, the oldest first. Only under the lock.</summary>
    [FieldOffset(SlotsOffset)]
    internal fixed int Slots[SlotsMax];

    /// <summary>Whether the extra element is where it belongs.</summary>
    internal bool HasExtraElem => Volatile.Read(ref _extraElem) != Taken;

    /// <summary>
    /// Takes the extra element; <see cref="ReturnExtraElem"/> must replace it before anything can throw or wait.
    /// </summary>
    /// <remarks>The exchange makes the number the caller's alone; the store that gives one back is a release.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal int TakeExtraElem()
    {
        var slot = Interlocked.Exchange(ref _extraElem, Taken);
        return slot != Taken ? slot : TakeExtraElemSlow();
    }

    /// <summary>
    /// Gives the CPU an extra element for the one that was taken; or, before anything else, its first.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void ReturnExtraElem(int slot) => Volatile.Write(ref _extraElem, slot);

    /// <summary>The CPU has no extra element.</summary>
    internal void OmitExtraElem() => _extraElem = Taken;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Enter() => _lock.Enter(LockRank.SlotStock);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Exit() => _lock.Exit(LockRank.SlotStock);

    /// <summary>Takes the newest of one or more slots. Only under the lock.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal int TakeNewest()
    {
        var slot = Slots[Count - 1];
        Volatile.Write(ref Count, Count - 1);
        return slot;
    }

    // Another thread that plays the same CPU has it for the moment; it runs nothing of anybody's meanwhile.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private int TakeExtraElemSlow()
    {
        var spin = default(SpinWait);
        int slot;
        while ((slot = Interlocked.Exchange(ref _extraElem, Taken)) == Taken)
        {
            spin.SpinOnce(sleep1Threshold: -1);
        }

        return slot;
    }
}
