namespace Kptr.Diagnostics;

/// <summary>The locks of ours that one thread holds, in the order it took them.</summary>
internal sealed class HeldLocks
{
    private static readonly ThreadLocal<HeldLocks> s_ofThread = new(static () => new HeldLocks());
    private readonly List<LockRank> _ranks = [];

    /// <summary>Those of the calling thread.</summary>
    internal static HeldLocks OfThisThread => s_ofThread.Value!;

    /// <summary>Called before a lock is taken (true) and after it was given back (false); null for nobody.</summary>
    internal Action<LockRank, bool>? Observer { get; set; }

    /// <summary>Notes a lock that is going to be taken; throws where the order forbids it.</summary>
    internal void Add(LockRank rank)
    {
        if (_ranks.Count > 0 && _ranks[^1] >= rank)
        {
            Invariant.Fail($"the lock {rank} is taken under {_ranks[^1]}; the order of locks is the other way round");
        }

        _ranks.Add(rank);
        Observer?.Invoke(rank, true);
    }

    /// <summary>Forgets a lock that was given back.</summary>
    internal void Remove(LockRank rank)
    {
        Observer?.Invoke(rank, false);
        if (!_ranks.Remove(rank))
        {
            Invariant.Fail($"the lock {rank} is given back and was not taken");
        }
    }

    /// <summary>Throws unless the thread holds none.</summary>
    internal void RequireNone(string what)
    {
        if (_ranks.Count > 0)
        {
            Invariant.Fail($"{what} runs under a lock of ours: {string.Join(", ", _ranks)}");
        }
    }
}
