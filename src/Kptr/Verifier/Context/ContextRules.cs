using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Specs;
using Kptr.Verifier.State;

namespace Kptr.Verifier.Context;

/// <summary>Loads from and stores to the program's context.</summary>
/// <param name="hook">Where the program runs.</param>
/// <param name="isCapable">Whether the loader has CAP_BPF.</param>
/// <param name="log">Told why an access is not allowed, where the kernel says it.</param>
internal sealed class ContextRules(Hook hook, bool isCapable, ILogLines log)
{
    private const int SockOpsTimestamp = 216;

    private ProgSpec Prog => hook.Prog;

    private KernelProfile Profile => hook.Kernel.Profile;

    private BtfSpec Vmlinux => hook.Kernel.Types.Vmlinux;

    /// <summary>What an access to the context gives, or <see langword="null"/> where it is not allowed.</summary>
    /// <param name="insnIdx">The instruction that accesses it.</param>
    /// <param name="off">The offset, in bytes.</param>
    /// <param name="size">The size, in bytes.</param>
    /// <param name="write">Whether it is a store.</param>
    /// <param name="isLdsx">Whether it is a load that extends the sign.</param>
    public CtxAccess? Check(int insnIdx, int off, int size, bool write, bool isLdsx)
    {
        if (Prog.Type is ProgType.Tracing or ProgType.Lsm or ProgType.StructOps)
        {
            return CheckBtfCtx(off, size, write);
        }

        if (Prog.Type == ProgType.Netfilter)
        {
            return CheckNetfilterCtx(off, size, write);
        }

        if (CtxStructs.Of(Prog) is not { } ctx)
        {
            Refusal.At(insnIdx, DiagCode.UnsupportedProgType,
                $"the context of program type {Prog.Type} is not modelled", Errno.EOPNOTSUPP);
            return null;
        }

        var isTimestamp = Prog.Type == ProgType.SockOps && off >= SockOpsTimestamp;
        if (off < 0 || (off % size != 0 && !hook.IsContextIndexed) || IsPrivilegedField(off, write)
            || (isTimestamp && !Profile.SockOpsHaveTimestamp))
        {
            return null;
        }

        var isRead = !write || (Prog.Type == ProgType.Kprobe && Profile.ProbesWriteRegs);
        return ctx.FieldAt(off) is { } field && field.Allows(off, size, !isRead, isLdsx, Prog.ExpectedAttachType)
            ? new CtxAccess(off == field.Off ? field.Type : RegType.Scalar)
            : null;
    }

    private CtxAccess? CheckNetfilterCtx(int off, int size, bool write)
    {
        var name = (off, size, write) switch
        {
            (0, 8, false) => "nf_hook_state",
            (8, 8, false) => "sk_buff",
            _ => null,
        };
        var id = name is null ? 0 : Vmlinux.FindId(name, BtfKind.Struct);
        return id == 0 ? null : new CtxAccess(RegType.PtrToBtfId | RegType.PtrTrusted, Vmlinux, id);
    }

    // Kernel: bpf_tracing_btf_ctx_access, and btf_ctx_access alone for LSM programs.
    private CtxAccess? CheckBtfCtx(int off, int size, bool write)
    {
        if (Prog.Type != ProgType.Lsm && (off < 0 || off >= 8 * AttachRules.MaxBpfFuncArgs || write || off % size != 0))
        {
            return null;
        }

        var target = hook.Target!;
        if (off % 8 != 0)
        {
            log.Line($"func '{target.Name}' offset {off} is not multiple of 8");
            return null;
        }

        var arg = ArgIndexAt(target, off);
        if (arg == 2 && size == 8 && target.Name == "enqueue" && hook.StructOpsName == "Qdisc_ops"
            && Vmlinux.FindId("bpf_sk_buff_ptr", BtfKind.Struct) is not 0 and var list)
        {
            return new CtxAccess(RegType.PtrToBtfId | RegType.PtrTrusted, Vmlinux, list);
        }

        if (arg < target.ParamCount)
        {
            return TypeOfArg(target, arg, off, size, target.Proto.Param(arg + target.SkippedParams));
        }

        return arg == target.ParamCount && MayReadReturnValue(target)
            ? TypeOfReturn(target, off, size, arg)
            : RefuseArg(target, arg);
    }

    private CtxAccess? RefuseArg(AttachTarget target, int arg)
    {
        log.Line($"func '{target.Name}' doesn't have {arg + 1}-th argument");
        return null;
    }

    /// <summary>Index of the argument at an offset; one more than the last is the return value.</summary>
    /// <remarks>
    /// The first parameter of a tracepoint counts here, as in Linux: all its parameters are words. Offsets are compared
    /// without a sign, so that one before the context is past its end.
    /// </remarks>
    private static int ArgIndexAt(AttachTarget target, int off)
    {
        var end = 0u;
        for (var i = 0; i < target.Proto.VLen; i++)
        {
            end += SlotBytes(target.Btf.SkipModifiers(target.Proto.Param(i).TypeId));
            if ((uint)off < end)
            {
                return i;
            }
        }

        end += SlotBytes(target.Btf.SkipModifiers(target.Proto.RefTypeId));
        return (uint)off < end ? target.Proto.VLen : target.Proto.VLen + 1;
    }

    private static uint SlotBytes(BtfType type) => type.Kind == BtfKind.Ptr ? 8 : ((uint)type.SizeBytes + 7) & ~7u;

    /// <summary>
    /// What stands in <c>expected_attach_type</c> when the context of a BTF program is read: of a struct_ops
    /// program its member's index. Linux reads it as an attach type all the same, so the 26th member's
    /// program may read a return value.
    /// </summary>
    private AttachType? CtxAttachType =>
        Prog.Type == ProgType.StructOps ? (AttachType)Prog.StructOpsMember : Prog.ExpectedAttachType;

