using System.Collections.Immutable;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>Where a kfunc may be called from: the hooks it is registered for, several program types each.</summary>
/// <remarks>
/// Kernel: <c>enum btf_kfunc_hook</c> and <c>bpf_prog_type_to_kfunc_hook</c> (kernel/bpf/btf.c, 6.12).
/// </remarks>
[Flags]
public enum KfuncHooks
{
    /// <summary>Nowhere.</summary>
    None = 0,

    /// <summary>Every program type.</summary>
    Common = 1 << 0,

    /// <summary>XDP.</summary>
    Xdp = 1 << 1,

    /// <summary>TC classifiers.</summary>
    Tc = 1 << 2,

    /// <summary>Members of kernel structs of functions.</summary>
    StructOps = 1 << 3,

    /// <summary>Tracing, tracepoint, perf event and LSM programs.</summary>
    Tracing = 1 << 4,

    /// <summary>Programs run by the <c>bpf</c> system call.</summary>
    Syscall = 1 << 5,

    /// <summary>The cgroup program types.</summary>
    Cgroup = 1 << 6,

    /// <summary>TC actions.</summary>
    SchedAct = 1 << 7,

    /// <summary>Socket stream parsers and verdicts.</summary>
    SkSkb = 1 << 8,

    /// <summary>Socket filters.</summary>
    SocketFilter = 1 << 9,

    /// <summary>Lightweight tunnels.</summary>
    Lwt = 1 << 10,

    /// <summary>Netfilter.</summary>
    Netfilter = 1 << 11,

    /// <summary>Kprobes and uprobes.</summary>
    Kprobe = 1 << 12,

    /// <summary>LSM programs alone: registered for tracing, then filtered.</summary>
    LsmOnly = 1 << 13,

    /// <summary>Schedulers (<c>struct sched_ext_ops</c>); for kernels that do not filter, every struct of
    /// functions.</summary>
    SchedExt = 1 << 14,

    /// <summary>Queueing disciplines (<c>struct Qdisc_ops</c>).</summary>
    Qdisc = 1 << 15,

    /// <summary>The kernel's generic set: objects, tasks, cgroups.</summary>
    Generic = Tracing | Tc | Xdp | StructOps | Syscall | Cgroup,
}

/// <summary>What hooks mean in program types.</summary>
internal static class KfuncHooksExtensions
{
    private static readonly (KfuncHooks Hook, ProgType[] Types)[] Table =
    [
        (KfuncHooks.Xdp, [ProgType.Xdp]),
        (KfuncHooks.Tc, [ProgType.SchedCls]),
        (KfuncHooks.StructOps, [ProgType.StructOps]),
        (KfuncHooks.Tracing, [ProgType.Tracing, ProgType.Tracepoint, ProgType.PerfEvent, ProgType.Lsm]),
        (KfuncHooks.Syscall, [ProgType.Syscall]),
        (KfuncHooks.Cgroup,
            [
                ProgType.CgroupSkb, ProgType.CgroupSock, ProgType.CgroupDevice, ProgType.CgroupSockAddr,
                ProgType.CgroupSockopt, ProgType.CgroupSysctl,
            ]),
        (KfuncHooks.SchedAct, [ProgType.SchedAct]),
        (KfuncHooks.SkSkb, [ProgType.SkSkb]),
        (KfuncHooks.SocketFilter, [ProgType.SocketFilter]),
        (KfuncHooks.Lwt, [ProgType.LwtOut, ProgType.LwtIn, ProgType.LwtXmit, ProgType.LwtSeg6Local]),
        (KfuncHooks.Netfilter, [ProgType.Netfilter]),
        (KfuncHooks.Kprobe, [ProgType.Kprobe]),
        (KfuncHooks.LsmOnly, [ProgType.Lsm]),
        (KfuncHooks.SchedExt, [ProgType.StructOps]),
        (KfuncHooks.Qdisc, [ProgType.StructOps]),
    ];

    /// <summary>
    /// The program types of all hooks, or empty for <see cref="KfuncHooks.Common"/>, as in <see cref="KfuncSpec"/>.
    /// </summary>
    public static ImmutableArray<ProgType> ToProgTypes(this KfuncHooks hooks) => hooks.HasFlag(KfuncHooks.Common)
        ? []
        : [.. Table.Where(row => hooks.HasFlag(row.Hook)).SelectMany(row => row.Types).Distinct()];
}
