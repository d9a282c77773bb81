using System.Buffers.Binary;
using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>Finding sockets and giving them back. Kernel: net/core/filter.c, 6.12.</summary>
/// <remarks>
/// A look-up takes a reference on a connected TCP socket. Listeners and UDP sockets are freed by RCU: they are lent
/// without one, and releasing them does nothing. One network namespace.
/// </remarks>
internal static class SockLookupHelpers
{
    private const byte Tcp = 6;
    private const byte Udp = 17;
    private const uint TupleV4Bytes = 12;
    private const uint TupleV6Bytes = 36;
    private const ulong ReplaceAssigned = 1;
    private const ulong NoReuseport = 2;

    [Helper(HelperId.SkLookupTcp, HelperId.SkcLookupTcp)]
    internal static ulong LookupTcp(ProgContext ctx, ulong context, ulong tuple, uint size, ulong netns, ulong flags) =>
        Lookup(ctx, tuple, size, netns, flags, Tcp);

    [Helper(HelperId.SkLookupUdp)]
    internal static ulong LookupUdp(ProgContext ctx, ulong context, ulong tuple, uint size, ulong netns, ulong flags) =>
        Lookup(ctx, tuple, size, netns, flags, Udp);

    [Helper(HelperId.SkRelease)]
    internal static Errno Release(ProgContext ctx, ulong sock)
    {
        if (ctx.ObjectAt<Sock>(sock) is { IsRefcounted: true })
        {
            ctx.TakeRef<Sock>(sock)?.Release();
        }

        return Errno.None;
    }

    /// <summary>Chooses the socket that is to have the packet, or the new connection.</summary>
    [Helper(HelperId.SkAssign)]
    internal static Errno Assign(ProgContext ctx, ulong context, Sock? sock, ulong flags)
    {
        var packet = ctx.PacketAt(context);
        if (!packet.IsSkb)
        {
            return AssignLookup(packet, sock, flags);
        }

        if (sock is null || flags != 0)
        {
            return Errno.EINVAL;
        }

        if (sock.IsRefcounted && !sock.TryAcquireCount())
        {
            return Errno.ENOENT;
        }

        Put(packet, sock);
        return Errno.None;
    }

    private static Errno AssignLookup(RunPacket packet, Sock? sock, ulong flags)
    {
        const int socketField = 0, familyField = 8, protocolField = 12;
        const ulong known = ReplaceAssigned | NoReuseport;
        if ((flags & ~known) != 0)
        {
            return Errno.EINVAL;
        }

        if (sock is { IsRefcounted: true })
        {
            return Errno.EOPNOTSUPP; // a connected socket cannot be chosen
        }

        if (sock is not null && packet.Field<uint>(protocolField) != sock.Tuple.Protocol)
        {
            return Errno.EPROTO;
        }

        if (sock is not null && packet.Field<uint>(familyField) != (sock.Tuple.IsV6 ? 10 : 2))
        {
            return Errno.EAFNOSUPPORT;
        }

        if (packet.Assigned is not null && (flags & ReplaceAssigned) == 0)
        {
            return Errno.EEXIST;
        }

        packet.Assigned = sock;
        packet.Field<ulong>(socketField) = sock?.Address ?? 0;
        return Errno.None;
    }

    private static void Put(RunPacket packet, Sock sock)
    {
        var old = packet.Assigned;
        packet.Assigned = sock;
        packet.Field<ulong>(ContextLayout.SkBuff.Socket) = sock.Address;
        if (old is { IsRefcounted: true })
        {
            old.ReleaseCount();
        }
    }

    // The tuple is the packet's: its destination is the socket's own address.
    private static ulong Lookup(ProgContext ctx, ulong tuple, uint size, ulong netns, ulong flags, byte protocol)
    {
        var isCurrent = (int)netns < 0;
        if (size is not (TupleV4Bytes or TupleV6Bytes) || flags != 0 || !isCurrent)
        {
            return 0;
        }

        var bytes = ctx.Memory(tuple, (int)size, isWrite: false);
        var n = size == TupleV6Bytes ? 16 : 4;
        var local = new FlowTuple(
            FlowTuple.FromNetwork(bytes.Slice(n, n)), BinaryPrimitives.ReadUInt16BigEndian(bytes[((2 * n) + 2)..]),
            FlowTuple.FromNetwork(bytes[..n]), BinaryPrimitives.ReadUInt16BigEndian(bytes[(2 * n)..]), protocol,
            size == TupleV6Bytes);
        using var reader = ctx.Core.Rcu.ReadLock();
        return ctx.Core.Sockets.Find(local) is not { } sock ? 0
            : sock.IsRefcounted ? ctx.GiveRef(sock.TryAcquire())
            : sock.Address;
    }
}
