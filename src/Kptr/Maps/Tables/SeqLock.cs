using System.Runtime.CompilerServices;
using Kptr.Diagnostics;

namespace Kptr.Maps;

/// <summary>
/// A spin lock for one writer at a time, whose sequence tells readers that took no lock whether a writer was there.
/// </summary>
/// <remarks>
/// <para><c>seq</c> is odd while a writer is in; entering and leaving each add 1. Kernel: <c>seqlock_t</c>
/// (<c>include/linux/seqlock.h</c>).</para>
/// <para>One writer: only who changes an even <c>seq</c> to the odd number after it by compare-and-swap is in, and only
/// who is in makes it even again.</para>
/// <para>What a writer did is seen whole by the next: the compare-and-swap is a full barrier, the store that
/// leaves is a release.</para>
/// <para>A reader that finds the same even <c>seq</c> before and after saw no write of any writer. Suppose it read
/// a word that a writer stored. The writer's compare-and-swap comes before that store, on x86 as every store does,
/// on ARM because it is a full barrier; the reader's second look comes after its read, because of the read barrier
/// in <see cref="IsStill"/>. So the second look sees at least the writer's odd number, and differs from the first,
/// unless the writer had left before the first look; then the first look, an acquire, saw the release with all
/// that writer stored.</para>
/// <para>After 2^31 writers the sequence comes round. A reader that slept through exactly that many
/// would be deceived.</para>
/// </remarks>
internal struct SeqLock
{
    private uint _seq;

    /// <summary>The sequence now, for <see cref="IsStill"/>. What is read next is read after it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal uint Read() => Volatile.Read(ref _seq);

    /// <summary>Whether no writer was in when the sequence was read, nor since.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool IsStill(uint seq)
    {
        Volatile.ReadBarrier();
        return (seq & 1) == 0 && Volatile.Read(ref _seq) == seq;
    }

    /// <summary>Enters as the one writer, and waits for that.</summary>
    /// <remarks>Nothing that can throw, and nothing of anybody else's, may be done before <see cref="Exit"/>.</remarks>
    /// <param name="rank">The lock's place in the order of all locks.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Enter(LockRank rank)
    {
        LockOrder.Entering(rank);
        EnterUnranked();
    }

    /// <summary>Leaves.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Exit(LockRank rank)
    {
        ExitUnranked();
        LockOrder.Left(rank);
    }

    /// <summary>Enters where the order of all locks counts many of these as one, which is taken already.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void EnterUnranked()
    {
        var seq = _seq;
        if ((seq & 1) != 0 || Interlocked.CompareExchange(ref _seq, seq + 1, seq) != seq)
        {
            EnterSlow();
        }
    }

    /// <summary>Leaves after <see cref="EnterUnranked"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void ExitUnranked() => Volatile.Write(ref _seq, _seq + 1);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void EnterSlow()
    {
        var spin = default(SpinWait);
        while (true)
        {
            var seq = Volatile.Read(ref _seq);
            if ((seq & 1) == 0 && Interlocked.CompareExchange(ref _seq, seq + 1, seq) == seq)
            {
                return;
            }

            spin.SpinOnce(sleep1Threshold: -1);
        }
    }
}
