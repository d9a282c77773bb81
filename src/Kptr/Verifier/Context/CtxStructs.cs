using Kptr.Specs;

namespace Kptr.Verifier.Context;

/// <summary>What programs may load from and store to their context.</summary>
/// <remarks>Kernel: the <c>is_valid_access</c> functions of program types without BTF context, 6.12.</remarks>
internal static partial class CtxStructs
{
    /// <summary>
    /// The context of a program type, or <see langword="null"/> where BTF describes it or none is known.
    /// </summary>
    public static CtxStruct? Of(ProgSpec prog) => prog.Type switch
    {
        ProgType.SocketFilter => SocketFilter,
        ProgType.SchedCls or ProgType.SchedAct => Tc,
        ProgType.CgroupSkb => CgroupSkb,
        ProgType.LwtIn or ProgType.LwtOut or ProgType.LwtXmit or ProgType.LwtSeg6Local => Lwt,
        ProgType.SkSkb => SkSkb,
        ProgType.FlowDissector => FlowDissector,
        ProgType.Xdp => Xdp,
        ProgType.CgroupSock => Sock,
        ProgType.CgroupSockAddr => SockAddr,
        ProgType.SockOps => SockOps,
        ProgType.SkMsg => SkMsg,
        ProgType.SkLookup => SkLookup,
        ProgType.SkReuseport => SkReuseport,
        ProgType.CgroupDevice => CgroupDevice,
        ProgType.CgroupSysctl => CgroupSysctl,
        ProgType.CgroupSockopt => prog.ExpectedAttachType == AttachType.CgroupGetsockopt ? Getsockopt : Setsockopt,
        ProgType.Kprobe => Kprobe,
        ProgType.Tracepoint => Tracepoint,
        ProgType.PerfEvent => PerfEvent,
        ProgType.RawTracepoint => RawTracepoint,
        ProgType.RawTracepointWritable => RawTracepointWritable,
        ProgType.Syscall => Syscall,
        ProgType.LircMode2 => LircMode2,
        _ => null,
    };
}
