using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Specs;
using Kptr.Verifier.Scalars;

namespace Kptr.Verifier;

/// <content>What a program may return.</content>
internal sealed partial class VerifierRun
{
    private const int MaxErrno = 4095;

    private static readonly AttachType[] AlwaysAllowed =
    [
        AttachType.CgroupUdp4Recvmsg, AttachType.CgroupUdp6Recvmsg, AttachType.CgroupUnixRecvmsg,
        AttachType.CgroupInet4Getpeername, AttachType.CgroupInet6Getpeername, AttachType.CgroupUnixGetpeername,
        AttachType.CgroupInet4Getsockname, AttachType.CgroupInet6Getsockname, AttachType.CgroupUnixGetsockname,
    ];

    /// <summary>What the traced LSM hook itself returns; null where anything (<c>get_func_retval_range</c>).</summary>
    private RetRange? RetvalRange()
    {
        if (Prog.Type != ProgType.Lsm || Prog.ExpectedAttachType != AttachType.LsmMac || Target!.ReturnsVoid)
        {
            return null;
        }

        return HookRange();
    }

    /// <summary>
    /// What the programs of one hook hand each other as its return value; null where it may be anything
    /// (<c>bpf_get_retval</c>, <c>bpf_set_retval</c>).
    /// </summary>
    private RetRange? RetvalOfOthers()
    {
        var isAny = Prog.Type == ProgType.CgroupSockopt && Prog.ExpectedAttachType == AttachType.CgroupGetsockopt;
        return !Kernel.Profile.ChecksSetRetval || isAny || (IsLsmCgroup && Target!.ReturnsVoid) ? null
            : IsLsmCgroup ? HookRange() : new(-MaxErrno, 0);
    }

    private RetRange HookRange() => LsmHooks.IsBool(Target!.Name) ? new(0, 1) : new(-MaxErrno, 0);

    /// <summary>
    /// Refuses an exit with a value that whoever called the program does not take (<c>check_return_code</c>).
    /// </summary>
    private void CheckReturnCode(int regno, string regName)
    {
        var frame = Cur.Frames[0]!;
        var isThrown = regno != 0 && Kernel.Profile.ChecksThrownValues;
        var isSubprog = frame.Subprogno != 0 && !isThrown;
        if ((!isSubprog || frame.InExceptionCallback) && HasNoReturnValue)
        {
            return;
        }

        var isPlain = isSubprog && !frame.InExceptionCallback && !frame.InAsyncCallback;
        if (isPlain && Subprogs[frame.Subprogno].ReturnsVoid)
        {
            return;
        }

        if (!isSubprog && regno == 0 && !frame.InAsyncCallback && ReturnsPointer && IsReferenceOfResult(Reg(regno)))
        {
            CheckPtrOffReg(Reg(regno), regno, fixedOffOk: false);
            return;
        }

        CheckRegArg(regno, RegUse.Src);
        if (isPlain && Kernel.Profile.GlobalsReturnMore && Reg(regno).Type == RegType.PtrToArena)
        {
            return;
        }

        if (IsPointerValue(regno))
        {
            Reject(DiagCode.PtrLeak, $"R{regno} leaks addr as return value", regno, Errno.EACCES);
        }

        ref readonly var reg = ref Reg(regno);
        if (frame.InAsyncCallback)
        {
            EnforceReturn(regno, regName, new(0, 0), false, "At async callback return");
        }
        else if (isSubprog && !frame.InExceptionCallback)
        {
            if (reg.Type != RegType.Scalar)
            {
                Reject(DiagCode.ReturnValueInvalid,
                    $"At subprogram exit the register R{regno} is not a scalar value ({RegTypeName(reg.Type)})", regno);
            }
        }
        else if (ProgReturnRange() is { } range)
        {
            EnforceReturn(regno, regName, range, IsLsmMac, "At program exit");
        }
    }

