using Kptr.Specs;
using Kptr.Verifier.State;

namespace Kptr.Verifier.Context;

/// <content>Sockets, addresses and messages.</content>
internal static partial class CtxStructs
{
    private static readonly AttachType[] Sock4 =
    [
        AttachType.CgroupInet4Bind, AttachType.CgroupInet4Connect, AttachType.CgroupInet4Getpeername,
        AttachType.CgroupInet4Getsockname, AttachType.CgroupUdp4Sendmsg, AttachType.CgroupUdp4Recvmsg,
    ];

    private static readonly AttachType[] Sock6 =
    [
        AttachType.CgroupInet6Bind, AttachType.CgroupInet6Connect, AttachType.CgroupInet6Getpeername,
        AttachType.CgroupInet6Getsockname, AttachType.CgroupUdp6Sendmsg, AttachType.CgroupUdp6Recvmsg,
    ];

    private static readonly AttachType[] SockLife = [AttachType.CgroupInetSockCreate, AttachType.CgroupInetSockRelease];
    private static readonly AttachType[] PostBind = [AttachType.CgroupInet4PostBind, AttachType.CgroupInet6PostBind];

    /// <summary><c>struct bpf_sock_addr</c></summary>
    public static CtxStruct SockAddr { get; } = new(
        new("user_family", 0, 4, Four),
        new("user_ip4", 4, 4, Word) { Write = Four, Attach = Sock4 },
        new("user_ip6", 8, 16, Word) { Write = Four, Attach = Sock6, Wide = true },
        new("user_port", 24, 4, Word) { Write = Four },
        new("family", 28, 4, Four),
        new("type", 32, 4, Four),
        new("protocol", 36, 4, Four),
        new("msg_src_ip4", 40, 4, Word) { Write = Four, Attach = [AttachType.CgroupUdp4Sendmsg] },
        new("msg_src_ip6", 44, 16, Word) { Write = Four, Attach = [AttachType.CgroupUdp6Sendmsg], Wide = true },
        new("sk", 64, 8, Eight) { Type = RegType.PtrToSocket });

    /// <summary><c>struct bpf_sock</c>, as a context. The port has 2 bytes and may be read as 4.</summary>
    public static CtxStruct Sock { get; } = new(
        new("bound_dev_if", 0, 4, Four) { Write = Four, Attach = SockLife },
        new("family", 4, 4, Word) { ReadInside = CtxSizes.None },
        new("type", 8, 4, Word) { ReadInside = CtxSizes.None },
        new("protocol", 12, 4, Word) { ReadInside = CtxSizes.None },
        new("mark", 16, 4, Four) { Write = Four, Attach = SockLife },
        new("priority", 20, 4, Four) { Write = Four, Attach = SockLife },
        new("src_ip4", 24, 4, Word) { Attach = [AttachType.CgroupInet4PostBind] },
        new("src_ip6", 28, 16, Word) { Attach = [AttachType.CgroupInet6PostBind] },
        new("src_port", 44, 4, Word) { ReadInside = CtxSizes.None, Attach = PostBind },
        new("dst_port, second byte", 49, 1, CtxSizes.Exact(1)),
        new("dst_port", 48, 4, Word) { ReadInside = CtxSizes.None },
        new("dst_ip4", 52, 4, Word),
        new("dst_ip6", 56, 16, Word),
        new("state", 72, 4, Word) { ReadInside = CtxSizes.None },
        new("rx_queue_mapping", 76, 4, Word) { ReadInside = CtxSizes.None });

    /// <summary><c>struct bpf_sock_ops</c></summary>
    public static CtxStruct SockOps { get; } = new(
        new("op", 0, 4, Four),
        new("reply", 4, 4, Four) { Write = Four },
        new("words", 8, 156, Four),
        new("sk_txhash", 164, 4, Four) { Write = Four },
        new("bytes_received", 168, 8, Eight),
        new("bytes_acked", 176, 8, Eight),
        new("sk", 184, 8, Eight) { Type = RegType.PtrToSocket | RegType.MaybeNull },
        new("skb_data", 192, 8, Eight) { Type = RegType.PtrToPacket },
        new("skb_data_end", 200, 8, Eight) { Type = RegType.PtrToPacketEnd },
        new("skb_len", 208, 4, Four),
        new("skb_tcp_flags", 212, 4, Word) { ReadInside = CtxSizes.None },
        new("skb_hwtstamp", 216, 8, Eight));

    /// <summary><c>struct sk_msg_md</c></summary>
    public static CtxStruct SkMsg { get; } = new(
        new("data", 0, 8, Eight) { Type = RegType.PtrToPacket },
        new("data_end", 8, 8, Eight) { Type = RegType.PtrToPacketEnd },
        new("words", 16, 56, Four),
        new("sk", 72, 8, Eight) { Type = RegType.PtrToSocket });

    /// <summary><c>struct bpf_sk_lookup</c>; the port is 2 bytes and may be read as 4.</summary>
    public static CtxStruct SkLookup { get; } = new(
        new("sk", 0, 8, Eight) { Type = RegType.PtrToSocket | RegType.MaybeNull },
        new("family", 8, 4, Word),
        new("protocol", 12, 4, Word),
        new("remote_ip4", 16, 4, Word),
        new("remote_ip6", 20, 16, Word),
        new("remote_port", 36, 4, Word),
        new("local_ip4", 40, 4, Word),
        new("local_ip6", 44, 16, Word),
        new("local_port", 60, 4, Word),
        new("ingress_ifindex", 64, 4, Word));

