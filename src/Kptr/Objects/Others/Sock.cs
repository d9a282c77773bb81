using System.Buffers.Binary;
using System.Collections.Concurrent;
using Kptr.Btf;

namespace Kptr.Objects;

/// <summary>A socket; its count is <c>sk_refcnt</c>.</summary>
/// <remarks>
/// One layout serves all protocols: <c>struct sock</c> with room for the largest struct that embeds it.
/// Behind that lies what programs see of it as <c>struct bpf_sock</c> and <c>struct bpf_tcp_sock</c>, so that
/// one address is all of them.
/// </remarks>
public sealed partial class Sock : KernelObject
{
    /// <summary><c>TCP_ESTABLISHED</c>.</summary>
    public const byte Established = 1;

    /// <summary><c>TCP_LISTEN</c>.</summary>
    public const byte Listen = 10;

    private const string FamilyField = "__sk_common.skc_family";
    private const string State = "__sk_common.skc_state";
    private const string CountField = "__sk_common.skc_refcnt.refs.counter";
    private const byte Tcp = 6;
    private const byte Udp = 17;
    private const int SockBytes = 80;
    private const int TcpSockBytes = 112;
    private static readonly FieldSpec[] Fields =
    [
        FieldSpec.Count(CountField), new(FamilyField, 2), new(State, 1), new("__sk_common.skc_num", 2),
        new("__sk_common.skc_dport", 2),
        new("__sk_common.skc_daddr", 4), new("__sk_common.skc_rcv_saddr", 4), new("__sk_common.skc_v6_daddr", 16),
        new("__sk_common.skc_v6_rcv_saddr", 16), new("__sk_common.skc_cookie.counter", 8),
        new("sk_protocol", 2), new("sk_type", 2),
        new("sk_mark", 4), new("sk_priority", 4), .. TcpFields,

        // The last, so that even a kernel without the struct has room for what programs see.
        new("kptr.views", SockBytes + TcpSockBytes),
    ];

    private static readonly string[] Embedders = ["tcp6_sock", "tcp_sock", "udp6_sock", "udp_sock"];
    private readonly ConcurrentDictionary<(int Level, int Name), int> _options = new();
    private int _isClosed;

    /// <summary>Opens a socket; its one reference belongs to the kernel until <see cref="Close"/>.</summary>
    /// <param name="core">The kernel.</param>
    /// <param name="tuple">Its addresses; the source side is the local one. Without a
    /// destination port it listens.</param>
    public Sock(KernelCore core, FlowTuple tuple)
        : base(core ?? throw new ArgumentNullException(nameof(core)), LayoutIn(core), CountField)
    {
        Tuple = tuple;
        Cookie = core.Sockets.NextCookie();
        Cgroup = core.Tasks.Current.Cgroup;
        Put(FamilyField, tuple.IsV6 ? 10ul : 2);
        Put("__sk_common.skc_num", tuple.SourcePort);
        Put("__sk_common.skc_dport", BinaryPrimitives.ReverseEndianness(tuple.DestPort));
        Put("__sk_common.skc_cookie.counter", Cookie);
        Put("sk_protocol", tuple.Protocol);
        Put("sk_type", TypeNumber);
        Put(State, tuple.DestPort != 0 ? Established : tuple.Protocol == Tcp ? Listen : 7ul);
        PutAddress(tuple.IsV6 ? "__sk_common.skc_v6_rcv_saddr" : "__sk_common.skc_rcv_saddr", tuple.SourceAddress);
        PutAddress(tuple.IsV6 ? "__sk_common.skc_v6_daddr" : "__sk_common.skc_daddr", tuple.DestAddress);
        InitTcp();
        FillView();
        Publish();
    }

    /// <summary>Its addresses.</summary>
    public FlowTuple Tuple { get; }

    /// <summary>The name of its congestion control.</summary>
    public string CongestionControl { get; internal set; } = "cubic";

    /// <summary>The number by which user space knows it for good (<c>bpf_get_socket_cookie</c>).</summary>
    public ulong Cookie { get; }

    /// <summary>The cgroup of the task that opened it; no reference is taken.</summary>
    public Cgroup Cgroup { get; }

    /// <summary>
    /// Whether look-ups take a reference on it. Listeners and bound UDP sockets are freed by RCU and are not counted
    /// (<c>SOCK_RCU_FREE</c>).
    /// </summary>
    public bool IsRefcounted => Tuple.DestPort != 0 && Tuple.Protocol == Tcp;

    /// <summary>Whether it waits for connections.</summary>
    public bool IsListener => Get(State) == Listen;

    /// <summary><c>AF_UNIX</c>.</summary>
    internal const ulong FamilyUnix = 1;

    /// <summary><c>AF_INET</c>, <c>AF_INET6</c>; of a socket that stands for one of Unix, that.</summary>
    internal ulong Family
    {
        get => Get(FamilyField);
        init => Put(FamilyField, value);
    }