    /// <summary>Whether a member of a kernel struct returns an object, with a reference to it.</summary>
    private bool ReturnsPointer => Prog.Type == ProgType.StructOps && Kernel.Profile.StructOpsHandOverReferences
        && ResultOfMember.Kind == BtfKind.Ptr;

    private BtfType ResultOfMember => Target!.Btf.SkipModifiers(Target.Proto.RefTypeId);

    // An owned object of just the type that the member returns.
    private bool IsReferenceOfResult(in RegState reg) => reg.Type.Base() == RegType.PtrToBtfId && reg.RefObjId != 0
        && ReferenceEquals(reg.Btf, Target!.Btf) && reg.BtfId == Target.Btf.SkipModifiers(ResultOfMember.RefTypeId).Id
        && Cur.Cur.TryFindRef(reg.RefObjId, out _);

    private bool IsLsmMac => Prog.Type == ProgType.Lsm && !IsLsmCgroup;

    private bool IsLsmCgroup => Prog.Type == ProgType.Lsm && Prog.ExpectedAttachType == AttachType.LsmCgroup;

    private bool HasNoReturnValue => (IsLsmMac || Prog.Type == ProgType.StructOps) && Target!.ReturnsVoid;

    private RetRange? ProgReturnRange() => Prog.Type switch
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
            && Kernel.Profile.HasKprobeSession ? new(0, 1) : null,
        ProgType.StructOps when ReturnsPointer => new(0, 0),
        ProgType.Lsm when IsLsmMac => Kernel.Profile.ChecksLsmReturn ? RetvalRange() : null,
        ProgType.Lsm => Target!.ReturnsVoid ? new(1, 1) : new(0, 1),
        _ => null,
    };

    private RetRange SockAddrReturnRange() => Prog.ExpectedAttachType switch
    {
        { } at when Array.IndexOf(AlwaysAllowed, at) >= 0 => new(1, 1),
        AttachType.CgroupInet4Bind or AttachType.CgroupInet6Bind => new(0, 3),
        _ => new(0, 1),
    };

    private void EnforceReturn(int regno, string regName, RetRange range, bool low32, string where)
    {
        ref readonly var reg = ref Reg(regno);
        if (reg.Type != RegType.Scalar)
        {
            Reject(DiagCode.ReturnValueInvalid,
                $"{where} the register R{regno} is not a known value ({RegTypeName(reg.Type)})", regno);
        }

        MarkChainPrecision(regno);
        if (!IsWithin(range, reg, low32))
        {
            RejectScalarRange(reg, regno, range, where, regName);
        }
    }

    private static bool IsWithin(RetRange range, in RegState reg, bool low32) => low32
        ? range.Min <= reg.Var.S32Min && reg.Var.S32Max <= range.Max
        : range.Min <= reg.Var.SMin && reg.Var.SMax <= range.Max;

    /// <summary>Refuses a scalar that is outside of what is expected (<c>verbose_invalid_scalar</c>).</summary>
    private void RejectScalarRange(in RegState reg, int regno, RetRange range, string where, string regName)
    {
        if (!Kernel.Profile.NamesRangesByEnds)
        {
            var value = reg.Var.Bits == Tnum.Unknown ? "has unknown scalar value" : $"has value {Bits(reg.Var.Bits)}";
            Reject(DiagCode.ReturnValueInvalid,
                $"{where} the register {regName} {value} should have been in {Bits(Range(range))}", regno);
        }

        var min = reg.Var.SMin > long.MinValue ? $" smin={reg.Var.SMin}" : "";
        var max = reg.Var.SMax < long.MaxValue ? $" smax={reg.Var.SMax}" : "";
        var known = min.Length + max.Length > 0 ? min + max : " unknown scalar value";
        Reject(DiagCode.ReturnValueInvalid,
            $"{where} the register {regName} has{known} should have been in [{range.Min}, {range.Max}]", regno);
    }

    private static Tnum Range(RetRange range) => Tnum.Range((ulong)(long)range.Min, (ulong)(long)range.Max);

    private static string Bits(Tnum bits) => $"({Hex(bits.Value)}; {Hex(bits.Mask)})";
}
