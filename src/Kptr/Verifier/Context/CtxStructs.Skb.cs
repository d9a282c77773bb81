using Kptr.Verifier.State;

namespace Kptr.Verifier.Context;

/// <content><c>struct __sk_buff</c>, of which each program type sees its own part.</content>
internal static partial class CtxStructs
{
    private static readonly CtxSizes Word = CtxSizes.UpTo(4);
    private static readonly CtxSizes Four = CtxSizes.Exact(4);
    private static readonly CtxSizes Eight = CtxSizes.Exact(8);

    private const string SocketPart = "family remote_ip4 local_ip4 remote_ip6 local_ip6 remote_port local_port";

    private static readonly CtxField[] SkBuff =
    [
        new("len", 0, 4, Word),
        new("pkt_type", 4, 4, Word),
        new("mark", 8, 4, Word),
        new("queue_mapping", 12, 4, Word),
        new("protocol", 16, 4, Word),
        new("vlan_present", 20, 4, Word),
        new("vlan_tci", 24, 4, Word),
        new("vlan_proto", 28, 4, Word),
        new("priority", 32, 4, Word),
        new("ingress_ifindex", 36, 4, Word),
        new("ifindex", 40, 4, Word),
        new("tc_index", 44, 4, Word),
        new("cb", 48, 20, CtxSizes.Any),
        new("hash", 68, 4, Word),
        new("tc_classid", 72, 4, Word),
        new("data", 76, 4, Four) { NoSignExtension = true },
        new("data_end", 80, 4, Four) { NoSignExtension = true },
        new("napi_id", 84, 4, Word),
        new("family", 88, 4, Word),
        new("remote_ip4", 92, 4, Four),
        new("local_ip4", 96, 4, Four),
        new("remote_ip6", 100, 16, Four),
        new("local_ip6", 116, 16, Four),
        new("remote_port", 132, 4, Word),
        new("local_port", 136, 4, Word),
        new("data_meta", 140, 4, Four) { NoSignExtension = true },
        new("tstamp", 152, 8, Eight),
        new("wire_len", 160, 4, Word),
        new("gso_segs", 164, 4, Word),
        new("sk", 168, 8, Eight) { Type = RegType.PtrToSockCommon | RegType.MaybeNull },
        new("gso_size", 176, 4, Word),
        new("hwtstamp", 184, 8, Eight),
    ];

    /// <summary>Socket filters.</summary>
    public static CtxStruct SocketFilter { get; } =
        Skb("tc_classid data data_meta data_end tstamp wire_len hwtstamp " + SocketPart, "cb", packet: false);

    /// <summary>Programs on a cgroup's packets.</summary>
    public static CtxStruct CgroupSkb { get; } = Skb("tc_classid data_meta wire_len", "mark priority cb tstamp");

    /// <summary>Lightweight tunnels.</summary>
    public static CtxStruct Lwt { get; } =
        Skb("tc_classid data_meta tstamp wire_len hwtstamp " + SocketPart, "mark priority cb");

    /// <summary>Traffic control.</summary>
    public static CtxStruct Tc { get; } = Skb(SocketPart, "mark tc_index priority tc_classid cb tstamp queue_mapping",
        new CtxField("tstamp_type", 180, 1, CtxSizes.Exact(1)));

    /// <summary>Stream parsers and verdicts.</summary>
    public static CtxStruct SkSkb { get; } =
        Skb("tc_classid data_meta tstamp wire_len hwtstamp mark", "tc_index priority");

    /// <summary>The flow dissector: packet and keys only.</summary>
    public static CtxStruct FlowDissector { get; } = new(
        new("data", 76, 4, Four) { Type = RegType.PtrToPacket, NoSignExtension = true },
        new("data_end", 80, 4, Four) { Type = RegType.PtrToPacketEnd, NoSignExtension = true },
        new("flow_keys", 144, 8, Eight) { Type = RegType.PtrToFlowKeys });

    private static CtxStruct Skb(string denied, string writable, params CtxField[] more) =>
        Skb(denied, writable, true, more);

    private static CtxStruct Skb(string denied, string writable, bool packet, params CtxField[] more)
    {
        string[] no = denied.Split(' '), write = writable.Split(' ');
        var fields = SkBuff.Where(f => !no.Contains(f.Name)).Concat(more).OrderBy(f => f.Off).Select(f => f with
        {
            Write = !write.Contains(f.Name)
                ? CtxSizes.None : f.Name == "cb" ? CtxSizes.Any : f.Name == "tstamp" ? Eight : Four,
            Type = !packet ? f.Type : f.Name switch
            {
                "data" => RegType.PtrToPacket,
                "data_meta" => RegType.PtrToPacketMeta,
                "data_end" => RegType.PtrToPacketEnd,
                _ => f.Type,
            },
        });
        return new CtxStruct([.. fields]);
    }
}