    /// <summary><c>SOCK_STREAM</c> or <c>SOCK_DGRAM</c>.</summary>
    internal ulong TypeNumber => Tuple.Protocol == Udp ? 2ul : 1;

    /// <summary>Whether it is TCP's.</summary>
    public bool IsTcp => Tuple.Protocol == Tcp;

    /// <inheritdoc/>
    public override IEnumerable<Holder> IntrinsicHolders() => IsClosed ? [] : [new KernelHolder("open socket")];

    /// <summary>Whether its last descriptor was closed; somebody may still have a reference.</summary>
    public bool IsClosed => Volatile.Read(ref _isClosed) != 0;

    /// <summary>The last descriptor is closed: the kernel drops its reference. Once.</summary>
    /// <remarks>A second time it drops nothing and is a reported fault.</remarks>
    public void Close()
    {
        if (!TryClose())
        {
            ReportSecondClose();
        }
    }

    /// <summary>Closes it; false when that was done before.</summary>
    internal bool TryClose()
    {
        if (Interlocked.Exchange(ref _isClosed, 1) != 0)
        {
            return false;
        }

        Core.Sockets.Remove(this);
        ReleaseCount();
        return true;
    }

    /// <summary>An integer option, or what it is before anybody sets it.</summary>
    internal int OptionOr(int level, int name, int initial) => _options.GetValueOrDefault((level, name), initial);

    /// <summary>Sets an integer option; mark and priority are fields that programs see.</summary>
    internal void SetOption(int level, int name, int value)
    {
        const int solSocket = 1, priority = 12, mark = 36, markInView = 16, priorityInView = 20;
        if (!MayWrite("sk_mark"))
        {
            return;
        }

        _options[(level, name)] = value;
        if (level == solSocket && name is mark or priority)
        {
            Put(name == mark ? "sk_mark" : "sk_priority", (uint)value);
            BinaryPrimitives.WriteInt32LittleEndian(
                At(SockViewBytes(Core) + (name == mark ? markInView : priorityInView), 4), value);
        }
    }

    /// <summary>Type and addresses.</summary>
    public override string ToString() => $"sock {Tuple}";

    /// <summary>Bytes from a socket's address to its <c>struct bpf_sock</c>.</summary>
    internal static int SockViewBytes(KernelCore core) => LayoutIn(core).SizeBytes - SockBytes - TcpSockBytes;

    /// <summary>Bytes from a socket's address to its <c>struct bpf_tcp_sock</c>.</summary>
    internal static int TcpViewBytes(KernelCore core) => LayoutIn(core).SizeBytes - TcpSockBytes;

    /// <summary>What programs see as <c>struct bpf_sock</c>.</summary>
    internal ReadOnlySpan<byte> View => At(SockViewBytes(Core), SockBytes);

    private static ObjectLayout LayoutIn(KernelCore core)
    {
        var own = SizeOf(core, "sock");
        var largest = Embedders.Max(name => SizeOf(core, name));
        return core.LayoutOf(
            "sock", Fields, flexBytes: ((Math.Max(own, largest) + 7) & ~7) - own + SockBytes + TcpSockBytes,
            embedder: "tcp_sock");
    }

    private static int SizeOf(KernelCore core, string name) =>
        core.Spec.Types.Find(name, BtfKind.Struct) is { } place ? core.Spec.Types[place].SizeBytes : 0;

    private unsafe Span<byte> At(int offset, int sizeBytes) => new((byte*)Address + offset, sizeBytes);

    private void PutAddress(string path, UInt128 address)
    {
        var field = Layout.Field(path);
        Tuple.ToNetwork(address, At(field.OffsetBytes, field.SizeBytes));
    }

    private void FillView()
    {
        const int sourceV4 = 24, sourceV6 = 28, sourcePort = 44, destPort = 48, destV4 = 52, destV6 =
            56, state = 72, rxQueue = 76;
        var view = At(SockViewBytes(Core), SockBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(view[4..], (uint)Get(FamilyField));
        BinaryPrimitives.WriteUInt32LittleEndian(view[8..], (uint)Get("sk_type"));
        BinaryPrimitives.WriteUInt32LittleEndian(view[12..], Tuple.Protocol);
        Tuple.ToNetwork(Tuple.SourceAddress, view[(Tuple.IsV6 ? sourceV6 : sourceV4)..]);
        Tuple.ToNetwork(Tuple.DestAddress, view[(Tuple.IsV6 ? destV6 : destV4)..]);
        BinaryPrimitives.WriteUInt32LittleEndian(view[sourcePort..], Tuple.SourcePort);
        BinaryPrimitives.WriteUInt16BigEndian(view[destPort..], Tuple.DestPort);
        BinaryPrimitives.WriteUInt32LittleEndian(view[state..], (uint)Get(State));
        BinaryPrimitives.WriteInt32LittleEndian(view[rxQueue..], -1);
    }
}
