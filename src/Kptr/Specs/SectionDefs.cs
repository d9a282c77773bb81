using System.Collections.Immutable;

namespace Kptr.Specs;

/// <summary>
/// The <c>SEC()</c> names that libbpf of Linux 7.2 knows; the verifier refuses what the program's kernel has not.
/// </summary>
/// <remarks>Kernel: <c>section_defs</c> in tools/lib/bpf/libbpf.c (7.2); the first match counts, as there.</remarks>
internal static class SectionDefs
{
    /// <summary>The table, in order of precedence.</summary>
    public static ImmutableArray<SectionDef> All { get; } =
    [
        new("socket", ProgType.SocketFilter, null),
        new("sk_reuseport/migrate", ProgType.SkReuseport, AttachType.SkReuseportSelectOrMigrate),
        new("sk_reuseport", ProgType.SkReuseport, AttachType.SkReuseportSelect),
        new("kprobe+", ProgType.Kprobe, null),
        new("uprobe+", ProgType.Kprobe, null),
        new("uprobe.s+", ProgType.Kprobe, null, SectionFlags.Sleepable),
        new("kretprobe+", ProgType.Kprobe, null),
        new("uretprobe+", ProgType.Kprobe, null),
        new("uretprobe.s+", ProgType.Kprobe, null, SectionFlags.Sleepable),
        new("kprobe.multi+", ProgType.Kprobe, AttachType.TraceKprobeMulti),
        new("kretprobe.multi+", ProgType.Kprobe, AttachType.TraceKprobeMulti),
        new("kprobe.session+", ProgType.Kprobe, AttachType.TraceKprobeSession),
        new("uprobe.multi+", ProgType.Kprobe, AttachType.TraceUprobeMulti),
        new("uretprobe.multi+", ProgType.Kprobe, AttachType.TraceUprobeMulti),
        new("uprobe.session+", ProgType.Kprobe, AttachType.TraceUprobeSession),
        new("uprobe.multi.s+", ProgType.Kprobe, AttachType.TraceUprobeMulti, SectionFlags.Sleepable),
        new("uretprobe.multi.s+", ProgType.Kprobe, AttachType.TraceUprobeMulti, SectionFlags.Sleepable),
        new("uprobe.session.s+", ProgType.Kprobe, AttachType.TraceUprobeSession, SectionFlags.Sleepable),
        new("ksyscall+", ProgType.Kprobe, null),
        new("kretsyscall+", ProgType.Kprobe, null),
        new("usdt+", ProgType.Kprobe, null, SectionFlags.Usdt),
        new("usdt.s+", ProgType.Kprobe, null, SectionFlags.Sleepable | SectionFlags.Usdt),
        new("tc/ingress", ProgType.SchedCls, AttachType.TcxIngress),
        new("tc/egress", ProgType.SchedCls, AttachType.TcxEgress),
        new("tcx/ingress", ProgType.SchedCls, AttachType.TcxIngress),
        new("tcx/egress", ProgType.SchedCls, AttachType.TcxEgress),
        new("tc", ProgType.SchedCls, null),
        new("classifier", ProgType.SchedCls, null),
        new("action", ProgType.SchedAct, null),
        new("netkit/primary", ProgType.SchedCls, AttachType.NetkitPrimary),
        new("netkit/peer", ProgType.SchedCls, AttachType.NetkitPeer),
        new("tracepoint+", ProgType.Tracepoint, null),
        new("tp+", ProgType.Tracepoint, null),
        new("tracepoint.s+", ProgType.Tracepoint, null, SectionFlags.Sleepable),
        new("tp.s+", ProgType.Tracepoint, null, SectionFlags.Sleepable),
        new("raw_tracepoint+", ProgType.RawTracepoint, null),
        new("raw_tp+", ProgType.RawTracepoint, null),
        new("raw_tracepoint.s+", ProgType.RawTracepoint, null, SectionFlags.Sleepable),
        new("raw_tp.s+", ProgType.RawTracepoint, null, SectionFlags.Sleepable),
        new("raw_tracepoint.w+", ProgType.RawTracepointWritable, null),
        new("raw_tp.w+", ProgType.RawTracepointWritable, null),
        new("tp_btf+", ProgType.Tracing, AttachType.TraceRawTp, SectionFlags.AttachBtf),
        new("tp_btf.s+", ProgType.Tracing, AttachType.TraceRawTp, SectionFlags.Sleepable | SectionFlags.AttachBtf),
        new("fentry+", ProgType.Tracing, AttachType.TraceFentry, SectionFlags.AttachBtf),
        new("fmod_ret+", ProgType.Tracing, AttachType.ModifyReturn, SectionFlags.AttachBtf),
        new("fexit+", ProgType.Tracing, AttachType.TraceFexit, SectionFlags.AttachBtf),
        new("fentry.s+", ProgType.Tracing, AttachType.TraceFentry, SectionFlags.Sleepable | SectionFlags.AttachBtf),
        new("fmod_ret.s+", ProgType.Tracing, AttachType.ModifyReturn, SectionFlags.Sleepable | SectionFlags.AttachBtf),
        new("fexit.s+", ProgType.Tracing, AttachType.TraceFexit, SectionFlags.Sleepable | SectionFlags.AttachBtf),
        new("fsession+", ProgType.Tracing, AttachType.TraceFsession, SectionFlags.AttachBtf),
        new("fsession.s+", ProgType.Tracing, AttachType.TraceFsession, SectionFlags.Sleepable | SectionFlags.AttachBtf),
        new("fsession.multi+", ProgType.Tracing, AttachType.TraceFsessionMulti),
        new("fsession.multi.s+", ProgType.Tracing, AttachType.TraceFsessionMulti, SectionFlags.Sleepable),
        new("fentry.multi+", ProgType.Tracing, AttachType.TraceFentryMulti),
        new("fexit.multi+", ProgType.Tracing, AttachType.TraceFexitMulti),
        new("fentry.multi.s+", ProgType.Tracing, AttachType.TraceFentryMulti, SectionFlags.Sleepable),
        new("fexit.multi.s+", ProgType.Tracing, AttachType.TraceFexitMulti, SectionFlags.Sleepable),
        new("freplace+", ProgType.Ext, null, SectionFlags.AttachBtf),
        new("lsm+", ProgType.Lsm, AttachType.LsmMac, SectionFlags.AttachBtf),
        new("lsm.s+", ProgType.Lsm, AttachType.LsmMac, SectionFlags.Sleepable | SectionFlags.AttachBtf),
        new("lsm_cgroup+", ProgType.Lsm, AttachType.LsmCgroup, SectionFlags.AttachBtf),
        new("iter+", ProgType.Tracing, AttachType.TraceIter, SectionFlags.AttachBtf),
        new("iter.s+", ProgType.Tracing, AttachType.TraceIter, SectionFlags.Sleepable | SectionFlags.AttachBtf),
        new("syscall", ProgType.Syscall, null, SectionFlags.Sleepable),
        new("xdp.frags/devmap", ProgType.Xdp, AttachType.XdpDevmap, SectionFlags.XdpFrags),
        new("xdp/devmap", ProgType.Xdp, AttachType.XdpDevmap),
        new("xdp.frags/cpumap", ProgType.Xdp, AttachType.XdpCpumap, SectionFlags.XdpFrags),
        new("xdp/cpumap", ProgType.Xdp, AttachType.XdpCpumap),
        new("xdp.frags", ProgType.Xdp, AttachType.Xdp, SectionFlags.XdpFrags),
        new("xdp", ProgType.Xdp, AttachType.Xdp),
        new("perf_event", ProgType.PerfEvent, null),
        new("lwt_in", ProgType.LwtIn, null),
        new("lwt_out", ProgType.LwtOut, null),
        new("lwt_xmit", ProgType.LwtXmit, null),
        new("lwt_seg6local", ProgType.LwtSeg6Local, null),
        new("sockops", ProgType.SockOps, AttachType.CgroupSockOps),
        new("sk_skb/stream_parser", ProgType.SkSkb, AttachType.SkSkbStreamParser),
        new("sk_skb/stream_verdict", ProgType.SkSkb, AttachType.SkSkbStreamVerdict),
        new("sk_skb/verdict", ProgType.SkSkb, AttachType.SkSkbVerdict),
        new("sk_skb", ProgType.SkSkb, null),
        new("sk_msg", ProgType.SkMsg, AttachType.SkMsgVerdict),
        new("lirc_mode2", ProgType.LircMode2, AttachType.LircMode2),
        new("flow_dissector", ProgType.FlowDissector, AttachType.FlowDissector),
        new("cgroup_skb/ingress", ProgType.CgroupSkb, AttachType.CgroupInetIngress),
        new("cgroup_skb/egress", ProgType.CgroupSkb, AttachType.CgroupInetEgress),
        new("cgroup/skb", ProgType.CgroupSkb, null),
        new("cgroup/sock_create", ProgType.CgroupSock, AttachType.CgroupInetSockCreate),
        new("cgroup/sock_release", ProgType.CgroupSock, AttachType.CgroupInetSockRelease),
        new("cgroup/sock", ProgType.CgroupSock, AttachType.CgroupInetSockCreate),
        new("cgroup/post_bind4", ProgType.CgroupSock, AttachType.CgroupInet4PostBind),
        new("cgroup/post_bind6", ProgType.CgroupSock, AttachType.CgroupInet6PostBind),
        new("cgroup/bind4", ProgType.CgroupSockAddr, AttachType.CgroupInet4Bind),
        new("cgroup/bind6", ProgType.CgroupSockAddr, AttachType.CgroupInet6Bind),
        new("cgroup/connect4", ProgType.CgroupSockAddr, AttachType.CgroupInet4Connect),
        new("cgroup/connect6", ProgType.CgroupSockAddr, AttachType.CgroupInet6Connect),
        new("cgroup/connect_unix", ProgType.CgroupSockAddr, AttachType.CgroupUnixConnect),
        new("cgroup/sendmsg4", ProgType.CgroupSockAddr, AttachType.CgroupUdp4Sendmsg),
        new("cgroup/sendmsg6", ProgType.CgroupSockAddr, AttachType.CgroupUdp6Sendmsg),
        new("cgroup/sendmsg_unix", ProgType.CgroupSockAddr, AttachType.CgroupUnixSendmsg),
        new("cgroup/recvmsg4", ProgType.CgroupSockAddr, AttachType.CgroupUdp4Recvmsg),
        new("cgroup/recvmsg6", ProgType.CgroupSockAddr, AttachType.CgroupUdp6Recvmsg),
        new("cgroup/recvmsg_unix", ProgType.CgroupSockAddr, AttachType.CgroupUnixRecvmsg),
        new("cgroup/getpeername4", ProgType.CgroupSockAddr, AttachType.CgroupInet4Getpeername),
        new("cgroup/getpeername6", ProgType.CgroupSockAddr, AttachType.CgroupInet6Getpeername),
        new("cgroup/getpeername_unix", ProgType.CgroupSockAddr, AttachType.CgroupUnixGetpeername),
        new("cgroup/getsockname4", ProgType.CgroupSockAddr, AttachType.CgroupInet4Getsockname),
        new("cgroup/getsockname6", ProgType.CgroupSockAddr, AttachType.CgroupInet6Getsockname),
        new("cgroup/getsockname_unix", ProgType.CgroupSockAddr, AttachType.CgroupUnixGetsockname),
        new("cgroup/sysctl", ProgType.CgroupSysctl, AttachType.CgroupSysctl),
        new("cgroup/getsockopt", ProgType.CgroupSockopt, AttachType.CgroupGetsockopt),
        new("cgroup/setsockopt", ProgType.CgroupSockopt, AttachType.CgroupSetsockopt),
        new("cgroup/dev", ProgType.CgroupDevice, AttachType.CgroupDevice),
        new("struct_ops+", ProgType.StructOps, null),
        new("struct_ops.s+", ProgType.StructOps, null, SectionFlags.Sleepable),
        new("sk_lookup", ProgType.SkLookup, AttachType.SkLookup),
        new("netfilter", ProgType.Netfilter, AttachType.Netfilter),
    ];

    /// <summary>The entry for a section name (without <c>?</c>), or null where libbpf knows no such name.</summary>
    public static SectionDef? Find(string section)
    {
        foreach (var def in All)
        {
            if (def.Matches(section))
            {
                return def;
            }
        }

        return null;
    }
}
