namespace Kptr.Objects;

/// <summary>A tracked connection (<c>struct nf_conn</c>); its count is <c>ct_general.use</c>.</summary>
public sealed class NfConn : KernelObject
{
    private const string CountField = "ct_general.use.refs.counter";
    private const ulong StatusConfirmed = 1 << 3;
    private const ulong StatusDying = 1 << 9;
    private static readonly FieldSpec[] Fields = [
        FieldSpec.Count(CountField), new("status", 8), new("timeout", 4), new("mark", 4),
    ];
    private const uint MsPerJiffy = 4; // CONFIG_HZ=250, as Debian has it
    private volatile bool _isInTable;

    internal NfConn(KernelCore core, FlowTuple tuple)
        : base(core, core.LayoutOf("nf_conn", Fields), CountField)
    {
        Tuple = tuple;
        ReplyTuple = tuple.Reversed;
        Publish();
    }

    /// <summary>The flow in its original direction.</summary>
    public FlowTuple Tuple { get; }

    /// <summary>The flow in the other direction: the original one reversed, unless addresses are translated.</summary>
    public FlowTuple ReplyTuple { get; private set; }

    /// <summary>Whether the table has it.</summary>
    public bool IsConfirmed => _isInTable;

    /// <summary><c>ct->status</c>.</summary>
    public ulong Status
    {
        get => Get("status");
        set => Put("status", value);
    }

    /// <summary>
    /// Time to live in milliseconds from now, in steps of 4. The field counts in jiffies: from
    /// boot once it is in the table.
    /// </summary>
    public uint TimeoutMs
    {
        get => (uint)Math.Max(0, (int)(uint)Get("timeout") - (_isInTable ? (int)NowJiffies : 0)) * MsPerJiffy;
        set => Put("timeout", (value / MsPerJiffy) + (_isInTable ? NowJiffies : 0));
    }

    internal uint NowJiffies => (uint)(Core.NowNs / 1_000_000 / MsPerJiffy);

    /// <inheritdoc/>
    public override IEnumerable<Holder> IntrinsicHolders() => _isInTable ? [new KernelHolder("conntrack table")] : [];

    /// <summary>Type and flow.</summary>
    public override string ToString() => $"nf_conn {Tuple}";

    /// <summary>
    /// Puts another address (and port) into the place of the source's, or the destination's, for replies.
    /// </summary>
    internal void Translate(UInt128 address, ushort? port, bool isSource) => ReplyTuple = isSource
        ? ReplyTuple with { DestAddress = address, DestPort = port ?? ReplyTuple.DestPort }
        : ReplyTuple with { SourceAddress = address, SourcePort = port ?? ReplyTuple.SourcePort };

    /// <summary>The table has it, with a reference that the caller took for it.</summary>
    internal void EnterTable(uint nowJiffies)
    {
        Status |= StatusConfirmed;
        Put("timeout", Get("timeout") + nowJiffies);
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
