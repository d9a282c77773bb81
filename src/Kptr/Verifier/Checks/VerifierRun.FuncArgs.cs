using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Specs;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>What functions of the program expect, by their BTF and its declaration tags.</content>
internal sealed partial class VerifierRun
{
    [Flags]
    private enum ArgTag
    {
        None = 0,
        Ctx = 1,
        NonNull = 2,
        Trusted = 4,
        Nullable = 8,
        Arena = 16,
        Untrusted = 32,
    }

    /// <summary>
    /// Whether the registers fit the function's BTF (<c>btf_check_subprog_call</c>). Global functions refuse what does
    /// not fit; of static ones only the checks' side effects matter.
    /// </summary>
    private bool TryMatchArgs(int subprog, bool isStatic)
    {
        var sub = Subprogs[subprog];
        if (sub.FuncTypeId == 0 || sub.Unreliable)
        {
            return isStatic ? false : throw MakeReject(DiagCode.CallArgInvalid, "function without BTF");
        }

        if (isStatic)
        {
            // Static functions are explored with the caller's registers; BTF cannot make that less safe.
            return true;
        }

        PrepareArgs(sub);
        for (var i = 0; i < sub.Args.Length; i++)
        {
            CheckGlobalArg(i, subprog, sub.Args[i]);
        }

        return true;
    }

    private RejectException MakeReject(DiagCode code, string message) =>
        new(MakeDiagnostic(code, message, -1), Errno.EINVAL);

    private void CheckGlobalArg(int i, int subprog, in SubprogArg arg)
    {
        var regno = i + 1;
        ref var reg = ref Reg(regno);
        if (arg.Flags.Has(RegType.PtrUntrusted))
        {
            // Anything will do: it is only read, and faults are caught.
            CheckRegArg(regno, RegUse.Src);
            return;
        }

        switch (arg.Kind)
        {
            case SubprogArgKind.Anything:
                if (reg.Type != RegType.Scalar)
                {
                    Reject(DiagCode.CallArgInvalid, $"R{regno} is not a scalar", regno);
                }

                return;
            case SubprogArgKind.PtrToCtx:
                CheckFuncArgRegOff(reg, regno, isDynptrArg: false, isRelease: false, isCtxArg: true);
                if (reg.Type != RegType.PtrToCtx)
                {
                    Reject(DiagCode.CallArgInvalid, Kernel.Profile.SortsKfuncArgs
                        ? $"arg#{i} expects pointer to ctx" : $"arg#{i} expected pointer to ctx, but got PTR", regno);
                }

                return;
            case SubprogArgKind.PtrToMem:
                CheckGlobalMem(i, subprog, arg);
                return;
            case SubprogArgKind.PtrToArena:
                if (reg.Type is not (RegType.PtrToArena or RegType.Scalar))
                {
                    Reject(DiagCode.CallArgInvalid, $"R{regno} is not a pointer to arena or scalar.", regno);
                }

                return;
            case SubprogArgKind.PtrToDynptr:
                CheckFuncArgRegOff(reg, regno, isDynptrArg: true, isRelease: false);
                CheckGlobalDynptrArg(regno);
                return;
            case SubprogArgKind.PtrToBtfId:
                if (!(reg.IsNull && arg.Flags.MayBeNull()))
                {
                    CheckGlobalBtfArg(regno, arg);
                }

                return;
            default:
                Bug("a global function's argument has no kind");
                return;
        }
    }

    private void CheckGlobalMem(int i, int subprog, in SubprogArg arg)
    {
        var regno = i + 1;
        ref var reg = ref Reg(regno);
        CheckFuncArgRegOff(reg, regno, isDynptrArg: false, isRelease: false);
        CheckMemReg(regno, arg.MemSize);
        var isChecked = Kernel.Profile.ChecksGlobalArgs;
        if (isChecked && Subprogs[subprog].ChangesPktData && IsInPacket(reg))
        {
            Reject(DiagCode.CallArgInvalid,
                $"R{regno} is a packet pointer, but func#{subprog} may change packet data", regno);
        }

        if (!arg.Flags.MayBeNull() && (reg.Type.MayBeNull() || (isChecked && reg.IsNull)))
        {
            var name = isChecked ? $"R{regno}" : $"arg#{i}";
            Reject(DiagCode.CallArgInvalid, $"{name} is expected to be non-NULL", regno);
        }
    }

