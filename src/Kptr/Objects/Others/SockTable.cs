using System.Collections.Immutable;
using Kptr.Diagnostics;

namespace Kptr.Objects;

/// <summary>The sockets that packets can find.</summary>
public sealed class SockTable
{
    private readonly RankedLock _lock = new(LockRank.SockTable);
    private readonly Dictionary<FlowTuple, Sock> _bound = [];
    private readonly KernelCore _core;
    private long _lastCookie;

    internal SockTable(KernelCore core) => _core = core;

    /// <summary>The sockets, by rising cookie; a copy.</summary>
    public ImmutableArray<Sock> All
    {
        get
        {
            using (_lock.Enter())
            {
                return [.. _bound.Values.OrderBy(s => s.Cookie)];
            }
        }
    }

    /// <summary>Lets packets find a socket. A listener has no destination.</summary>
    /// <exception cref="ArgumentException">It is another kernel's.</exception>
    /// <exception cref="InvalidOperationException">Its addresses are taken.</exception>
    /// <exception cref="ObjectDisposedException">It is closed.</exception>
    public void Add(Sock sock)
    {
        _core.CheckOwn(sock);
        using (_lock.Enter())
        {
            // Closing takes it out under this lock, after it was marked: it is never left in.
            ObjectDisposedException.ThrowIf(sock.IsClosed, sock);
            if (!_bound.TryAdd(sock.Tuple, sock))
            {
                throw new InvalidOperationException($"{sock.Tuple} is taken");
            }
        }
    }

    /// <summary>How many.</summary>
    public override string ToString() => $"{_bound.Count} sockets";

    /// <summary>The connected socket of a local tuple, else its listener, else null. No reference is taken.</summary>
    public Sock? Find(FlowTuple local)
    {
        using (_lock.Enter())
        {
            return _bound.GetValueOrDefault(local)
                ?? _bound.GetValueOrDefault(local with { DestAddress = 0, DestPort = 0 })
                ?? _bound.GetValueOrDefault(local with { SourceAddress = 0, DestAddress = 0, DestPort = 0 });
        }
    }

    internal ulong NextCookie() => (ulong)Interlocked.Increment(ref _lastCookie);

    internal void Remove(Sock sock)
    {
        using (_lock.Enter())
        {
            if (_bound.GetValueOrDefault(sock.Tuple) == sock)
            {
                _bound.Remove(sock.Tuple);
            }
        }
    }
}
