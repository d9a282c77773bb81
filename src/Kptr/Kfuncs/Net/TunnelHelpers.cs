using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>Tunnel metadata of a packet: what was set is what is got. Kernel: net/core/filter.c, 6.12.</summary>
internal static class TunnelHelpers
{
    private const uint KeyBytes = 44;
    private const int ExtOffset = 22;
    private const uint OptBytesMax = 255;
    private const ulong KeyFlags = 0x1f;
    private const ulong IsV6 = 1;

    /// <summary>Sizes of <c>struct bpf_tunnel_key</c> that Linux knows: today's, and those of older programs.</summary>
    private static ReadOnlySpan<uint> KeySizes => [KeyBytes, 28, 24, 22, 8];

    [Helper(HelperId.SkbSetTunnelKey)]
    internal static Errno SetKey(ProgContext ctx, ulong skb, ulong key, uint size, ulong flags)
    {
        var packet = ctx.PacketAt(skb);
        if ((flags & ~KeyFlags) != 0 || !KeySizes.Contains(size))
        {
            return Errno.EINVAL;
        }

        var bytes = new byte[KeyBytes];
        ctx.Memory(key, (int)size, isWrite: false).CopyTo(bytes);
        if (BitConverter.ToUInt16(bytes, ExtOffset) != 0)
        {
            return Errno.EINVAL;
        }

        packet.TunnelKey = bytes;
        packet.IsTunnelV6 = (flags & IsV6) != 0;
        packet.TunnelOpt = [];
        return Errno.None;
    }

    [Helper(HelperId.SkbGetTunnelKey)]
    internal static Errno GetKey(ProgContext ctx, ulong skb, ulong key, uint size, ulong flags)
    {
        var packet = ctx.PacketAt(skb);
        var room = ctx.Memory(key, (int)size);
        var isKnown = (flags & ~IsV6) == 0 && KeySizes.Contains(size);
        if (packet.TunnelKey is not { } bytes || !isKnown)
        {
            room.Clear();
            return Errno.EINVAL;
        }

        if (packet.IsTunnelV6 != ((flags & IsV6) != 0))
        {
            room.Clear();
            return Errno.EPROTO;
        }

        bytes.AsSpan(0, (int)size).CopyTo(room);
        return Errno.None;
    }

    [Helper(HelperId.SkbSetTunnelOpt)]
    internal static Errno SetOpt(ProgContext ctx, ulong skb, ulong opt, uint size)
    {
        var packet = ctx.PacketAt(skb);
        if (packet.TunnelKey is null || (size & 3) != 0)
        {
            return Errno.EINVAL;
        }

        if (size > OptBytesMax)
        {
            return Errno.ENOMEM;
        }

        packet.TunnelOpt = ctx.Memory(opt, (int)size, isWrite: false).ToArray();
        return Errno.None;
    }

    /// <returns>Bytes of the options.</returns>
    [Helper(HelperId.SkbGetTunnelOpt)]
    internal static int GetOpt(ProgContext ctx, ulong skb, ulong opt, uint size)
    {
        var packet = ctx.PacketAt(skb);
        var room = ctx.Memory(opt, (int)size);
        room.Clear();
        if (packet.TunnelOpt.Length == 0)
        {
            return (int)Errno.ENOENT;
        }

        if (size < packet.TunnelOpt.Length)
        {
            return (int)Errno.ENOMEM;
        }

        packet.TunnelOpt.CopyTo(room);
        return packet.TunnelOpt.Length;
    }
}
