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

    /// <summary>Ends the reader (<c>rcu_read_unlock</c>).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Dispose() => RcuDomain.Leave(_reader);
}
