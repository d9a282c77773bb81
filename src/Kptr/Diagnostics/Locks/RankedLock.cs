using System.Runtime.CompilerServices;

namespace Kptr.Diagnostics;

/// <summary>A lock with its place in the order of all locks.</summary>
/// <remarks>
/// Held by <c>using</c>: <c>using (_lock.Enter()) { ... }</c>. A thread that holds it must not take it again, and calls
/// nothing under it that is not ours.
/// </remarks>
/// <param name="rank">Its place.</param>
internal sealed class RankedLock(LockRank rank)
{
    private readonly Lock _lock = new();

    /// <summary>Takes the lock, waiting for it; disposing of the result gives it back.</summary>
    /// <exception cref="InvariantException">The order forbids it, where that is checked.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal Scope Enter()
    {
        LockOrder.Entering(rank);
        return new(_lock.EnterScope(), rank);
    }

    /// <summary>The lock is held until this is disposed.</summary>
    internal ref struct Scope
    {
        private readonly LockRank _rank;
        private Lock.Scope _scope;

        internal Scope(Lock.Scope scope, LockRank rank)
        {
            _scope = scope;
            _rank = rank;
        }

        /// <summary>Gives the lock back.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Dispose()
        {
            _scope.Dispose();
            LockOrder.Left(_rank);
        }
    }
}
