using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Verifier;

/// <content>Loads from and stores to the program's context.</content>
internal sealed partial class VerifierRun
{
    private const int MaxBpfFuncArgs = 12;
    private const int SockOpsTimestamp = 216;

    /// <summary>What an access to the context gives, or <see langword="null"/> where it is not allowed.</summary>
    private CtxAccess? CheckCtx(int off, int size, bool write, bool isLdsx)
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
            Unsupported(DiagCode.UnsupportedProgType, $"the context of program type {Prog.Type} is not modelled");
            return null;
        }

        var isTimestamp = RunType == ProgType.SockOps && off >= SockOpsTimestamp;
        if (off < 0 || (off % size != 0 && !IsCtxIndexed) || IsPrivilegedField(off, write)
            || (isTimestamp && !Kernel.Profile.SockOpsHaveTimestamp))
        {
            return null;
        }

        var isRead = !write || (RunType == ProgType.Kprobe && Kernel.Profile.ProbesWriteRegs);
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
        if (Prog.Type != ProgType.Lsm && (off < 0 || off >= 8 * MaxBpfFuncArgs || write || off % size != 0))
        {
            return null;
        }

        var target = Target!;
        if (off % 8 != 0)
        {
            Log.Line($"func '{target.Name}' offset {off} is not multiple of 8");
            return null;
        }

        var arg = ArgIndexAt(target, off);
        if (arg == 2 && size == 8 && target.Name == "enqueue" && StructOpsName == "Qdisc_ops"
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
        Log.Line($"func '{target.Name}' doesn't have {arg + 1}-th argument");
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
                return Kernel.Profile.HasSessions;
            case AttachType.ModifyReturn:
                var ret = target.Btf.SkipModifiers(target.Proto.RefTypeId);
                var isInt = IsSmallInt(ret);
                if (!isInt)
                {
                    Log.Line($"ret type {KindName(ret)} not allowed for fmod_ret");
                }

                return isInt;
            default:
                return false;
        }
    }

    private CtxAccess? TypeOfReturn(AttachTarget target, int off, int size, int arg)
    {
        var access = TypeOfArg(target, arg, off, size, new BtfParam("", target.Proto.RefTypeId));
        return access is { } found ? found with { IsRetval = IsLsmMac && Kernel.Profile.ChecksLsmReturn } : null;
    }

    private CtxAccess? TypeOfArg(AttachTarget target, int arg, int off, int size, BtfParam param)
    {
        var type = target.Btf.SkipModifiers(param.TypeId);
        if (IsSmallInt(type) || type.Kind is BtfKind.Enum or BtfKind.Enum64 or BtfKind.Struct
            || (type.Kind == BtfKind.Union && Kernel.Profile.TakesUnionArgs))
        {
            return new CtxAccess(RegType.Scalar);
        }

        if (type.Kind != BtfKind.Ptr)
        {
            Log.Line(
                $"func '{target.Name}' arg{arg} '{type.Name}' has type {KindName(type)}. Only "
                    + "pointer access is allowed");
            return null;
        }

        if (size != 8)
        {
            Log.Line($"func '{target.Name}' size {size} must be 8");
            return null;
        }

        foreach (var typed in target.Args)
        {
            if (typed.Off == off && (typed.TypeId != 0 || typed.Type.Base() == RegType.PtrToBuf))
            {
                return Promote(new CtxAccess(typed.Type & ~Untracked, target.Btf, typed.TypeId,
                    RefId: typed.IsRefcounted ? _argRefs[typed.Off] : 0));
            }
        }

        var pointee = target.Btf.SkipModifiers(type.RefTypeId);
        return type.RefTypeId == 0 || pointee.Kind == BtfKind.Int
            || (Kernel.Profile.TakesAnyPointerArg && !pointee.IsComposite)
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
        if (CtxAttachType == AttachType.TraceRawTp && Kernel.Profile.KnowsNullTracepointArgs)
        {
            if (Prog.Type != ProgType.StructOps && RawTpNulls.TryFind(target.Name, out var mask))
            {
                flags |= (mask & (1UL << (arg * 4))) != 0 ? RegType.MaybeNull : 0;
                mayBeError = (mask & (2UL << (arg * 4))) != 0;
            }
            else if (!ReferenceEquals(target.Btf, Vmlinux))
            {
                flags |= RegType.MaybeNull;
            }
        }

        if (PointeeTags.Of(ptr, PointeeTags.OfArgs, Kernel.Profile.RecordRules.ReadsTagsAmongModifiers) is not { } tags)
        {
            Log.Line($"func '{target.Name}' arg{arg} type {KindName(ptr)} has multiple type tags");
            return null;
        }

        flags |= tags;
        if (!pointee.IsComposite)
        {
            Log.Line($"func '{target.Name}' arg{arg} type {KindName(pointee)} is not a struct");
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
            || Types[Prog.AttachBtf!.Value].Name != "tcp_congestion_ops")
        {
            return access;
        }

        var id = Vmlinux.FindId("tcp_sock", BtfKind.Struct);
        return id == 0 ? access : access with { BtfId = id };
    }

    /// <summary>Modifiers that this kernel does not have.</summary>
    private RegType Untracked => Kernel.Profile.TracksTrust ? 0 : RegType.PtrTrusted | RegType.MemRcu;

    private bool AreArgsTrusted => Kernel.Profile.TracksTrust && Prog.Type switch
    {
        ProgType.Tracing => Prog.ExpectedAttachType is AttachType.TraceRawTp or AttachType.TraceIter,
        ProgType.Lsm => !LsmHooks.IsUntrusted(Target!.Name, Kernel.Profile),
        ProgType.StructOps => true,
        _ => false,
    };

    private static bool IsSmallInt(BtfType type) => type.Kind == BtfKind.Int && type.SizeBytes <= 8;

    private static string KindName(BtfType type) => type.Kind switch
    {
        BtfKind.Void => "UNKNOWN",
        BtfKind.FuncProto => "FUNC_PROTO",
        BtfKind.TypeTag => "TYPE_TAG",
        BtfKind.DeclTag => "DECL_TAG",
        _ => type.Kind.ToString().ToUpperInvariant(),
    };
}
