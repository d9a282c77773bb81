using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>Other views of a socket, and facts about it. Kernel: net/core/filter.c, 6.12.</summary>
internal static class SockHelpers
{
    private const uint OverflowUid = 65534;

    /// <summary>The cookie of the one network namespace.</summary>
    private const ulong NetnsCookie = 1;

    /// <summary>All of the model's sockets are full ones.</summary>
    [Helper(HelperId.SkFullsock)]
    internal static Sock? FullSock(Sock? sock) => sock;

    [Helper(HelperId.TcpSock, HelperId.SkcToTcpSock)]
    internal static Sock? ToTcp(Sock? sock) => sock is { IsTcp: true } ? sock : null;

    [Helper(HelperId.SkcToTcp6Sock)]
    internal static Sock? ToTcp6(Sock? sock) => sock is { IsTcp: true, Tuple.IsV6: true } ? sock : null;

    [Helper(HelperId.SkcToUdp6Sock)]
    internal static Sock? ToUdp6(Sock? sock) => sock is { Tuple: { IsV6: true, Protocol: 17 } } ? sock : null;

    /// <summary>Kinds of socket that the model does not have.</summary>
    [Helper(HelperId.SkcToTcpTimewaitSock, HelperId.SkcToTcpRequestSock, HelperId.SkcToUnixSock,
        HelperId.SkcToMptcpSock)]
    internal static Sock? ToOther(Sock? sock)
    {
        _ = sock;
        return null;
    }

    /// <summary>The model's listeners are never flooded, so no SYN cookie is out and none is to be made.</summary>
    [Helper(HelperId.TcpCheckSyncookie, HelperId.TcpGenSyncookie)]
    internal static Errno Syncookie(Sock? sock, ulong ip, uint ipBytes, ulong tcp, uint tcpBytes)
    {
        const uint tcpBytesMin = 20;
        _ = (ip, ipBytes, tcp);
        return sock is null || tcpBytes < tcpBytesMin || !sock.IsTcp || !sock.IsListener ? Errno.EINVAL : Errno.ENOENT;
    }

    [Helper(HelperId.GetListenerSock)]
    internal static Sock? Listener(Sock sock) => sock.IsListener ? sock : null;

    [Helper(HelperId.SockFromFile)]
    internal static ulong FromFile(KernelFile? file) => file?.SocketAddress ?? 0;

    [Helper(HelperId.GetSocketCookie)]
    internal static ulong Cookie(ProgContext ctx, ulong context) => SocketOf(ctx, context)?.Cookie ?? 0;

    /// <summary>Sockets of the model belong to root; packets without one to nobody.</summary>
    [Helper(HelperId.GetSocketUid)]
    internal static uint Uid(ProgContext ctx, ulong skb) => ctx.PacketAt(skb).Socket is null ? OverflowUid : 0;

    [Helper(HelperId.GetNetnsCookie)]
    internal static ulong NetnsCookieOf(ulong context)
    {
        _ = context;
        return NetnsCookie;
    }

    [Helper(HelperId.SkCgroupId)]
    internal static ulong CgroupId(Sock sock) => sock.Cgroup.Id;

    [Helper(HelperId.SkAncestorCgroupId)]
    internal static ulong AncestorCgroupId(Sock sock, int level) => sock.Cgroup.AncestorAt(level)?.Id ?? 0;

    [Helper(HelperId.SkbCgroupId)]
    internal static ulong SkbCgroupId(ProgContext ctx, ulong skb) => ctx.PacketAt(skb).Socket?.Cgroup.Id ?? 0;

    [Helper(HelperId.SkbAncestorCgroupId)]
    internal static ulong SkbAncestorCgroupId(ProgContext ctx, ulong skb, int level) =>
        ctx.PacketAt(skb).Socket?.Cgroup.AncestorAt(level)?.Id ?? 0;

    /// <summary>The socket that a pointer stands for: a context's own, or itself.</summary>
    internal static Sock? SocketOf(ProgContext ctx, ulong context) =>
        ctx.Packet is { } packet && packet.ContextAddress == context ? packet.Socket : ctx.ObjectAt<Sock>(context);
}