    /// <summary><c>struct sk_reuseport_md</c></summary>
    public static CtxStruct SkReuseport { get; } = new(
        new("data", 0, 8, Eight) { Type = RegType.PtrToPacket },
        new("data_end", 8, 8, Eight) { Type = RegType.PtrToPacketEnd },
        new("len", 16, 4, Word),
        new("eth_protocol", 20, 4, new CtxSizes(4, true, Least: 2)),
        new("ip_protocol", 24, 4, Word),
        new("bind_inany", 28, 4, Word),
        new("hash", 32, 4, Four),
        new("sk", 40, 8, Eight) { Type = RegType.PtrToSocket },
        new("migrating_sk", 48, 8, Eight) { Type = RegType.PtrToSockCommon | RegType.MaybeNull });

    /// <summary><c>struct xdp_md</c></summary>
    public static CtxStruct Xdp { get; } = new(
        new("data", 0, 4, Four) { Type = RegType.PtrToPacket, NoSignExtension = true },
        new("data_end", 4, 4, Four) { Type = RegType.PtrToPacketEnd, NoSignExtension = true },
        new("data_meta", 8, 4, Four) { Type = RegType.PtrToPacketMeta, NoSignExtension = true },
        new("ingress_ifindex", 12, 4, Four),
        new("rx_queue_index", 16, 4, Four),
        new("egress_ifindex", 20, 4, Four) { Attach = [AttachType.XdpDevmap] });

    /// <summary><c>struct bpf_cgroup_dev_ctx</c></summary>
    public static CtxStruct CgroupDevice { get; } = new(
        new("access_type", 0, 4, Word),
        new("major", 4, 4, Four),
        new("minor", 8, 4, Four));

    /// <summary><c>struct bpf_sysctl</c></summary>
    public static CtxStruct CgroupSysctl { get; } = new(
        new("write", 0, 4, Word),
        new("file_pos", 4, 4, Word) { Write = Four });

    /// <summary><c>struct bpf_sockopt</c> at <c>getsockopt</c>.</summary>
    public static CtxStruct Getsockopt { get; } = Sockopt(AttachType.CgroupGetsockopt);

    /// <summary><c>struct bpf_sockopt</c> at <c>setsockopt</c>.</summary>
    public static CtxStruct Setsockopt { get; } = Sockopt(AttachType.CgroupSetsockopt);

    /// <summary>x86-64's <c>struct pt_regs</c>, words of any size.</summary>
    public static CtxStruct Kprobe { get; } = new(new CtxField("regs", 0, 168, CtxSizes.UpTo(8)));

    /// <summary>A tracepoint's record; the first 8 bytes are the kernel's.</summary>
    public static CtxStruct Tracepoint { get; } = new(new CtxField("record", 8, 8184, CtxSizes.UpTo(8)));

    /// <summary><c>struct bpf_perf_event_data</c></summary>
    public static CtxStruct PerfEvent { get; } = new(
        new("regs", 0, 168, Eight),
        new("sample_period", 168, 8, CtxSizes.UpTo(8)),
        new("addr", 176, 8, CtxSizes.UpTo(8)));

    /// <summary>Twelve words.</summary>
    public static CtxStruct RawTracepoint { get; } = new(new CtxField("args", 0, 96, CtxSizes.UpTo(8)));

    /// <summary>Twelve words, the first the address of a buffer.</summary>
    public static CtxStruct RawTracepointWritable { get; } = new(
        new("buffer", 0, 8, Eight) { Type = RegType.PtrToTpBuffer, ReadInside = CtxSizes.UpTo(4) },
        new("args", 8, 88, CtxSizes.UpTo(8)));

    /// <summary>The caller's memory, as large as the program touches.</summary>
    public static CtxStruct Syscall { get; } =
        new(new CtxField("args", 0, 0xffff + 8, CtxSizes.UpTo(8)) { Write = CtxSizes.UpTo(8) });

    /// <summary>One infrared sample.</summary>
    public static CtxStruct LircMode2 { get; } = new(new CtxField("sample", 0, 4, Four));

    private static CtxStruct Sockopt(AttachType attach) => new(
        new("sk", 0, 8, Eight) { Type = RegType.PtrToSocket },
        new("optval", 8, 8, Eight) { Type = RegType.PtrToPacket },
        new("optval_end", 16, 8, Eight) { Type = RegType.PtrToPacketEnd },
        new("level", 24, 4, Four) { Write = attach == AttachType.CgroupSetsockopt ? Four : CtxSizes.None },
        new("optname", 28, 4, Four) { Write = attach == AttachType.CgroupSetsockopt ? Four : CtxSizes.None },
        new("optlen", 32, 4, Four) { Write = Four },
        new("retval", 36, 4, attach == AttachType.CgroupGetsockopt ? Four : CtxSizes.None)
        {
            Write = attach == AttachType.CgroupGetsockopt ? Four : CtxSizes.None,
        });
}
