namespace Kptr.Objects;

/// <summary>A tracked connection (<c>struct nf_conn</c>); its count is <c>ct_general.use</c>.</summary>
public sealed class NfConn : KernelObject
{
    private const string CountField = "ct_general.use.refs.counter";
    private const ulong StatusConfirmed = 1 << 3;
    private const ulong StatusDying = 1 << 9;
    private static readonly FieldSpec[] Fields = [new(CountField, 4), new("status", 8), new("timeout", 4), new("mark", 4)];
    private volatile bool _isInTable;

    internal NfConn(KernelCore core, FlowTuple tuple)
        : base(core, core.LayoutOf("nf_conn", Fields), CountField)
    {
        Tuple = tuple;
    }

    /// <summary>The flow in its original direction.</summary>
    public FlowTuple Tuple { get; }

    /// <summary>Whether the table has it.</summary>
    public bool IsConfirmed => _isInTable;

    /// <summary><c>ct->status</c>.</summary>
    public ulong Status
    {
        get => Get("status");
        set => Put("status", value);
    }

    /// <summary>Time to live in milliseconds, as <c>bpf_ct_set_timeout</c> sets it.</summary>
    public uint TimeoutMs
    {
        get => (uint)Get("timeout");
        set => Put("timeout", value);
    }

    /// <inheritdoc/>
    public override IEnumerable<Holder> IntrinsicHolders() => _isInTable ? [new KernelHolder("conntrack table")] : [];

    /// <summary>Type and flow.</summary>
    public override string ToString() => $"nf_conn {Tuple}";

    internal void EnterTable()
    {
        Diagnostics.Invariant.That(Count.Inc() == RefCountOutcome.Counted, "whoever inserts has a reference");
        Status |= StatusConfirmed;
        _isInTable = true;
    }

    internal void LeaveTable()
    {
        Status |= StatusDying;
        _isInTable = false;
        ReleaseCount();
    }

    /// <inheritdoc/>
    protected override void OnLastRelease() => Core.Rcu.Call(static o => ((NfConn)o).Free(), this, "nf_conntrack_free");
}