    private bool MayReadReturnValue(AttachTarget target)
    {
        switch (CtxAttachType)
        {
            case AttachType.LsmMac or AttachType.LsmCgroup or AttachType.TraceFexit:
                return true;
            case AttachType.TraceFsession:
                return Profile.HasSessions;
            case AttachType.ModifyReturn:
                var ret = target.Btf.SkipModifiers(target.Proto.RefTypeId);
                var isInt = IsSmallInt(ret);
                if (!isInt)
                {
                    log.Line($"ret type {BtfWords.KindName(ret)} not allowed for fmod_ret");
                }

                return isInt;
            default:
                return false;
        }
    }

    private CtxAccess? TypeOfReturn(AttachTarget target, int off, int size, int arg)
    {
        var access = TypeOfArg(target, arg, off, size, new BtfParam("", target.Proto.RefTypeId));
        return access is { } found ? found with { IsRetval = hook.IsLsmMac && Profile.ChecksLsmReturn } : null;
    }

    private CtxAccess? TypeOfArg(AttachTarget target, int arg, int off, int size, BtfParam param)
    {
        var type = target.Btf.SkipModifiers(param.TypeId);
        if (IsSmallInt(type) || type.Kind is BtfKind.Enum or BtfKind.Enum64 or BtfKind.Struct
            || (type.Kind == BtfKind.Union && Profile.TakesUnionArgs))
        {
            return new CtxAccess(RegType.Scalar);
        }

        if (type.Kind != BtfKind.Ptr)
        {
            log.Line(
                $"func '{target.Name}' arg{arg} '{type.Name}' has type {BtfWords.KindName(type)}. Only "
                    + "pointer access is allowed");
            return null;
        }

        if (size != 8)
        {
            log.Line($"func '{target.Name}' size {size} must be 8");
            return null;
        }

        foreach (var typed in target.Args)
        {
            if (typed.Off == off && (typed.TypeId != 0 || typed.Type.Base() == RegType.PtrToBuf))
            {
                return Promote(new CtxAccess(typed.Type & ~RegTypes.UntrackedBy(Profile), target.Btf, typed.TypeId,
                    IsRefcounted: typed.IsRefcounted));
            }
        }

        var pointee = target.Btf.SkipModifiers(type.RefTypeId);
        return type.RefTypeId == 0 || pointee.Kind == BtfKind.Int
            || (Profile.TakesAnyPointerArg && !pointee.IsComposite)
            ? new CtxAccess(RegType.Scalar)
            : TypeOfPointer(target, arg, param, type, pointee);
    }

    private CtxAccess? TypeOfPointer(AttachTarget target, int arg, BtfParam param, BtfType ptr, BtfType pointee)
    {
        var flags = AreArgsTrusted ? RegType.PtrTrusted : 0;
        if (param.Name.EndsWith("__nullable", StringComparison.Ordinal))
        {
            flags |= RegType.MaybeNull;
        }

        var mayBeError = false;
        if (CtxAttachType == AttachType.TraceRawTp && Profile.KnowsNullTracepointArgs)
        {
            if (Prog.Type != ProgType.StructOps && RawTpNulls.TryFind(Profile, target.Name, out var mask))
            {
                flags |= (mask & (1UL << (arg * 4))) != 0 ? RegType.MaybeNull : 0;
                mayBeError = (mask & (2UL << (arg * 4))) != 0;
            }
            else if (!ReferenceEquals(target.Btf, Vmlinux))
            {
                flags |= RegType.MaybeNull;
            }
        }

        if (PointeeTags.Of(ptr, PointeeTags.OfArgs, Profile.RecordRules.ReadsTagsAmongModifiers) is not { } tags)
        {
            log.Line($"func '{target.Name}' arg{arg} type {BtfWords.KindName(ptr)} has multiple type tags");
            return null;
        }

        flags |= tags;
        if (!pointee.IsComposite)
        {
            log.Line($"func '{target.Name}' arg{arg} type {BtfWords.KindName(pointee)} is not a struct");
            return null;
        }

        return mayBeError
            ? new CtxAccess(RegType.Scalar)
            : Promote(new CtxAccess(RegType.PtrToBtfId | flags, target.Btf, pointee.Id));
    }

    // TCP congestion control gets its socks as tcp_socks (bpf_tcp_ca_is_valid_access).
    private CtxAccess Promote(CtxAccess access)
    {
        if (Prog.Type != ProgType.StructOps || access.Btf is null || access.Btf[access.BtfId].Name != "sock"
            || hook.StructOpsName != "tcp_congestion_ops")
        {
            return access;
        }

        var id = Vmlinux.FindId("tcp_sock", BtfKind.Struct);
        return id == 0 ? access : access with { BtfId = id };
    }

    private bool AreArgsTrusted => Profile.TracksTrust && Prog.Type switch
    {
        ProgType.Tracing => Prog.ExpectedAttachType is AttachType.TraceRawTp or AttachType.TraceIter,
        ProgType.Lsm => !LsmHooks.IsUntrusted(hook.Target!.Name, Profile),
        ProgType.StructOps => true,
        _ => false,
    };

    private static bool IsSmallInt(BtfType type) => type.Kind == BtfKind.Int && type.SizeBytes <= 8;

    /// <summary>Packet pointers and stamps of the context are for CAP_BPF (<c>cg_skb_is_valid_access</c>).</summary>
    private bool IsPrivilegedField(int off, bool write) => !isCapable && Prog.Type == ProgType.CgroupSkb
        && (off is >= 76 and < 84 || (write && off is >= 152 and < 160));
}
