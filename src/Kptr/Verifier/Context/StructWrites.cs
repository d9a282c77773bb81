using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Verifier.Context;

/// <summary>The few kernel fields that programs may write through a typed pointer.</summary>
/// <param name="hook">Where the program runs.</param>
internal sealed class StructWrites(Hook hook)
{
    /// <summary>Writable fields by struct: paths from the struct's start.</summary>
    private static readonly string[] TcpSockFields =
    [
        "inet_conn.icsk_inet.sk.sk_pacing_rate", "inet_conn.icsk_inet.sk.sk_pacing_status", "inet_conn.icsk_ca_priv",
        "inet_conn.icsk_ack.pending", "snd_cwnd", "snd_cwnd_cnt", "snd_cwnd_stamp", "snd_ssthresh",
        "ecn_flags", "app_limited",
    ];

    private static readonly string[] QdiscFields = ["limit", "q.qlen", "qstats"];

    private static readonly string[] TaskFields = ["scx.slice", "scx.dsq_vtime", "scx.disallow"];

    /// <summary>
    /// Whether programs of this type may write to any kernel struct (<c>btf_struct_access</c> is set).
    /// </summary>
    public bool HasAny => Prog.Type is ProgType.SchedCls or ProgType.SchedAct or ProgType.Xdp
        || (Prog.Type == ProgType.StructOps
            && hook.StructOpsName is "tcp_congestion_ops" or "bpf_dummy_ops" or "sched_ext_ops" or "sched_ext_ops_cid"
                or "bpf_testmod_st_ops" or "Qdisc_ops");

    private ProgSpec Prog => hook.Prog;

    private BtfSpec Vmlinux => hook.Kernel.Types.Vmlinux;

    /// <summary>What is wrong with a store to a kernel struct; null where it is allowed.</summary>
    public Fault? Check(BtfType type, int off, int size)
    {
        if (Prog.Type != ProgType.StructOps)
        {
            return type.Name switch
            {
                "nf_conn" => CheckConn(type, off, size),
                "nf_conn___init" => CheckConn(type.Btf.SkipModifiers(type.Member(0).TypeId), off, size),
                _ => OnlyRead,
            };
        }

        switch (hook.StructOpsName)
        {
            case "tcp_congestion_ops":
                return type.Name == "tcp_sock" ? CheckField(type, off, size, TcpSockFields, "tcp_sock") : OnlyRead;
            case "bpf_dummy_ops":
                return CheckDummy(type, off, size);
            case "bpf_testmod_st_ops":
                var args = type.Btf.FindId("st_ops_args", BtfKind.Struct);
                return args != 0 && off + size <= type.Btf[args].SizeBytes ? null : OnlyRead;
            case "Qdisc_ops":
                return CheckQdisc(type, off, size);
            default:
                return type.Name == "task_struct" ? CheckField(type, off, size, TaskFields, "task_struct") : OnlyRead;
        }
    }

    private static Fault OnlyRead => new Fault(DiagCode.ReadOnlyWrite, "only read is supported");

    private static Fault? CheckConn(BtfType conn, int off, int size) =>
        CheckField(conn, off, size, ["mark"], "nf_conn");

    private static Fault? CheckDummy(BtfType type, int off, int size) => type.Name != "bpf_dummy_ops_state"
        ? new Fault(DiagCode.ReadOnlyWrite, "only access to bpf_dummy_ops_state is supported")
        : off + size > type.SizeBytes
        ? new Fault(DiagCode.BtfAccessInvalid,
            $"write access to bpf_dummy_ops_state at off {off} with size {size} beyond its end")
        : null;

    /// <summary>Kernel: <c>bpf_qdisc_btf_struct_access</c> (net/sched/bpf_qdisc.c, 7.2).</summary>
    private Fault? CheckQdisc(BtfType type, int off, int size)
    {
        if (type.Name is not ("sk_buff" or "Qdisc") || !ReferenceEquals(type.Btf, Vmlinux))
        {
            return OnlyRead;
        }

        if (type.Name == "Qdisc")
        {
            return CheckField(type, off, size, QdiscFields, "Qdisc");
        }

        // Of a packet's control block, the part that is left to the discipline's own use.
        var block = Vmlinux.FindId("qdisc_skb_cb", BtfKind.Struct);
        if (block == 0 || !TryFindField(type, "cb", out var start, out _)
            || !TryFindField(Vmlinux[block], "data", out var dataOff, out var bytes)
            || off < start + dataOff || off >= start + dataOff + bytes)
        {
            return CheckField(type, off, size, ["tstamp"], "sk_buff");
        }

        return off + size > start + dataOff + bytes ? Beyond(off, size, "sk_buff", start + dataOff + bytes) : null;
    }

    private static Fault Beyond(int off, int size, string name, int end) => new Fault(
        DiagCode.BtfAccessInvalid,
        $"write access at off {off} with size {size} beyond the member of {name} ended at {end}");

    private static Fault? CheckField(BtfType type, int off, int size, string[] paths, string name)
    {
        foreach (var path in paths)
        {
            if (!TryFindField(type, path, out var start, out var bytes) || off < start || off >= start + bytes)
            {
                continue;
            }

            // Only private areas and statistics may be entered in their middle.
            if (off != start && name != "task_struct" && !path.EndsWith("icsk_ca_priv", StringComparison.Ordinal)
                && path != "qstats")
            {
                continue;
            }

            return off + size > start + bytes ? Beyond(off, size, name, start + bytes) : null;
        }

        return new Fault(DiagCode.ReadOnlyWrite, $"no write support to {name} at off {off}");
    }

    private static bool TryFindField(BtfType type, string path, out int off, out int bytes)
    {
        (off, bytes) = type.Btf.FindPath(type.Id, path) ?? default;
        return bytes > 0;
    }
}
