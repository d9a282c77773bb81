using System.Diagnostics.CodeAnalysis;

namespace Kptr.Maps;

/// <summary>A <c>struct bpf_spin_lock</c> in a map value: four bytes that hold the owner's thread.</summary>
/// <remarks>Programs, <see cref="MapUpdateFlags.Lock"/> updates and C# take the same lock. It does not nest.</remarks>
[SuppressMessage("Usage", "CA1815", Justification = "a lock has identity, not equality")]
public struct BpfSpinLock
{
    private int _word;

    /// <summary>Whether somebody holds it now.</summary>
    public readonly bool IsHeld => Volatile.Read(in _word) != 0;

    /// <summary>Takes the lock; spins while somebody else holds it.</summary>
    public void Enter()
    {
        var spin = default(SpinWait);
        while (!TryEnter())
        {
            spin.SpinOnce(sleep1Threshold: -1);
        }
    }

    /// <summary>Takes the lock unless somebody holds it.</summary>
    public bool TryEnter() => Interlocked.CompareExchange(ref _word, Environment.CurrentManagedThreadId, 0) == 0;

    /// <summary>Who holds it.</summary>
    public override string ToString() =>
        Volatile.Read(in _word) is var owner and not 0 ? $"held by thread {owner}" : "free";

    /// <summary>Gives the lock back.</summary>
    public void Exit() => Volatile.Write(ref _word, 0);
}
