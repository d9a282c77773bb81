using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Kptr.Maps;

/// <summary>Lets the thread that writes a table alone lock its buckets without atomic instructions.</summary>
/// <remarks>
/// <code>
/// owner  the one thread that locks buckets by plain stores; nobody yet; changing; or shared: everybody compares and swaps
/// busy   1 while the owner is locking a bucket (not while it holds it: that the bucket's own sequence says)
/// </code>
/// Another writer ends the ownership: it writes the owner word, forces a memory barrier on all threads, and waits until the
/// owner is not busy. Then the owner has either seen that it is none any more, or its lock is there to see. There is one
/// owner ever: see <see cref="BiasedLock"/>.
/// </remarks>
[StructLayout(LayoutKind.Explicit, Size = 128)]
internal unsafe struct WriterBias
{
    private const int Nobody = 0;
    private const int Shared = -1;
    private const int Changing = -2;

    [FieldOffset(0)]
    private int _owner;
    [FieldOffset(4)]
    private int _busy;
    [FieldOffset(8)]
    private int _changer;

    /// <summary>Enters a bucket as its one writer.</summary>
    /// <param name="bucket">The bucket.</param>
    /// <param name="thread">The calling thread's <see cref="CallingThread.Id"/>.</param>
    /// <returns>What to hand to <see cref="HashBucket.Unlock"/>.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal uint Lock(HashBucket* bucket, int thread)
    {
        var seq = LockAsOwner(bucket, thread);
        return (seq & 1) == 0 ? seq : LockSlow(bucket, thread);
    }

    // Odd: the thread is not the owner, or somebody is in the bucket.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private uint LockAsOwner(HashBucket* bucket, int thread)
    {
        var seq = 1u;
        if (Volatile.Read(ref _owner) == thread)
        {
            Volatile.Write(ref _busy, 1);
            if (Volatile.Read(ref _owner) == thread && ((seq = Volatile.Read(ref bucket->Seq)) & 1) == 0)
            {
                Volatile.Write(ref bucket->Seq, seq + 1);
                Volatile.WriteBarrier();
            }

            Volatile.Write(ref _busy, 0);
        }

        return seq;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private uint LockSlow(HashBucket* bucket, int thread)
    {
        var spin = default(SpinWait);
        while (Volatile.Read(ref _owner) is var owner && owner != Shared)
        {
            if (owner != thread && owner != Changing)
            {
                ChangeOwner(thread);
            }
            else
            {
                // Somebody else changes it, or the last owner is still in the bucket.
                spin.SpinOnce(sleep1Threshold: -1);
            }

            var seq = LockAsOwner(bucket, thread);
            if ((seq & 1) == 0)
            {
                return seq;
            }
        }

        return bucket->Lock();
    }

    private void ChangeOwner(int thread)
    {
        if (Interlocked.CompareExchange(ref _changer, thread, Nobody) != Nobody)
        {
            return;
        }

        var owner = Volatile.Read(ref _owner);
        if (owner != Shared && owner != thread)
        {
            Volatile.Write(ref _owner, Changing);
            if (owner != Nobody)
            {
                AwaitOwner();
            }

            Volatile.Write(ref _owner, owner == Nobody ? thread : Shared);
        }

        Volatile.Write(ref _changer, Nobody);
    }

    private void AwaitOwner()
    {
        Interlocked.MemoryBarrierProcessWide();
        var spin = default(SpinWait);
        while (Volatile.Read(ref _busy) != 0)
        {
            spin.SpinOnce(sleep1Threshold: -1);
        }
    }
}