    /// <summary>Reads what a function's BTF says of its arguments (<c>btf_prepare_func_args</c>).</summary>
    private void PrepareArgs(SubprogInfo sub)
    {
        if (sub.ArgsCached)
        {
            return;
        }

        var btf = Prog.Btf!;
        var proto = btf[sub.FuncTypeId].Ref;
        if (proto.VLen > Limits.MaxFuncRegArgs)
        {
            Reject(DiagCode.BtfInfoInvalid,
                $"Global function {sub.Name}() with {proto.VLen} > {Limits.MaxFuncRegArgs} args. Buggy compiler.");
        }

        var ret = btf.SkipModifiers(proto.RefTypeId);
        var more = Kernel.Profile.GlobalsReturnMore;
        sub.ReturnsVoid = more && ret.Kind == BtfKind.Void;
        if (ret.Kind is not (BtfKind.Int or BtfKind.Enum or BtfKind.Enum64) && !sub.ReturnsVoid
            && !(more && sub.Start != 0 && IsArenaPointer(btf, ret)))
        {
            Reject(DiagCode.BtfInfoInvalid, more
                ? $"Global function {sub.Name}() return value not void or scalar. Only those are supported."
                : $"Global function {sub.Name}() doesn't return scalar. Only those are supported.");
        }

        var args = new SubprogArg[proto.VLen];
        for (var i = 0; i < args.Length; i++)
        {
            args[i] = PrepareArg(btf, sub, i, proto.Param(i).TypeId);
        }

        sub.Args = args;
        sub.ArgsCached = true;
    }

    private ArgTag TagsOf(BtfSpec btf, SubprogInfo sub, int i)
    {
        var tags = ArgTag.None;
        if (!Kernel.Profile.HasArgTags)
        {
            return tags;
        }

        foreach (var tag in _declTags!.Find(sub.FuncTypeId, i, ""))
        {
            if (!tag.StartsWith("arg:", StringComparison.Ordinal))
            {
                continue;
            }

            if (!sub.IsGlobal)
            {
                Reject(DiagCode.BtfInfoInvalid, $"arg#{i} type tag is not supported in static functions",
                    errno: Errno.EOPNOTSUPP);
            }

            tags |= tag switch
            {
                "arg:ctx" => ArgTag.Ctx,
                "arg:trusted" => ArgTag.Trusted,
                "arg:nonnull" => ArgTag.NonNull,
                "arg:nullable" => ArgTag.Nullable,
                "arg:arena" => ArgTag.Arena,
                "arg:untrusted" when Kernel.Profile.HasUntrustedArgs => ArgTag.Untrusted,
                _ => throw new RejectException(
                    MakeDiagnostic(DiagCode.BtfInfoInvalid, $"arg#{i} has unsupported set of tags", -1),
                    Errno.EOPNOTSUPP),
            };
        }

        return tags;
    }

    // The tag is on what the pointer points to. Kernel: btf_scan_type_tags.
    private static bool IsArenaPointer(BtfSpec btf, BtfType ptr) =>
        ptr.Kind == BtfKind.Ptr && BtfTagWalk.Of(btf, ptr.Id, static tag => tag == "arena").Tag is not null;

    private SubprogArg PrepareArg(BtfSpec btf, SubprogInfo sub, int i, int typeId)
    {
        var tags = TagsOf(btf, sub, i);
        var type = btf.SkipModifiers(typeId);
        tags |= Kernel.Profile.GlobalsReturnMore && IsArenaPointer(btf, type) ? ArgTag.Arena : 0;
        if (type.Kind == BtfKind.Ptr)
        {
            return PreparePointerArg(btf, sub, i, tags, type);
        }

        if (tags != 0)
        {
            Reject(DiagCode.BtfInfoInvalid, $"arg#{i} has pointer tag, but is not a pointer type");
        }

        if (type.Kind is not (BtfKind.Int or BtfKind.Enum or BtfKind.Enum64))
        {
            Reject(DiagCode.BtfInfoInvalid,
                $"Arg#{i} type {KindWord(type.Kind)} in {sub.Name}() is not supported yet.");
        }

        return new(SubprogArgKind.Anything, 0, 0, null, 0);
    }

