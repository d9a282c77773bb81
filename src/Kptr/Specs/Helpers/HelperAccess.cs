using System.Collections.Frozen;
using Kptr.Btf;

namespace Kptr.Specs;

/// <summary>Which prototype of a helper a program gets, if any.</summary>
/// <remarks>Kernel: <c>get_func_proto</c> of each program type and <c>bpf_func_proto.allowed</c>, 6.12.</remarks>
internal static class HelperAccess
{
    private static readonly FrozenSet<string> DPathFuncs = new[]
    {
        "security_file_permission", "security_inode_getattr", "security_file_open", "security_path_truncate",
        "vfs_truncate", "vfs_fallocate", "dentry_open", "vfs_getattr", "filp_close",
    }.ToFrozenSet();

    private static readonly FrozenSet<AttachType> WithoutRetval = new[]
    {
        AttachType.CgroupInetIngress, AttachType.CgroupInetEgress, AttachType.CgroupSockOps,
        AttachType.CgroupUdp4Recvmsg, AttachType.CgroupUdp6Recvmsg, AttachType.CgroupUnixRecvmsg,
        AttachType.CgroupInet4Getpeername, AttachType.CgroupInet6Getpeername, AttachType.CgroupUnixGetpeername,
        AttachType.CgroupInet4Getsockname, AttachType.CgroupInet6Getsockname, AttachType.CgroupUnixGetsockname,
    }.ToFrozenSet();

    /// <summary>
    /// The prototype <paramref name="prog"/> may call, or <see langword="null"/> for "program of
    /// this type cannot use helper".
    /// </summary>
    public static HelperSpec? Find(ProgSpec prog, KernelSpec kernel, HelperId id)
    {
        if (!IsThere(prog, kernel.Profile, id))
        {
            return null;
        }

        var found = FindByAttachment(prog, kernel, id) ?? FindBySet(prog, kernel, id);
        return found is null || !prog.IsSleepable ? found : HelperTable.Find(id, "sleepable") ?? found;
    }

    /// <summary>Whether the program's attach target permits a helper that asks for more than a program type.</summary>
    /// <remarks>Where false, the kernel says "helper call is not allowed in probe".</remarks>
    public static bool IsAllowedAt(
        HelperSpec helper, ProgSpec prog, KernelProfile profile, string? attachFunc) => helper.Id switch
    {
        HelperId.DPath => MayDPath(prog, profile, attachFunc),
        HelperId.ImaInodeHash or HelperId.ImaFileHash =>
            attachFunc is not null && LsmHooks.IsSleepable(attachFunc, profile),
        HelperId.SkStorageGet or HelperId.SkStorageDelete when helper.Variant == "tracing" =>
            MayTraceStorage(prog, attachFunc),
        _ => true,
    };

    /// <summary>Whether the program is called from a trampoline.</summary>
    public static bool HasTrampoline(ProgSpec prog) => prog.Type switch
    {
        ProgType.Tracing =>
            prog.IsForManyFunctions || prog.ExpectedAttachType is AttachType.TraceFentry or AttachType.TraceFexit
                or AttachType.ModifyReturn or AttachType.TraceFsession,
        ProgType.Lsm => prog.ExpectedAttachType == AttachType.LsmMac,
        _ => false,
    };

    // What kernels before 6.12 do not give, or not to everybody.
    private static bool IsThere(ProgSpec prog, KernelProfile profile, HelperId id) => id switch
    {
        HelperId.CgrpStorageGet or HelperId.CgrpStorageDelete => profile.Knows(BpfMapType.CgrpStorage),
        HelperId.GetAttachCookie => profile.RawTracepointsHaveCookies || (prog.ExpectedAttachType
            != AttachType.TraceRawTp && prog.Type is not (ProgType.RawTracepoint or ProgType.RawTracepointWritable)),
        HelperId.GetNsCurrentPidTgid or HelperId.CurrentTaskUnderCgroup when !profile.EveryoneAsksForCurrent =>
            IsTracingLike(prog.Type) || (id == HelperId.CurrentTaskUnderCgroup && !IsCgroupHook(prog.Type)),
        HelperId.GetCurrentPidTgid or HelperId.GetCurrentCgroupId or HelperId.GetCurrentAncestorCgroupId
            when !profile.EveryoneAsksForCurrent =>
                IsTracingLike(prog.Type) || IsCgroupHook(prog.Type) || prog.Type == ProgType.SkMsg,
        _ => true,
    };

