using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>
/// How the context of a program type lies in memory: the user ABI's struct, and behind it what does not fit into that.
/// </summary>
/// <remarks>
/// <c>__sk_buff</c> and <c>xdp_md</c> have 32 bits for each pointer into the packet, and Linux rewrites the loads. Here
/// the pointers lie behind the struct, <see cref="ShadowBytes"/> of them, and loads are led there when a program is
/// made ready. Offsets are bytes; -1 means that the context has no such field.
/// </remarks>
internal sealed record ContextLayout(int UserBytes)
{
    /// <summary>Room for the three pointers.</summary>
    internal const int ShadowBytes = 3 * sizeof(ulong);

    /// <summary>Where the pointer to the first byte is that the program may touch.</summary>
    internal int Data { get; private init; } = -1;

    /// <summary>Where the pointer to the byte behind the last is.</summary>
    internal int DataEnd { get; private init; } = -1;

    /// <summary>Where the pointer to the metadata before the packet is.</summary>
    internal int DataMeta { get; private init; } = -1;

    /// <summary>Where the length is, 4 bytes.</summary>
    internal int Length { get; private init; } = -1;

    /// <summary>Where the pointer to the socket is.</summary>
    internal int Socket { get; private init; } = -1;

    /// <summary>Where the pointer to the flow dissector's keys is.</summary>
    internal int FlowKeys { get; private init; } = -1;

    /// <summary>
    /// Offsets of the 32-bit fields that stand for pointers; empty where pointers have their full size.
    /// </summary>
    internal int[] NarrowPointers { get; private init; } = [];

    /// <summary>Bytes of the whole context.</summary>
    internal int SizeBytes => UserBytes + (NarrowPointers.Length > 0 ? ShadowBytes : 0);

    internal static ContextLayout SkBuff { get; } = new(192)
    {
        Length = 0, Socket = 168, NarrowPointers = [76, 80, 140], Data = 192, DataEnd = 200, DataMeta = 208,
    };

    internal static ContextLayout Xdp { get; } =
        new(24) { NarrowPointers = [0, 4, 8], Data = 24, DataEnd = 32, DataMeta = 40 };

    private static ContextLayout FlowDissector { get; } = SkBuff with { FlowKeys = 144, Socket = -1 };

    private static ContextLayout SkMsg { get; } = new(80) { Data = 0, DataEnd = 8, Length = 68, Socket = 72 };

    private static ContextLayout SkReuseport { get; } = new(56) { Data = 0, DataEnd = 8, Length = 16, Socket = 40 };

    private static ContextLayout Sockopt { get; } = new(40) { Data = 8, DataEnd = 16, Socket = 0 };

    private static ContextLayout SockOps { get; } = new(224) { Data = 192, DataEnd = 200, Length = 208, Socket = 184 };

    internal static ContextLayout SockAddr { get; } = new(72) { Socket = 64 };

    private static ContextLayout SkLookup { get; } = new(72);

    /// <summary>The socket itself, as <c>struct bpf_sock</c>.</summary>
    internal static ContextLayout CgroupSock { get; } = new(80);

    /// <summary>The layout for a program type; null where the context has no pointers of this kind.</summary>
    internal static ContextLayout? Of(ProgType type) => type switch
    {
        ProgType.Xdp => Xdp,
        ProgType.SocketFilter or ProgType.SchedCls or ProgType.SchedAct or ProgType.CgroupSkb or ProgType.SkSkb
            or ProgType.LwtIn or ProgType.LwtOut or ProgType.LwtXmit or ProgType.LwtSeg6Local => SkBuff,
        ProgType.FlowDissector => FlowDissector,
        ProgType.SkMsg => SkMsg,
        ProgType.SkReuseport => SkReuseport,
        ProgType.CgroupSockopt => Sockopt,
        ProgType.SockOps => SockOps,
        ProgType.CgroupSockAddr => SockAddr,
        ProgType.SkLookup => SkLookup,
        ProgType.CgroupSock => CgroupSock,
        _ => null,
    };

    /// <summary>Where a load of a 32-bit pointer field has to go, or -1 for any other field.</summary>
    internal int ShadowOf(int offset)
    {
        var at = Array.IndexOf(NarrowPointers, offset);
        return at < 0 ? -1 : UserBytes + (at * sizeof(ulong));
    }
}
