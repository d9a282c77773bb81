using System.Runtime.CompilerServices;

namespace Kptr.Objects;

/// <summary>An RCU reader that is open on this thread. Dispose it on the same thread, once.</summary>
public readonly ref struct RcuReadScope
{
    private readonly RcuReader _reader;

    internal RcuReadScope(RcuReader reader)
    {
        _reader = reader;
    }

    /// <summary>Ends the reader (<c>rcu_read_unlock</c>); a default scope does nothing.</summary>
    /// <exception cref="InvalidOperationException">
    /// This thread has no open reader: the scope was disposed before.
    /// </exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Dispose()
    {
        if (_reader is not null)
        {
            RcuDomain.Leave(_reader);
        }
    }
}