    // Those that run for who called the kernel.
    private static bool IsCgroupHook(ProgType type) => type is ProgType.CgroupDevice or ProgType.CgroupSock
        or ProgType.CgroupSockAddr or ProgType.CgroupSockopt or ProgType.CgroupSysctl;

    // What depends on more than the program type.
    private static HelperSpec? FindByAttachment(ProgSpec prog, KernelSpec kernel, HelperId id)
    {
        var types = kernel.Types;
        var isTracing = prog.Type is ProgType.Tracing or ProgType.Lsm;
        var isIter = prog.Type == ProgType.Tracing && prog.ExpectedAttachType == AttachType.TraceIter;
        return id switch
        {
            HelperId.CopyFromUser or HelperId.CopyFromUserTask when IsTracingLike(prog.Type) => HelperTable.Find(id),
            HelperId.SeqPrintf or HelperId.SeqWrite or HelperId.SeqPrintfBtf when isIter => HelperTable.Find(id),
            HelperId.GetFuncArg or HelperId.GetFuncRet or HelperId.GetFuncArgCnt
                when isTracing && HasTrampoline(prog) => HelperTable.Find(id),
            HelperId.GetFuncArg or HelperId.GetFuncArgCnt when kernel.Profile.TracepointsCountArgs
                && prog is { Type: ProgType.Tracing, ExpectedAttachType: AttachType.TraceRawTp } =>
                    HelperTable.Find(id),
            HelperId.GetRetval or HelperId.SetRetval when MayReturnValue(prog) => HelperTable.Find(id),
            HelperId.GetNetnsCookie when kernel.Profile.PacketsHaveNetnsCookie
                && (prog.Type is ProgType.SchedCls or ProgType.SchedAct or ProgType.CgroupSkb
                    or ProgType.SocketFilter) => HelperTable.Find(id),
            HelperId.Bind when prog.Type == ProgType.CgroupSockAddr
                && prog.ExpectedAttachType is AttachType.CgroupInet4Connect or AttachType.CgroupInet6Connect =>
                    HelperTable.Find(id),
            HelperId.Setsockopt or HelperId.Getsockopt when MaySetSocketOption(prog, types, isIter) =>
                HelperTable.Find(id, "sk"),
            HelperId.Setsockopt or HelperId.Getsockopt when kernel.Profile.NewSocketsHaveOptions
                && prog is { Type: ProgType.CgroupSock, ExpectedAttachType: AttachType.CgroupInetSockCreate } =>
                    HelperTable.Find(id),
            HelperId.GetLocalStorage when prog.ExpectedAttachType == AttachType.LsmCgroup => HelperTable.Find(id),
            _ => null,
        };
    }

    private static HelperSpec? FindBySet(ProgSpec prog, KernelSpec kernel, HelperId id)
    {
        switch (id)
        {
            case HelperId.OverrideReturn:
                // Needs CONFIG_BPF_KPROBE_OVERRIDE, which the reference kernel does not have.
                return null;
            case HelperId.GetAttachCookie when prog.Type is ProgType.Tracing or ProgType.Lsm or ProgType.Syscall
                && !HasTrampoline(prog) && prog.ExpectedAttachType != AttachType.TraceRawTp:
                return null;
            case HelperId.Setsockopt or HelperId.Getsockopt when prog.ExpectedAttachType
                is AttachType.CgroupUnixGetpeername or AttachType.CgroupUnixGetsockname:
                return null;
            case HelperId.Setsockopt or HelperId.Getsockopt when prog.Type == ProgType.StructOps
                && IsMember(prog, kernel.Types, "release"):
                return null;
            default:
                return SetName(prog, kernel) is not { } set ? null
                    : HelperSets.Find(set, id) is { } found ? found
                    : kernel.Profile.EveryoneAsksForTasks ? HelperSets.Find("tasks", id) : null;
        }
    }