    private SubprogArg PreparePointerArg(BtfSpec btf, SubprogInfo sub, int i, ArgTag tags, BtfType ptr)
    {
        if (tags.HasFlag(ArgTag.Ctx) || IsProgCtxPointer(ptr))
        {
            RejectTags(i, tags & ~ArgTag.Ctx);
            if (tags.HasFlag(ArgTag.Ctx))
            {
                CheckCtxTag(i, ptr);
            }

            return new(SubprogArgKind.PtrToCtx, 0, 0, null, 0);
        }

        var target = btf.SkipModifiers(ptr.RefTypeId);
        if (Kernel.Profile.HasArgTags && target.Kind == BtfKind.Struct && target.Name == "bpf_dynptr")
        {
            RejectTags(i, tags);
            return new(SubprogArgKind.PtrToDynptr, RegType.MemRdOnly, 0, null, 0);
        }

        if (tags.HasFlag(ArgTag.Trusted))
        {
            RejectTags(i, tags & (ArgTag.NonNull | ArgTag.Untrusted));
            var flags = RegType.PtrTrusted | (tags.HasFlag(ArgTag.Nullable) ? RegType.MaybeNull : 0);
            return new(SubprogArgKind.PtrToBtfId, flags, 0, Vmlinux, KernelTypeOf(i, target));
        }

        if (tags.HasFlag(ArgTag.Untrusted))
        {
            return PrepareUntrustedArg(i, tags, target);
        }

        if (tags.HasFlag(ArgTag.Arena))
        {
            if ((tags & ~ArgTag.Arena) != 0)
            {
                Reject(DiagCode.BtfInfoInvalid, $"arg#{i} arena cannot be combined with any other tags");
            }

            return new(SubprogArgKind.PtrToArena, 0, 0, null, 0);
        }

        RejectTags(i, tags & ArgTag.Nullable);
        var size = btf.ResolveSize(target.Id);
        if (size < 0)
        {
            Reject(DiagCode.BtfInfoInvalid,
                $"arg#{i} reference type('{KindWord(target.Kind)} {target.Name}') size cannot be determined: -22");
        }

        _ = sub;
        return new(SubprogArgKind.PtrToMem, tags.HasFlag(ArgTag.NonNull) ? 0 : RegType.MaybeNull, size, null, 0);
    }

    private SubprogArg PrepareUntrustedArg(int i, ArgTag tags, BtfType target)
    {
        if (tags != ArgTag.Untrusted)
        {
            Reject(DiagCode.BtfInfoInvalid, $"arg#{i} untrusted cannot be combined with any other tags");
        }

        if (target.Kind is BtfKind.Void or BtfKind.Int or BtfKind.Enum or BtfKind.Enum64)
        {
            return new(SubprogArgKind.PtrToMem, RegType.MemRdOnly | RegType.PtrUntrusted, 0, null, 0);
        }

        var id = KernelTypeOf(i, target);
        if (Vmlinux[id].Kind != BtfKind.Struct)
        {
            Reject(DiagCode.BtfInfoInvalid, $"arg#{i} has type {KindWord(Vmlinux[id].Kind)} '{target.Name}', "
                + "but only struct or primitive types are allowed");
        }

        return new(SubprogArgKind.PtrToBtfId, RegType.PtrUntrusted, 0, Vmlinux, id);
    }

    private void RejectTags(int i, ArgTag tags)
    {
        if (tags != 0)
        {
            Reject(DiagCode.BtfInfoInvalid, $"arg#{i} has invalid combination of tags");
        }
    }

    private int KernelTypeOf(int i, BtfType target)
    {
        // A CO-RE flavour (task_struct___mine) is the type it is a flavour of.
        var flavour = target.Name.IndexOf("___", StringComparison.Ordinal);
        var name = flavour > 0 ? target.Name[..flavour] : target.Name;
        var id = target.IsComposite && name.Length > 0 ? Vmlinux.FindId(name, target.Kind) : 0;
        if (id == 0)
        {
            Reject(DiagCode.BtfInfoInvalid,
                $"arg#{i} reference type('{KindWord(target.Kind)} {target.Name}') has no matches", errno: Errno.ENOENT);
        }

        return id;
    }

