using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>Bytes of a packet out and in. Kernel: net/core/filter.c, 6.12.</summary>
internal static class SkbBytesHelpers
{
    private const ulong RecomputeCsum = 1;
    private const ulong InvalidateHash = 2;
    private const uint FromMac = 0;
    private const uint FromNetwork = 1;

    [Helper(HelperId.SkbLoadBytes)]
    internal static Errno LoadBytes(ProgContext ctx, ulong skb, uint offset, ulong target, uint length) =>
        Load(ctx, ctx.PacketAt(skb).Bytes, offset, target, length, Errno.EFAULT);

    /// <summary>
    /// Counts from the link layer's or the network's header, wherever the packet starts for this program.
    /// </summary>
    [Helper(HelperId.SkbLoadBytesRelative)]
    internal static Errno LoadBytesRelative(
        ProgContext ctx, ulong skb, uint offset, ulong target, uint length, uint startHeader)
    {
        var packet = ctx.PacketAt(skb);
        var bytes = startHeader switch
        {
            FromMac => packet.BytesFromMac,
            FromNetwork => packet.BytesFromNetwork,
            _ => [],
        };
        return Load(ctx, bytes, offset, target, length, Errno.EFAULT);
    }

    [Helper(HelperId.SkbStoreBytes)]
    internal static Errno StoreBytes(ProgContext ctx, ulong skb, uint offset, ulong source, uint length, ulong flags)
    {
        var bytes = ctx.PacketAt(skb).Bytes;
        return (flags & ~(RecomputeCsum | InvalidateHash)) != 0
            ? Errno.EINVAL
            : Store(ctx, bytes, offset, source, length, Errno.EFAULT);
    }

    /// <summary>The model's packets are in one part: there is never anything to pull.</summary>
    [Helper(HelperId.SkbPullData)]
    internal static Errno PullData(ProgContext ctx, ulong skb, uint length) =>
        length <= (uint)ctx.PacketAt(skb).Length ? Errno.None : Errno.ENOMEM;

    [Helper(HelperId.XdpLoadBytes)]
    internal static Errno XdpLoadBytes(ProgContext ctx, ulong xdp, uint offset, ulong target, uint length) =>
        InBounds(ctx.PacketAt(xdp), offset, length)
            ? Load(ctx, ctx.PacketAt(xdp).Bytes, offset, target, length, Errno.EINVAL) : Errno.EINVAL;

    [Helper(HelperId.XdpStoreBytes)]
    internal static Errno XdpStoreBytes(ProgContext ctx, ulong xdp, uint offset, ulong source, uint length) =>
        Store(ctx, ctx.PacketAt(xdp).Bytes, offset, source, length, Errno.EINVAL);

    private static bool InBounds(RunPacket packet, uint offset, uint length) => (long)offset + length <= packet.Length;

    // Linux clears the program's buffer where it cannot fill it.
    private static Errno Load(
        ProgContext ctx, ReadOnlySpan<byte> packet, long offset, ulong target, uint length, Errno error)
    {
        var room = ctx.Memory(target, (int)length);
        if (offset > packet.Length || length > packet.Length - offset)
        {
            room.Clear();
            return error;
        }

        packet.Slice((int)offset, (int)length).CopyTo(room);
        return Errno.None;
    }

    private static Errno Store(ProgContext ctx, Span<byte> packet, uint offset, ulong source, uint length, Errno error)
    {
        if (offset > packet.Length || length > packet.Length - offset)
        {
            return error;
        }

        ctx.Memory(source, (int)length, isWrite: false).CopyTo(packet[(int)offset..]);
        return Errno.None;
    }
}