    private static string? SetName(ProgSpec prog, KernelSpec kernel) => prog.Type switch
    {
        ProgType.SocketFilter => "sk_filter",
        ProgType.Kprobe => "kprobe",
        ProgType.SchedCls or ProgType.SchedAct => "tc",
        ProgType.Tracepoint => "tracepoint",
        ProgType.Xdp => "xdp",
        ProgType.PerfEvent => "perf_event",
        ProgType.CgroupSkb => "cg_skb",
        ProgType.CgroupSock => "cg_sock",
        ProgType.LwtIn => "lwt_in",
        ProgType.LwtOut => "lwt_out",
        ProgType.LwtXmit => "lwt_xmit",
        ProgType.LwtSeg6Local => "lwt_seg6local",
        ProgType.SockOps => "sock_ops",
        ProgType.SkSkb => "sk_skb",
        ProgType.CgroupDevice => "cgroup_device",
        ProgType.SkMsg => "sk_msg",
        ProgType.RawTracepoint or ProgType.RawTracepointWritable => "raw_tp",
        ProgType.CgroupSockAddr => "sock_addr",
        ProgType.LircMode2 => "lirc_mode2",
        ProgType.SkReuseport => "sk_reuseport",
        ProgType.FlowDissector => "flow_dissector",
        ProgType.CgroupSysctl => "cgroup_sysctl",
        ProgType.CgroupSockopt => "cgroup_sockopt",
        ProgType.Tracing => "tracing",
        ProgType.Lsm => "lsm",
        ProgType.SkLookup => "sk_lookup",
        ProgType.Syscall => "syscall",
        ProgType.Netfilter => "base",
        ProgType.StructOps =>
            StructName(prog, kernel.Types) is { } name ? kernel.Profile.StructOpsHelpers.GetValueOrDefault(name) : null,
        _ => null,
    };

    private static string? StructName(ProgSpec prog, KernelTypes types) =>
        prog.AttachBtf is { } at ? types[at].Name : null;

    private static bool IsMember(ProgSpec prog, KernelTypes types, string name) =>
        prog.AttachBtf is { } at && prog.StructOpsMember >= 0 && types[at].Member(prog.StructOpsMember).Name == name;

    private static bool IsTracingLike(ProgType type) =>
        type is ProgType.Kprobe or ProgType.Tracepoint or ProgType.PerfEvent
            or ProgType.RawTracepoint or ProgType.RawTracepointWritable or ProgType.Tracing or ProgType.Lsm
            or ProgType.Syscall;

    private static bool MayReturnValue(ProgSpec prog) =>
        (prog.Type is ProgType.CgroupSkb or ProgType.CgroupSockAddr || prog.ExpectedAttachType == AttachType.LsmCgroup)
        && !WithoutRetval.Contains(prog.ExpectedAttachType ?? default);

    private static bool MaySetSocketOption(ProgSpec prog, KernelTypes types, bool isIter)
    {
        if (prog.Type == ProgType.CgroupSockopt)
        {
            return prog.ExpectedAttachType == AttachType.CgroupSetsockopt;
        }

        if (prog.ExpectedAttachType == AttachType.LsmCgroup)
        {
            return prog.AttachBtf is { } hook && LsmHooks.AllowsSockopt(types[hook].Name);
        }

        return isIter && prog.AttachBtf is { } target && types[target].Name is "bpf_iter_tcp" or "bpf_iter_unix";
    }

    private static bool MayDPath(ProgSpec prog, KernelProfile profile, string? attachFunc)
    {
        if (prog.Type == ProgType.Tracing && prog.ExpectedAttachType == AttachType.TraceIter)
        {
            return true;
        }

        return attachFunc is not null
            && (prog.Type == ProgType.Lsm
                ? LsmHooks.IsSleepable(attachFunc, profile) : DPathFuncs.Contains(attachFunc));
    }

    private static bool MayTraceStorage(ProgSpec prog, string? attachFunc) => prog.ExpectedAttachType switch
    {
        AttachType.TraceIter or AttachType.TraceRawTp => true,
        AttachType.TraceFentry or AttachType.TraceFexit or AttachType.TraceFsession =>
            attachFunc is not null && !attachFunc.StartsWith("bpf_sk_storage", StringComparison.Ordinal),
        _ => false,
    };
}
