using Kptr.Diagnostics;
using Kptr.Objects;

namespace Kptr.Kfuncs;

/// <summary>A packet's context as the kernel has it: <c>struct sk_buff</c>, <c>struct xdp_buff</c>.</summary>
/// <remarks>
/// A copy of what the run knows at the time of the cast; the fields filled are those named here. It goes with the run.
/// Kernel: <c>bpf_cast_to_kern_ctx</c> (kernel/bpf/helpers.c, 6.12).
/// </remarks>
internal static class KernelContexts
{
    private static readonly FieldSpec[] SkbFields =
        [new("len", 4), new("data", 8), new("head", 8), new("dev", 8), new("sk", 8), new("protocol", 2), new(
            "mark", 4), new("hash", 4), new("priority", 4)];

    private static readonly FieldSpec[] XdpFields = [
        new("data", 8), new("data_end", 8), new("data_meta", 8), new("rxq", 8),
    ];
    private static readonly FieldSpec[] RxqFields = [new("dev", 8), new("queue_index", 4)];
    private const uint UnixFamilyBytes = 2;
    private const uint UnixPathBytes = 108;
    private static readonly FieldSpec[] UnixFields = [new("sun_family", 2), new("sun_path", (int)UnixPathBytes)];
    private static readonly FieldSpec[] SockAddrFields = [new("sk", 8), new("uaddr", 8), new("uaddrlen", 4)];
    private static readonly FieldSpec[] DeviceFields = [new("ifindex", 4)];

    [Kfunc("bpf_cast_to_kern_ctx",
        Hooks = KfuncHooks.Common,
        Prototype = "void *bpf_cast_to_kern_ctx(void *obj)")]
    internal static ulong Cast(ProgContext ctx, ulong context)
    {
        // Tracing programs' contexts are the kernel's already.
        if (ctx.Packet is not { } packet)
        {
            return context;
        }

        return ctx.PacketAt(context) switch
        {
            { IsXdp: true } => XdpBuff(ctx, packet),
            { IsSkb: true } => SkBuff(ctx, packet),
            { IsSockAddr: true } => SockAddr(ctx, packet),
            _ => throw new ProgramFaultException(
                DiagCode.CallNotModelled, $"bpf_cast_to_kern_ctx of the context of {ctx.Prog.Type} programs"),
        };
    }

    private static ulong SkBuff(ProgContext ctx, RunPacket packet)
    {
        const int mark = 8, protocol = 16, priority = 32, ifindex = 40, hash = 68;
        var skb = packet.Part(ctx.Core, "sk_buff", SkbFields);
        skb.Put("len", (ulong)packet.Length);
        skb.Put("data", packet.Data);
        skb.Put("head", packet.Data);
        skb.Put("dev", Device(ctx, packet, packet.Field<uint>(ifindex)));
        skb.Put("sk", packet.Socket?.Address ?? 0);
        skb.Put("protocol", packet.Field<uint>(protocol));
        skb.Put("mark", packet.Field<uint>(mark));
        skb.Put("hash", packet.Field<uint>(hash));
        skb.Put("priority", packet.Field<uint>(priority));
        return skb.Address;
    }

    /// <summary>
    /// Puts the path of a Unix socket in place of the address that a system call gave or asks for.
    /// </summary>
    /// <remarks>Kernel: net/core/filter.c, 6.12.</remarks>
    [Kfunc("bpf_sock_addr_set_sun_path", Hooks = KfuncHooks.Cgroup,
        Prototype = "int bpf_sock_addr_set_sun_path(struct bpf_sock_addr_kern *sa_kern, const u8 *sun_path, "
            + "u32 sun_path__sz)")]
    internal static Errno SetSunPath(ProgContext ctx, ulong address, ulong path, uint size)
    {
        if (ctx.Packet is not { IsSockAddr: true, Socket: { } sock } packet || SockAddr(ctx, packet) != address)
        {
            throw new ProgramFaultException(
                DiagCode.CallBadObject, $"{address:x} is no context of this run as the kernel has it");
        }

        if (sock.Family != Sock.FamilyUnix || size is 0 or > UnixPathBytes)
        {
            return Errno.EINVAL;
        }

        var text = ctx.Memory(path, (int)size, isWrite: false);
        var unix = packet.Part(ctx.Core, "sockaddr_un", UnixFields);
        text.CopyTo(ctx.KernelMemory(unix.Address + UnixFamilyBytes, (int)size));
        packet.Part(ctx.Core, "bpf_sock_addr_kern", SockAddrFields).Put("uaddrlen", UnixFamilyBytes + size);
        packet.UnixPath = text.ToArray();
        return Errno.None;
    }

    // The program may cast its context as often as it likes: what it has written stays.
    private static ulong SockAddr(ProgContext ctx, RunPacket packet)
    {
        var address = packet.Part(ctx.Core, "bpf_sock_addr_kern", SockAddrFields);
        if (address.Get("sk") == 0 && packet.Socket is { } sock)
        {
            var unix = packet.Part(ctx.Core, "sockaddr_un", UnixFields);
            unix.Put("sun_family", sock.Family);
            address.Put("sk", sock.Address);
            address.Put("uaddr", unix.Address);
            address.Put("uaddrlen", UnixFamilyBytes);
        }

        return address.Address;
    }

    private static ulong XdpBuff(ProgContext ctx, RunPacket packet)
    {
        const int ifindex = 12, queue = 16;
        var rxq = packet.Part(ctx.Core, "xdp_rxq_info", RxqFields);
        rxq.Put("dev", Device(ctx, packet, Math.Max(packet.Field<uint>(ifindex), Loopback.Index)));
        rxq.Put("queue_index", packet.Field<uint>(queue));
        var xdp = packet.Part(ctx.Core, "xdp_buff", XdpFields);
        xdp.Put("data", packet.Data);
        xdp.Put("data_end", packet.Data + (ulong)packet.Length);
        xdp.Put("data_meta", packet.Data - (ulong)packet.MetaBytes);
        xdp.Put("rxq", rxq.Address);
        return xdp.Address;
    }

    private static ulong Device(ProgContext ctx, RunPacket packet, uint ifindex)
    {
        var device = packet.Part(ctx.Core, "net_device", DeviceFields);
        device.Put("ifindex", ifindex);
        return device.Address;
    }
}
