using System.Collections.Concurrent;
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
    private readonly ConcurrentDictionary<string, KernelObject> _socks = new();

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

        var name = Convert.ToHexString(key);
        var exists = _socks.ContainsKey(name);
        if (CheckExistence(exists, flags) is var bad and not Errno.None)
        {
            return bad;
        }

        if (!exists && _socks.Count >= MaxEntries)
        {
            return Errno.E2BIG;
        }

        if (!sock.TryAcquireCount())
        {
            return Errno.EOPNOTSUPP;
        }

        KernelObject? old = null;
        _socks.AddOrUpdate(name, sock, (_, was) =>
        {
            old = was;
            return sock;
        });
        old?.ReleaseCount();
        return Errno.None;
    }

    /// <summary>The socket's address, without a reference; 0 where there is none.</summary>
    protected override ulong FindValue(ReadOnlySpan<byte> key, in MapCall caller) =>
        _socks.TryGetValue(Convert.ToHexString(key), out var sock) ? sock.Address : 0;

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
        if (!_socks.TryRemove(Convert.ToHexString(key), out var sock))
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

        var keys = _socks.Keys.Order(StringComparer.Ordinal).ToList();
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
        foreach (var name in _socks.Keys)
        {
            if (_socks.TryRemove(name, out var sock))
            {
                sock.ReleaseCount();
            }
        }
    }
}
