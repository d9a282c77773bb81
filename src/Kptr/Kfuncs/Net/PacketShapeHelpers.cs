using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>Longer and shorter packets. Kernel: net/core/filter.c, 6.12.</summary>
internal static class PacketShapeHelpers
{
    private const int FrameBytes = 40; // struct xdp_frame, which XDP keeps at the start of the buffer
    private const int MetaBytesMax = 255;
    private const int HeadroomMax = 0xffff;
    private const int RoomMax = 0xfff;
    private const uint AdjustNetwork = 0;
    private const uint AdjustMac = 1;
    private const ulong AdjustRoomFlags = 0xff;
    private const uint PacketTypeMax = 3; // host, broadcast, multicast, other host

    [Helper(HelperId.XdpAdjustHead)]
    internal static Errno XdpHead(ProgContext ctx, ulong xdp, int delta)
    {
        var packet = ctx.PacketAt(xdp);
        return delta <= packet.Length - RunPacket.EthernetBytes
            && packet.TryMoveStart(delta, FrameBytes) ? Errno.None : Errno.EINVAL;
    }

    [Helper(HelperId.XdpAdjustTail)]
    internal static Errno XdpTail(ProgContext ctx, ulong xdp, int delta)
    {
        var packet = ctx.PacketAt(xdp);
        return packet.Length + (long)delta >= RunPacket.EthernetBytes
            && packet.TryMoveEnd(delta) ? Errno.None : Errno.EINVAL;
    }

    [Helper(HelperId.XdpAdjustMeta)]
    internal static Errno XdpMeta(ProgContext ctx, ulong xdp, int delta)
    {
        var packet = ctx.PacketAt(xdp);
        var wanted = packet.MetaBytes - (long)delta;
        return wanted < 0 || wanted > RunPacket.HeadroomBytes ? Errno.EINVAL
            : wanted > MetaBytesMax || wanted % sizeof(uint) != 0 ? Errno.EACCES
            : packet.TrySetMeta((int)wanted, FrameBytes) ? Errno.None : Errno.EINVAL;
    }

    [Helper(HelperId.XdpGetBuffLen)]
    internal static int XdpLength(ProgContext ctx, ulong xdp) => ctx.PacketAt(xdp).Length;

    /// <summary>Sets the length; what is new is zero.</summary>
    [Helper(HelperId.SkbChangeTail)]
    internal static Errno ChangeTail(ProgContext ctx, ulong skb, uint length, ulong flags)
    {
        var packet = ctx.PacketAt(skb);
        var least = packet.HiddenHeaderBytes == 0 ? RunPacket.EthernetBytes : 0;
        if (flags != 0 || length > HeadroomMax || length < least)
        {
            return Errno.EINVAL;
        }

        if (!packet.TryMoveEnd((int)length - packet.Length))
        {
            packet.Insert(packet.Length, (int)length - packet.Length);
        }

        return Errno.None;
    }

    /// <summary>Room for another header before the packet; it is zero.</summary>
    [Helper(HelperId.SkbChangeHead)]
    internal static Errno ChangeHead(ProgContext ctx, ulong skb, uint count, ulong flags)
    {
        var packet = ctx.PacketAt(skb);
        if (flags != 0 || packet.Length + (long)count > HeadroomMax)
        {
            return Errno.EINVAL;
        }

        packet.Insert(0, (int)count);
        return Errno.None;
    }

    /// <summary>Room, or less of it, right behind the link layer's header or behind the network's.</summary>
    [Helper(HelperId.SkbAdjustRoom)]
    internal static Errno AdjustRoom(ProgContext ctx, ulong skb, int delta, uint mode, ulong flags)
    {
        var packet = ctx.PacketAt(skb);
        var at = mode == AdjustMac ? RunPacket.EthernetBytes : RunPacket.EthernetBytes + NetworkHeaderBytes(packet);
        if ((flags & ~AdjustRoomFlags) != 0)
        {
            return Errno.EINVAL;
        }

        if (delta is < -RoomMax or > RoomMax)
        {
            return Errno.EFAULT;
        }

        if (mode is not (AdjustNetwork or AdjustMac) || NetworkHeaderBytes(packet) == 0)
        {
            return Errno.ENOTSUPP;
        }

        if (at > packet.Length
            || packet.Length + (long)delta < at + (delta < 0 && mode == AdjustMac ? NetworkHeaderBytes(packet) : 0))
        {
            return Errno.ENOTSUPP;
        }

        packet.Insert(at, delta);
        return Errno.None;
    }

    [Helper(HelperId.SkbChangeType)]
    internal static Errno ChangeType(ProgContext ctx, ulong skb, uint type)
    {
        const int field = 4;
        var packet = ctx.PacketAt(skb);
        if (packet.Field<uint>(field) > PacketTypeMax || type > PacketTypeMax)
        {
            return Errno.EINVAL;
        }

        packet.Field<uint>(field) = type;
        return Errno.None;
    }

    /// <summary>Bytes of the smallest IPv4 or IPv6 header; 0 for any other protocol.</summary>
    private static int NetworkHeaderBytes(RunPacket packet)
    {
        const int protocol = 16;
        return packet.Field<uint>(protocol) switch
        {
            0x0008 => 20,
            0xdd86 => 40,
            _ => 0,
        };
    }
}
