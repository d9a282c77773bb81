using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary><c>BPF_MAP_TYPE_SOCKMAP</c> and <c>SOCKHASH</c>: sockets by index or key.</summary>
/// <remarks>
/// Holds a reference on each socket, given back when the entry or the map goes. Nothing is redirected, no parser or
/// verdict program runs, and a socket that closes stays in until it is deleted.
/// </remarks>
public sealed class SockMap : BpfMap
{
    private readonly RankedLock _lock = new(LockRank.ThinMap);
    private readonly Dictionary<string, KernelObject> _socks = [];
    private bool _isEmptied;

    /// <summary>Makes the map.</summary>
    /// <exception cref="MapCreateException">The kernel refuses the blueprint.</exception>
    public SockMap(KernelCore core, MapSpec spec)
        : base(core, MapRules.Admit(core, spec, BpfMapType.Sockmap, BpfMapType.Sockhash))
    {
    }

    /// <inheritdoc/>
    private protected override bool HasValuesInMemory => false;

    /// <inheritdoc/>
    public override MapCensus TakeCensus() => new(0, 0, 0);

    /// <inheritdoc/>
    protected internal override bool TryGetKey(ValuePool pool, int slot, Span<byte> key) => false;

    /// <summary>Puts a socket in, taking a reference of its own.</summary>
    internal Errno Set(ReadOnlySpan<byte> key, KernelObject sock, MapUpdateFlags flags)
    {
        if (flags > MapUpdateFlags.Exist)
        {
            return Errno.EINVAL;
        }

        if (Type == BpfMapType.Sockmap && ArrayKeys.IndexOf(key) >= MaxEntries)
        {
            return Errno.E2BIG;
        }

        // The count is taken before the lock and given back after it: both may report, and then a user's code runs.
        if (!sock.TryAcquireCount())
        {
            return Errno.EOPNOTSUPP;
        }

        var err = Swap(Convert.ToHexString(key), sock, flags, out var left);
        left?.ReleaseCount();
        return err;
    }

    /// <summary>The socket's address, without a reference; 0 where there is none.</summary>
    protected override ulong FindValue(ReadOnlySpan<byte> key, in MapCall caller) =>
        SockAt(Convert.ToHexString(key))?.Address ?? 0;

    /// <inheritdoc/>
    protected override Errno ReadValue(
        ReadOnlySpan<byte> key, Span<byte> value, MapUpdateFlags flags, in MapCall caller) =>
            ValueSize != sizeof(ulong) ? Errno.ENOSPC : FindValue(key, caller) == 0 ? Errno.ENOENT : Errno.EOPNOTSUPP;

    /// <inheritdoc/>
    protected override Errno UpdateValue(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller) =>
        Errno.EBADF;

    /// <inheritdoc/>
    protected override Errno DeleteValue(ReadOnlySpan<byte> key, in MapCall caller)
    {
        KernelObject? sock;
        using (_lock.Enter())
        {
            _socks.Remove(Convert.ToHexString(key), out sock);
        }

        if (sock is null)
        {
            return Type == BpfMapType.Sockmap ? Errno.EINVAL : Errno.ENOENT;
        }

        sock.ReleaseCount();
        return Errno.None;
    }

    /// <inheritdoc/>
    protected override Errno NextKey(ReadOnlySpan<byte> key, Span<byte> nextKey)
    {
        if (Type == BpfMapType.Sockmap)
        {
            return ArrayKeys.Next(MaxEntries, key, nextKey);
        }

        List<string> keys;
        using (_lock.Enter())
        {
            keys = [.. _socks.Keys.Order(StringComparer.Ordinal)];
        }

        var at = key.IsEmpty ? -1 : keys.IndexOf(Convert.ToHexString(key));
        if (at + 1 >= keys.Count)
        {
            return Errno.ENOENT;
        }

        Convert.FromHexString(keys[at + 1]).CopyTo(nextKey);
        return Errno.None;
    }

    /// <inheritdoc/>
    protected override void OnFree()
    {
        KernelObject[] left;
        using (_lock.Enter())
        {
            _isEmptied = true;
            left = [.. _socks.Values];
            _socks.Clear();
        }

        foreach (var sock in left)
        {
            sock.ReleaseCount();
        }
    }

    private KernelObject? SockAt(string name)
    {
        using (_lock.Enter())
        {
            return _socks.GetValueOrDefault(name);
        }
    }

    // Exactly one count is left over for the caller: the new socket's where it does not go in,
    // else that of the one before.
    private Errno Swap(string name, KernelObject sock, MapUpdateFlags flags, out KernelObject? left)
    {
        using (_lock.Enter())
        {
            left = sock;
            var exists = _socks.TryGetValue(name, out var old);
            var err = _isEmptied ? Errno.ENOENT
                : CheckExistence(exists, flags) is var bad and not Errno.None ? bad
                : !exists && _socks.Count >= MaxEntries ? Errno.E2BIG : Errno.None;
            if (err == Errno.None)
            {
                _socks[name] = sock;
                left = old;
            }

            return err;
        }
    }
}
