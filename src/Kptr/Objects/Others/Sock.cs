namespace Kptr.Objects;

/// <summary>A socket; its count is <c>sk_refcnt</c>.</summary>
public sealed class Sock : KernelObject
{
    private const string CountField = "__sk_common.skc_refcnt.refs.counter";
    private static readonly FieldSpec[] Fields =
    [
        new(CountField, 4), new("__sk_common.skc_family", 2), new("__sk_common.skc_state", 1), new("__sk_common.skc_num", 2),
        new("__sk_common.skc_dport", 2), new("__sk_common.skc_daddr", 4), new("__sk_common.skc_rcv_saddr", 4), new("sk_protocol", 2),
        new("sk_type", 2), new("sk_mark", 4),
    ];

    private volatile bool _isOpen = true;

    /// <summary>Opens a socket; its one reference belongs to the kernel until <see cref="Close"/>.</summary>
    /// <param name="core">The kernel.</param>
    /// <param name="tuple">Its addresses; the source side is the local one.</param>
    public Sock(KernelCore core, FlowTuple tuple)
        : base(core ?? throw new ArgumentNullException(nameof(core)), core.LayoutOf("sock", Fields), CountField)
    {
        Tuple = tuple;
        Put("__sk_common.skc_family", 2);
        Put("__sk_common.skc_num", tuple.SourcePort);
        Put("__sk_common.skc_dport", System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(tuple.DestPort));
        Put("__sk_common.skc_rcv_saddr", System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(tuple.SourceAddress));
        Put("__sk_common.skc_daddr", System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(tuple.DestAddress));
        Put("sk_protocol", tuple.Protocol);
        Put("sk_type", tuple.Protocol == 6 ? 1ul : 2);
        Put("__sk_common.skc_state", tuple.DestPort == 0 ? 10ul : 1);
    }

    /// <summary>Its addresses.</summary>
    public FlowTuple Tuple { get; }

    /// <inheritdoc/>
    public override IEnumerable<Holder> IntrinsicHolders() => _isOpen ? [new KernelHolder("open socket")] : [];

    /// <summary>The last descriptor is closed: the kernel drops its reference. Once.</summary>
    public void Close()
    {
        Core.Sockets.Remove(this);
        _isOpen = false;
        ReleaseCount();
    }

    /// <summary>Type and addresses.</summary>
    public override string ToString() => $"sock {Tuple}";
}
