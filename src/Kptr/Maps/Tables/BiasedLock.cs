using System.Runtime.CompilerServices;

namespace Kptr.Maps;

/// <summary>A spin lock that costs the thread which uses it most no atomic instruction.</summary>
/// <remarks>
/// <code>
/// owner  the thread that may enter by its busy word alone; nobody yet; or shared: all enter by held
/// busy   1 while the owner is inside
/// held   1 while anybody else is inside
/// </code>
/// Another thread ends an ownership: it writes the owner word, forces a memory barrier on all threads, and waits until the owner
/// is out. After the barrier the owner either sees that it is none any more or was seen to be busy. The pattern is that of
/// <see cref="Objects.RcuDomain"/>. There is one owner ever: a thread that was stopped between looking at the owner word and
/// writing the busy word would spoil the busy word of the next. An atomic instruction costs three to five times what the short
/// work under these locks does.
/// </remarks>
internal struct BiasedLock
{
    private const int Nobody = 0;
    private const int Shared = -1;

    private int _owner;
    private int _busy;
    private int _held;

    /// <summary>Whether this thread enters without atomic instructions.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool IsOwnedBy(int thread) => Volatile.Read(ref _owner) == thread;

    /// <summary>Whether no thread was here yet.</summary>
    internal bool IsUnused => Volatile.Read(ref _owner) == Nobody;

    /// <summary>Enters.</summary>
    /// <param name="thread">The calling thread's <see cref="CallingThread.Id"/>.</param>
    /// <returns>What to hand to <see cref="Leave"/>.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool Enter(int thread)
    {
        if (Volatile.Read(ref _owner) == thread)
        {
            Volatile.Write(ref _busy, 1);
            if (Volatile.Read(ref _owner) == thread)
            {
                return true;
            }

            Volatile.Write(ref _busy, 0);
        }

        return EnterSlow(thread);
    }

    /// <summary>Enters without becoming the owner; leave with <c>Leave(false)</c>.</summary>
    internal void EnterAsGuest()
    {
        var spin = default(SpinWait);
        while (Interlocked.CompareExchange(ref _held, 1, 0) != 0)
        {
            spin.SpinOnce(sleep1Threshold: -1);
        }

        if (_owner > Nobody)
        {
            EndOwnership();
        }
    }

    /// <summary>Leaves.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Leave(bool asOwner)
    {
        if (asOwner)
        {
            Volatile.Write(ref _busy, 0);
        }
        else
        {
            Volatile.Write(ref _held, 0);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool EnterSlow(int thread)
    {
        EnterAsGuest();
        if (_owner != Nobody)
        {
            return false;
        }

        _busy = 1;
        Volatile.Write(ref _owner, thread);
        Volatile.Write(ref _held, 0);
        return true;
    }

    private void EndOwnership()
    {
        Volatile.Write(ref _owner, Shared);
        Interlocked.MemoryBarrierProcessWide();
        var spin = default(SpinWait);
        while (Volatile.Read(ref _busy) != 0)
        {
            spin.SpinOnce(sleep1Threshold: -1);
        }
    }
}