    /// <summary>Whether a pointer is to this program type's context struct, by its name.</summary>
    private bool IsProgCtxPointer(BtfType ptr)
    {
        var type = ptr.Ref;
        if (RunType == ProgType.Kprobe)
        {
            for (; type.Kind is BtfKind.Const or BtfKind.Volatile or BtfKind.Restrict
                or BtfKind.TypeTag; type = type.Ref)
            {
            }

            if (type.Kind == BtfKind.Typedef && type.Name == "bpf_user_pt_regs_t")
            {
                return true;
            }
        }

        type = type.SkipModifiers();
        if (type.Kind != BtfKind.Struct && type.Kind != BtfKind.Union)
        {
            return false;
        }

        var expected = ProgCtxNames.Of(RunType);
        return expected.Length > 0 && (type.Name == expected
            || (Kernel.Profile.SortsKfuncArgs && ProgCtxNames.IsProjection(expected, type.Name))
            || (expected == "bpf_user_pt_regs_t" && type.Name == "pt_regs"));
    }

    private void CheckCtxTag(int i, BtfType ptr)
    {
        if (ProgCtxNames.CtxTagFault(RunType, Prog.ExpectedAttachType, ptr, i) is { } fault)
        {
            Reject(DiagCode.BtfInfoInvalid, fault);
        }
    }

    private static string KindWord(BtfKind kind) => kind switch
    {
        BtfKind.Void => "UNKNOWN",
        BtfKind.Func => "FUNC",
        BtfKind.FuncProto => "FUNC_PROTO",
        BtfKind.Fwd => "FWD",
        BtfKind.Struct => "STRUCT",
        BtfKind.Union => "UNION",
        BtfKind.Float => "FLOAT",
        _ => kind.ToString().ToUpperInvariant(),
    };

    /// <summary>The entry function's BTF only tells whether it can be trusted later.</summary>
    private void MarkMainReliability(SubprogInfo main)
    {
        if (main.FuncTypeId == 0)
        {
            return;
        }

        try
        {
            PrepareArgs(main);
            main.Unreliable = main.Args.Length != 1 || main.Args[0].Kind != SubprogArgKind.PtrToCtx;
        }
        catch (RejectException)
        {
            main.Unreliable = true;
        }
    }

    /// <summary>Registers a global function starts with: anything its BTF allows.</summary>
    private void SetupGlobalArgs(SubprogInfo sub)
    {
        PrepareArgs(sub);
        if (sub.IsExceptionCallback)
        {
            Cur.Cur.InExceptionCallback = true;
            if (sub.Args is not [{ Kind: SubprogArgKind.Anything }])
            {
                Reject(DiagCode.ExceptionCallbackInvalid, "exception cb only supports single integer argument");
            }
        }

        for (var i = 0; i < sub.Args.Length; i++)
        {
            SetupGlobalArg(ref Reg(i + 1), sub.Args[i]);
        }
    }

    private void SetupGlobalArg(ref RegState reg, in SubprogArg arg)
    {
        switch (arg.Kind)
        {
            case SubprogArgKind.PtrToCtx:
                reg.MarkKnownZero(RegType.PtrToCtx);
                break;
            case SubprogArgKind.PtrToDynptr:
                reg.MarkKnownZero(RegType.ConstPtrToDynptr);
                reg.Id = NewId();
                reg.DynptrKind = DynptrKind.Local;
                reg.DynptrFirstSlot = true;
                break;
            case SubprogArgKind.PtrToMem:
                reg.MarkKnownZero(RegType.PtrToMem
                    | (arg.Flags & (RegType.MaybeNull | RegType.PtrUntrusted | RegType.MemRdOnly)));
                reg.MemSize = arg.MemSize;
                reg.Id = NewId();
                break;
            case SubprogArgKind.PtrToBtfId:
                reg.MarkKnownZero(RegType.PtrToBtfId | arg.Flags);
                reg.Btf = arg.Btf;
                reg.BtfId = arg.BtfId;
                reg.Id = NewId();
                break;
            default:
                reg.MarkUnknown(AlwaysPrecise);
                break;
        }
    }
}
