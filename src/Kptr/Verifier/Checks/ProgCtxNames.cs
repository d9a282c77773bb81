using Kptr.Btf;
using Kptr.Specs;

namespace Kptr.Verifier;

/// <summary>
/// What C calls the context of each program type (<c>bpf_ctx_convert</c> of include/linux/bpf_types.h).
/// </summary>
internal static class ProgCtxNames
{
    /// <summary>The struct's name; empty for types whose context has none.</summary>
    public static string Of(ProgType type) => type switch
    {
        ProgType.SocketFilter or ProgType.SchedCls or ProgType.SchedAct or ProgType.CgroupSkb or ProgType.LwtIn
            or ProgType.LwtOut or ProgType.LwtXmit or ProgType.LwtSeg6Local or ProgType.SkSkb or ProgType.FlowDissector
            => "__sk_buff",
        ProgType.Xdp => "xdp_md",
        ProgType.CgroupSock => "bpf_sock",
        ProgType.CgroupSockAddr => "bpf_sock_addr",
        ProgType.SockOps => "bpf_sock_ops",
        ProgType.SkMsg => "sk_msg_md",
        ProgType.Kprobe => "bpf_user_pt_regs_t",
        ProgType.PerfEvent => "bpf_perf_event_data",
        ProgType.RawTracepoint or ProgType.RawTracepointWritable => "bpf_raw_tracepoint_args",
        ProgType.CgroupDevice => "bpf_cgroup_dev_ctx",
        ProgType.CgroupSysctl => "bpf_sysctl",
        ProgType.CgroupSockopt => "bpf_sockopt",
        ProgType.SkReuseport => "sk_reuseport_md",
        ProgType.SkLookup => "bpf_sk_lookup",
        ProgType.Netfilter => "bpf_nf_ctx",
        _ => "",
    };

    /// <summary>
    /// Names that stand for another: <c>sk_buff</c> for <c>__sk_buff</c>, <c>xdp_buff</c> for <c>xdp_md</c>.
    /// </summary>
    public static bool IsProjection(string expected, string name) =>
        (expected == "__sk_buff" && name == "sk_buff") || (expected == "xdp_md" && name == "xdp_buff");

    /// <summary>Why a pointer tagged <c>arg:ctx</c> cannot be the context; null where it can.</summary>
    public static string? CtxTagFault(ProgType type, AttachType? attach, BtfType ptr, int arg)
    {
        var pointee = ptr.Ref;
        for (; pointee.Kind is BtfKind.Const or BtfKind.Volatile or BtfKind.Restrict
            or BtfKind.TypeTag; pointee = pointee.Ref)
        {
        }

        if (pointee is { Kind: BtfKind.Typedef, Name: "bpf_user_pt_regs_t" }
            && type is ProgType.Kprobe or ProgType.PerfEvent
            && pointee is { Kind: BtfKind.Typedef, Name: "bpf_user_pt_regs_t" })
        {
            return null;
        }

        var target = pointee.SkipModifiers();
        if (target.Kind == BtfKind.Void || type is ProgType.Tracepoint or ProgType.Syscall or ProgType.Ext)
        {
            return null;
        }

        if (target.Name.Length == 0)
        {
            return $"arg#{arg} type doesn't have a name";
        }

        if (MayHaveOtherCtx(type, attach, target))
        {
            return null;
        }

        var expected = Of(type) is "bpf_user_pt_regs_t" ? "pt_regs" : Of(type);
        if (expected.Length == 0)
        {
            return $"arg#{arg} should be void pointer";
        }

        return target.Kind == BtfKind.Struct
            && target.Name == expected ? null : $"arg#{arg} should be `struct {expected} *`";
    }

    private static bool MayHaveOtherCtx(ProgType type, AttachType? attach, BtfType target)
    {
        var isStruct = target.Kind == BtfKind.Struct;
        var isU64 = target is { Kind: BtfKind.Int, SizeBytes: 8 };
        return type switch
        {
            ProgType.Kprobe or ProgType.PerfEvent => isStruct && target.Name == "pt_regs",
            ProgType.RawTracepoint or ProgType.RawTracepointWritable or ProgType.Lsm or ProgType.StructOps => isU64,
            ProgType.Tracing => attach switch
            {
                AttachType.TraceRawTp => isU64 || (isStruct && target.Name == "bpf_raw_tracepoint_args"),
                AttachType.TraceIter => isStruct && target.Name.StartsWith("bpf_iter__", StringComparison.Ordinal),
                AttachType.TraceFentry or AttachType.TraceFexit or AttachType.ModifyReturn
                    or AttachType.TraceFsession => isU64,
                _ => false,
            },
            _ => false,
        };
    }
}
