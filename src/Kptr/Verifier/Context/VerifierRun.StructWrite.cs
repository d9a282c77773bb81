using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Verifier;

/// <content>The few kernel fields that programs may write through a typed pointer.</content>
internal sealed partial class VerifierRun
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
    private bool HasBtfStructWrite => Prog.Type is ProgType.SchedCls or ProgType.SchedAct or ProgType.Xdp
        || (Prog.Type == ProgType.StructOps
            && StructOpsName is "tcp_congestion_ops" or "bpf_dummy_ops" or "sched_ext_ops" or "bpf_testmod_st_ops"
                or "Qdisc_ops");

    private string StructOpsName => Prog.AttachBtf is { } at ? Types[at].Name : "";

    private void CheckBtfStructWrite(int regno, in RegState reg, int off, int size)
    {
        var type = reg.Btf!.SkipModifiers(reg.BtfId);
        if (Prog.Type != ProgType.StructOps)
        {
            RequireStruct(regno, type.Name is "nf_conn" or "nf_conn___init", "only read is supported");
            var conn = type.Name == "nf_conn" ? type : type.Btf.SkipModifiers(type.Member(0).TypeId);
            CheckWritableField(regno, conn, off, size, ["mark"], "nf_conn");
            return;
        }

        switch (StructOpsName)
        {
            case "tcp_congestion_ops":
                RequireStruct(regno, type.Name == "tcp_sock", "only read is supported");
                CheckWritableField(regno, type, off, size, TcpSockFields, "tcp_sock");
                break;
            case "bpf_dummy_ops":
                RequireStruct(regno, type.Name == "bpf_dummy_ops_state",
                    "only access to bpf_dummy_ops_state is supported");
                if (off + size > type.SizeBytes)
                {
                    Reject(DiagCode.BtfAccessInvalid,
                        $"write access to bpf_dummy_ops_state at off {off} with size {size} beyond its end",
                        regno, Errno.EACCES);
                }

                break;
            case "bpf_testmod_st_ops":
                var args = type.Btf.FindId("st_ops_args", BtfKind.Struct);
                RequireStruct(regno, args != 0 && off + size <= type.Btf[args].SizeBytes, "only read is supported");
                break;
            case "Qdisc_ops":
                CheckQdiscWrite(regno, type, off, size);
                break;
            default:
                RequireStruct(regno, type.Name == "task_struct", "only read is supported");
                CheckWritableField(regno, type, off, size, TaskFields, "task_struct");
                break;
        }
    }

    /// <summary>Kernel: <c>bpf_qdisc_btf_struct_access</c> (net/sched/bpf_qdisc.c, 7.2).</summary>
    private void CheckQdiscWrite(int regno, BtfType type, int off, int size)
    {
        RequireStruct(regno, type.Name is "sk_buff" or "Qdisc" && ReferenceEquals(type.Btf, Vmlinux),
            "only read is supported");
        if (type.Name == "Qdisc")
        {
            CheckWritableField(regno, type, off, size, QdiscFields, "Qdisc");
            return;
        }

        // Of a packet's control block, the part that is left to the discipline's own use.
        var block = Vmlinux.FindId("qdisc_skb_cb", BtfKind.Struct);
        if (block == 0 || !TryFindField(type, "cb", out var start, out _)
            || !TryFindField(Vmlinux[block], "data", out var dataOff, out var bytes)
            || off < start + dataOff || off >= start + dataOff + bytes)
        {
            CheckWritableField(regno, type, off, size, ["tstamp"], "sk_buff");
        }
        else if (off + size > start + dataOff + bytes)
        {
            RejectBeyondMember(regno, off, size, "sk_buff", start + dataOff + bytes);
        }
    }

    private void RejectBeyondMember(int regno, int off, int size, string name, int end) => Reject(
        DiagCode.BtfAccessInvalid,
        $"write access at off {off} with size {size} beyond the member of {name} ended at {end}", regno, Errno.EACCES);

    private void RequireStruct(int regno, bool holds, string message)
    {
        if (!holds)
        {
            Reject(DiagCode.ReadOnlyWrite, message, regno, Errno.EACCES);
        }
    }

    private void CheckWritableField(int regno, BtfType type, int off, int size, string[] paths, string name)
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

            if (off + size > start + bytes)
            {
                RejectBeyondMember(regno, off, size, name, start + bytes);
            }

            return;
        }

        Reject(DiagCode.ReadOnlyWrite, $"no write support to {name} at off {off}", regno, Errno.EACCES);
    }

    private static bool TryFindField(BtfType type, string path, out int off, out int bytes)
    {
        off = 0;
        bytes = type.SizeBytes;
        foreach (var name in path.Split('.'))
        {
            if (FindMember(type, name) is not { } found)
            {
                return false;
            }

            off += found.Off;
            type = type.Btf.SkipModifiers(found.TypeId);
            bytes = type.Btf.ResolveSize(type.Id);
        }

        return bytes > 0;
    }

    private static (int Off, int TypeId)? FindMember(BtfType type, string name)
    {
        for (var i = 0; type.IsComposite && i < type.VLen; i++)
        {
            var member = type.Member(i);
            if (member.Name == name)
            {
                return member.BitfieldSizeBits == 0 ? (member.OffsetBytes, member.TypeId) : null;
            }

            if (member.Name.Length == 0 && FindMember(type.Btf.SkipModifiers(member.TypeId), name) is { } inner)
            {
                return (member.OffsetBytes + inner.Off, inner.TypeId);
            }
        }

        return null;
    }
}
