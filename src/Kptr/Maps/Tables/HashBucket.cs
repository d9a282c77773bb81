using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Kptr.Maps;

/// <summary>One bucket: the head of a chain of elements, and a sequence lock over the chain.</summary>
/// <remarks>
/// <code>
/// 0  head   index of the first element, -1 for none
/// 4  seq    odd while a writer is in; changed by every writer
/// </code>
/// Readers take no lock. Who found nothing looks at <c>seq</c> again: if a writer was there, an element may have been
/// moved to another chain under the reader's feet (elements are reused at once, as in Linux), and the search restarts.
/// The kernel has chain-end marks for this (<c>hlist_nulls</c>).
/// </remarks>
[StructLayout(LayoutKind.Sequential)]
internal struct HashBucket
{
    internal int Head;
    internal uint Seq;

    /// <summary>The head in a bucket that was read as one 64-bit word.</summary>
    internal static int HeadOf(long word) => (int)word;

    /// <summary>Whether no writer was in when the bucket was read as one 64-bit word, nor since.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool IsStill(long word)
    {
        Volatile.ReadBarrier();
        return Volatile.Read(ref Unsafe.As<HashBucket, long>(ref this)) == word && (word & (1L << 32)) == 0;
    }

    /// <summary>Whether no writer was in when the sequence was read, nor since.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool IsStill(uint seq)
    {
        Volatile.ReadBarrier();
        return Volatile.Read(ref Seq) == seq && (seq & 1) == 0;
    }

    /// <summary>Enters as the one writer, where nobody locks without atomic instructions: see <see cref="WriterBias"/>.</summary>
    /// <returns>What to hand to <see cref="Unlock"/>.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal uint Lock()
    {
        var seq = Seq;
        return (seq & 1) == 0 && Interlocked.CompareExchange(ref Seq, seq + 1, seq) == seq ? seq : LockSlow();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Unlock(uint seq) => Volatile.Write(ref Seq, seq + 2);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private uint LockSlow()
    {
        var spin = default(SpinWait);
        while (true)
        {
            var seq = Volatile.Read(ref Seq);
            if ((seq & 1) == 0 && Interlocked.CompareExchange(ref Seq, seq + 1, seq) == seq)
            {
                return seq;
            }

            spin.SpinOnce(sleep1Threshold: -1);
        }
    }
}
