using Kptr.Specs;
using Kptr.Verifier.State;

namespace Kptr.Verifier.Context;

/// <summary>What a program may return where it runs, and what it finds that others returned there.</summary>
/// <param name="hook">Where the program runs.</param>
internal sealed class ReturnRanges(Hook hook)
{
    public const int MaxErrno = 4095;

    private static readonly AttachType[] AlwaysAllowed =
    [
        AttachType.CgroupUdp4Recvmsg, AttachType.CgroupUdp6Recvmsg, AttachType.CgroupUnixRecvmsg,
        AttachType.CgroupInet4Getpeername, AttachType.CgroupInet6Getpeername, AttachType.CgroupUnixGetpeername,
        AttachType.CgroupInet4Getsockname, AttachType.CgroupInet6Getsockname, AttachType.CgroupUnixGetsockname,
    ];

    /// <summary>What the traced LSM hook itself returns; null where anything (<c>get_func_retval_range</c>).</summary>
    public RetRange? OfTarget()
    {
        if (Prog.Type != ProgType.Lsm || Prog.ExpectedAttachType != AttachType.LsmMac || Target.ReturnsVoid)
        {
            return null;
        }

        return HookRange();
    }

    /// <summary>
    /// What the programs of one hook hand each other as its return value; null where it may be anything
    /// (<c>bpf_get_retval</c>, <c>bpf_set_retval</c>).
    /// </summary>
    public RetRange? OfOthers()
    {
        var isAny = Prog.Type == ProgType.CgroupSockopt && Prog.ExpectedAttachType == AttachType.CgroupGetsockopt;
        return !Profile.ChecksSetRetval || isAny || (hook.IsLsmCgroup && Target.ReturnsVoid) ? null
            : hook.IsLsmCgroup ? HookRange() : new(-MaxErrno, 0);
    }

    private RetRange HookRange() => LsmHooks.IsBool(Target.Name) ? new(0, 1) : new(-MaxErrno, 0);

    /// <summary>What the program may return; null where anything.</summary>
    public RetRange? OfProgram() => Prog.Type switch
    {
        ProgType.CgroupSockAddr => SockAddrReturnRange(),
        ProgType.CgroupSkb => Prog.ExpectedAttachType == AttachType.CgroupInetEgress ? new(0, 3) : new(0, 1),
        ProgType.CgroupSock or ProgType.SockOps or ProgType.CgroupDevice or ProgType.CgroupSysctl
            or ProgType.CgroupSockopt or ProgType.SkLookup or ProgType.Netfilter => new(0, 1),
        ProgType.RawTracepoint => Prog.AttachBtf is null ? null : new(0, 0),
        ProgType.Tracing => Prog.ExpectedAttachType switch
        {
            AttachType.TraceFentry or AttachType.TraceFexit or AttachType.TraceFsession => new(0, 0),
            _ when Prog.IsForManyFunctions => new(0, 0),
            AttachType.TraceIter => new(0, 1),
            _ => null,
        },
        ProgType.Kprobe when Prog.ExpectedAttachType == AttachType.TraceUprobeSession => new(0, 1),
        ProgType.Kprobe => Prog.ExpectedAttachType == AttachType.TraceKprobeSession
            && Profile.HasKprobeSession ? new(0, 1) : null,
        ProgType.StructOps when hook.ReturnsPointer => new(0, 0),
        ProgType.Lsm when hook.IsLsmMac => Profile.ChecksLsmReturn ? OfTarget() : null,
        ProgType.Lsm => Target.ReturnsVoid ? new(1, 1) : new(0, 1),
        _ => null,
    };

    private RetRange SockAddrReturnRange() => Prog.ExpectedAttachType switch
    {
        { } at when Array.IndexOf(AlwaysAllowed, at) >= 0 => new(1, 1),
        AttachType.CgroupInet4Bind or AttachType.CgroupInet6Bind => new(0, 3),
        _ => new(0, 1),
    };

    private ProgSpec Prog => hook.Prog;

    private KernelProfile Profile => hook.Kernel.Profile;

    private AttachTarget Target => hook.Target!;
}
