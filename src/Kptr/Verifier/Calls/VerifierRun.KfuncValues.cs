using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Specs;
using Kptr.Verifier.Callees;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>What each kind of kfunc argument must be.</content>
internal sealed partial class VerifierRun
{
    private const RegType LocalObject = RegType.PtrToBtfId | RegType.MemAlloc;

    private void CheckKfuncArgValue(KfuncArg kind, int i, in KfuncParam param, KfuncCallMeta meta)
    {
        var regno = i + 1;
        switch (kind)
        {
            case KfuncArg.Ctx:
                CheckKfuncCtx(i, meta);
                break;
            case KfuncArg.AllocBtfId:
                CheckKfuncLocalObject(i, meta);
                break;
            case KfuncArg.Dynptr:
                CheckKfuncDynptr(regno, param, meta);
                break;
            case KfuncArg.Iter:
                ProcessIterArg(i, param, meta);
                break;
            case KfuncArg.ListHead or KfuncArg.RbRoot:
                CheckGraphRoot(i, kind == KfuncArg.ListHead ? BtfFieldKind.ListHead : BtfFieldKind.RbRoot, meta);
                break;
            case KfuncArg.ListNode:
                if (!param.Has(KfuncParamTag.NonOwnAllowed) || !Reg(regno).Type.IsNonOwningRef()
                    || Reg(regno).RefObjId != 0)
                {
                    RequireOwnedNode(i);
                }

                CheckGraphNode(regno, BtfFieldKind.ListNode, meta);
                break;
            case KfuncArg.RbNode:
                CheckRbNodeArg(i, meta);
                break;
            case KfuncArg.Map or KfuncArg.BtfId:
                CheckKfuncBtfId(kind, i, param, meta);
                break;
            case KfuncArg.Kptr:
                CheckKptrGetArg(param, meta);
                break;
            case KfuncArg.Mem:
                CheckKfuncMem(i, param);
                break;
            case KfuncArg.MemSize:
                CheckKfuncMemSize(i, param, meta);
                break;
            case KfuncArg.Callback:
                if (Reg(regno).Type != RegType.PtrToFunc)
                {
                    Reject(DiagCode.CallArgType, $"arg{i} expected pointer to func", regno);
                }

                meta.Subprogno = Reg(regno).Subprogno;
                break;
            case KfuncArg.RefcountedKptr:
                CheckRefcounted(i, meta);
                break;
            case KfuncArg.ConstStr:
                RequireMapValue(i, "a const string");
                CheckConstStr(regno);
                break;
            case KfuncArg.Workqueue:
                RequireMapValue(i, "a map value");
                ProcessWorkqueue(regno, meta);
                break;
            case KfuncArg.Timer:
                RequireMapValue(i, "a map value");
                (meta.Map, meta.MapUid) = (RequireTimer(regno), Reg(regno).MapUid);
                break;
            case KfuncArg.IrqFlag:
                ProcessIrqFlag(i, meta.Fn);
                break;
            case KfuncArg.ResSpinLock:
                CheckResLockArg(i, meta.Fn);
                break;
            default:
                break;
        }
    }

    private void RequireMapValue(int i, string what)
    {
        if (Reg(i + 1).Type != RegType.PtrToMapValue)
        {
            Reject(DiagCode.CallArgType, $"{ArgName(i)} doesn't point to {what}", i + 1);
        }
    }

    private void CheckKfuncCtx(int i, KfuncCallMeta meta)
    {
        ref readonly var reg = ref Reg(i + 1);
        if (reg.Type != RegType.PtrToCtx)
        {
            Reject(DiagCode.CallArgType,
                $"{ArgName(i)} expected pointer to ctx, but got {RegTypeName(reg.Type)}", i + 1);
        }

        if (meta.Fn.Special == SpecialKfunc.CastToKernCtx)
        {
            if (KernelCtxName(Prog.Type) is not { } name)
            {
                Reject(DiagCode.CallArgType, $"kern ctx type {KernelCtxId()} is not a struct", i + 1);
                return;
            }

            meta.RetBtfId = RequireKernelStruct(name);
        }
    }

    /// <summary>
    /// What a fault calls the kernel's context: its type id, or the program type where BTF does not say it.
    /// </summary>
    /// <remarks>Kernel: <c>get_kern_ctx_btf_id</c> (kernel/bpf/btf.c, 6.12).</remarks>
    private string KernelCtxId()
    {
        var type = KernelNames.Of(Prog.Type);
        var wanted = $"BPF_PROG_TYPE_{type.ToUpperInvariant()}_kern";
        var all = Vmlinux[Vmlinux.FindId("bpf_ctx_convert", BtfKind.Struct)];
        for (var i = 0; all.IsComposite && i < all.VLen; i++)
        {
            if (all.Member(i) is var member && member.Name == wanted)
            {
                return $"id {member.TypeId}";
            }
        }

        return $"of {type}";
    }

    /// <summary>The struct behind the context that programs see; null where it is words or a pointer.</summary>
    /// <remarks>Kernel: <c>include/linux/bpf_types.h</c>, 6.12.</remarks>
    private static string? KernelCtxName(ProgType type) => type switch
    {
        ProgType.SocketFilter or ProgType.SchedCls or ProgType.SchedAct or ProgType.CgroupSkb or ProgType.LwtIn
            or ProgType.LwtOut or ProgType.LwtXmit or ProgType.LwtSeg6Local or ProgType.SkSkb => "sk_buff",
        ProgType.FlowDissector => "bpf_flow_dissector",
        ProgType.Xdp => "xdp_buff",
        ProgType.CgroupSock => "sock",
        ProgType.CgroupSockAddr => "bpf_sock_addr_kern",
        ProgType.SockOps => "bpf_sock_ops_kern",
        ProgType.SkMsg => "sk_msg",
        ProgType.Kprobe => "pt_regs",
        ProgType.PerfEvent => "bpf_perf_event_data_kern",
        ProgType.CgroupDevice => "bpf_cgroup_dev_ctx",
        ProgType.CgroupSysctl => "bpf_sysctl_kern",
        ProgType.CgroupSockopt => "bpf_sockopt_kern",
        ProgType.SkReuseport => "sk_reuseport_kern",
        ProgType.SkLookup => "bpf_sk_lookup_kern",
        ProgType.Netfilter => "bpf_nf_ctx",
        _ => null,
    };

    private void CheckKfuncLocalObject(int i, KfuncCallMeta meta)
    {
        ref readonly var reg = ref Reg(i + 1);
        var (expected, name) = reg.Type switch
        {
            LocalObject => (SpecialKfunc.ObjDrop, "bpf_obj_drop_impl"),
            LocalObject | RegType.MemPercpu => (SpecialKfunc.PercpuObjDrop, "bpf_percpu_obj_drop_impl"),
            _ => (SpecialKfunc.None, ""),
        };
        if (expected == SpecialKfunc.None)
        {
            Reject(DiagCode.CallArgType, $"{ArgName(i)} expected pointer to allocated object", i + 1);
        }

        if (meta.Fn.Special != expected)
        {
            name = Kernel.Profile.HidesKfuncArgs ? name.Replace("_impl", "", StringComparison.Ordinal) : name;
            Reject(DiagCode.CallArgType, $"{ArgName(i)} expected for {name}()", i + 1);
        }

        RequireOwned(i + 1, reg);
        meta.ArgBtf = reg.Btf;
        meta.ArgBtfId = reg.BtfId;
    }

    private void RequireOwned(int regno, in RegState reg)
    {
        if (reg.RefObjId == 0)
        {
            Reject(DiagCode.ReleaseUnowned, "allocated object must be referenced", regno);
        }
    }

    private void CheckKfuncDynptr(int regno, in KfuncParam param, KfuncCallMeta meta)
    {
        var flags = Reg(regno).Type == RegType.ConstPtrToDynptr ? RegType.MemRdOnly : 0;
        var uninit = param.Has(KfuncParamTag.Uninit);
        flags |= uninit ? RegType.MemUninit : 0;
        var parent = 0;
        switch (meta.Fn.Special)
        {
            case SpecialKfunc.DynptrFromSkb:
                flags |= RegType.DynptrSkb;
                parent = Kernel.Profile.DynptrsFollowReferences ? meta.RefObjId : 0;
                break;
            case SpecialKfunc.DynptrFromSkbMeta:
                flags |= RegType.DynptrSkbMeta;
                break;
            case SpecialKfunc.DynptrFromXdp:
                flags |= RegType.DynptrXdp;
                break;
            case SpecialKfunc.DynptrClone when uninit:
                flags |= FlagOf(meta.DynptrKind);
                parent = meta.DynptrRefObjId;
                break;
            default:
                break;
        }

        ProcessDynptr(regno, flags, parent);
        if (!uninit)
        {
            ref readonly var dynptr = ref DynptrSlotOf(regno);
            meta.DynptrId = dynptr.Id;
            meta.DynptrKind = dynptr.DynptrKind;
            meta.DynptrRefObjId = dynptr.RefObjId;
        }
    }

    private void CheckKfuncBtfId(KfuncArg kind, int i, in KfuncParam param, KfuncCallMeta meta)
    {
        ref readonly var reg = ref Reg(i + 1);
        var unsafeFlags = (reg.Type.Flags() & ~RegType.TrustedModifiers) != 0;
        if ((reg.Type.Base() != RegType.PtrToBtfId || (unsafeFlags && !reg.Type.IsRcu())) && !IsBtfLike(reg.Type))
        {
            var expected = reg.Type.Base() | (reg.Type.Flags() & RegType.TrustedModifiers);
            Reject(DiagCode.CallArgType,
                $"{ArgName(i)} is {RegTypeName(reg.Type)} expected {RegTypeName(expected)} or socket", i + 1);
        }

        var need = kind == KfuncArg.Map ? Vmlinux[RequireKernelStruct("bpf_map")] : param.Pointee;
        CheckKfuncBtfType(i, need, meta);
    }

    /// <summary>Kernel: <c>process_kf_arg_ptr_to_btf_id</c>.</summary>
    private void CheckKfuncBtfType(int i, BtfType need, KfuncCallMeta meta)
    {
        ref readonly var reg = ref Reg(i + 1);
        var isTyped = reg.Type.Base() == RegType.PtrToBtfId;
        var btf = isTyped ? reg.Btf! : Vmlinux;
        var type = btf.SkipModifiers(isTyped ? reg.BtfId : RequireKernelStruct(BtfLikeName(reg.Type)));
        var strict = (meta.Fn.Has(KfuncFlags.Release) && reg.RefObjId != 0) || (Kernel.Profile.SortsKfuncArgs
            ? AreNoCastAliases(type.Name, need.Name) : meta.Fn.Has(KfuncFlags.TrustedArgs));
        if (!(Kernel.Profile.SortsKfuncArgs && ProgCtxNames.IsProjection(need.Name, type.Name))
            && !BtfStructWalk.IdsMatch(
                this, btf, type.Id, reg.Off, need.Btf, need.Id, strict, !reg.Type.Has(RegType.MemAlloc)))
        {
            Reject(DiagCode.CallArgType,
                $"kernel function {meta.Fn.Name} {ArgName(i, "args#")} expected pointer to "
                    + $"{BtfWords.KindName(need)} {need.Name} but R{i + 1} has a pointer to "
                    + $"{BtfWords.KindName(type)} {type.Name}",
                i + 1);
        }
    }

    /// <summary>
    /// Whether one name is the other with <c>___init</c>: types that must not be taken for each other.
    /// </summary>
    private static bool AreNoCastAliases(string a, string b)
    {
        const string suffix = "___init";
        return a == b + suffix || b == a + suffix;
    }

    private void CheckKfuncMem(int i, in KfuncParam param)
    {
        var size = param.Pointee.Btf.ResolveSize(param.Pointee.Id);
        if (size < 0)
        {
            Reject(DiagCode.CallArgType,
                $"{ArgName(i)} reference type('{BtfWords.KindName(param.Pointee)} {param.Pointee.Name}') size cannot "
                    + "be determined: -22",
                i + 1);
        }

        CheckMemReg(i + 1, size);
    }

    private void CheckKfuncMemSize(int i, in KfuncParam param, KfuncCallMeta meta)
    {
        if (!Reg(i + 1).IsNull || !param.Has(KfuncParamTag.Optional | KfuncParamTag.Nullable))
        {
            CheckKfuncMemPair(i);
        }

        if (meta.Fn.Params[i + 1].Has(KfuncParamTag.ConstMemSize))
        {
            TakeConstant(i + 2, i + 2, meta);
        }
    }

    private void CheckKfuncMemPair(int i)
    {
        try
        {
            CheckKfuncMemSizeReg(i + 2);
        }
        catch (RejectException reject) when ((int)reject.Diagnostic.Code < FirstUnsupportedCode)
        {
            Log.Line(reject.Message);
            Reject(reject.Diagnostic.Code,
                $"{ArgPair(i)} memory, len pair leads to invalid memory access", i + 1, reject.Errno);
        }
    }

    private void CheckRefcounted(int i, KfuncCallMeta meta)
    {
        ref readonly var reg = ref Reg(i + 1);
        if (Kernel.Profile.ChecksRefcountOffset)
        {
            CheckPtrOffReg(reg, i + 1, fixedOffOk: false);
        }

        if (!reg.Type.IsAllocObj())
        {
            Reject(DiagCode.CallArgType, $"{ArgName(i)} is neither owning or non-owning ref", i + 1);
        }

        meta.ArgOwningRef |= !reg.Type.IsNonOwningRef() && reg.RefObjId != 0;
        if (!RecordOf(reg).Has(BtfFieldKind.Refcount))
        {
            Reject(DiagCode.CallArgType, $"{ArgName(i)} doesn't point to a type with bpf_refcount field", i + 1);
        }

        meta.ArgBtf = reg.Btf;
        meta.ArgBtfId = reg.BtfId;
    }

    private void ProcessWorkqueue(int regno, KfuncCallMeta meta)
    {
        ref readonly var reg = ref Reg(regno);
        var at = (long)reg.Var.ConstValue + reg.Off;
        var wq = FieldOfKind(reg.Map!.Record, BtfFieldKind.Workqueue);
        if (wq is null || !reg.Var.IsConst || wq.OffsetBytes != at)
        {
            Reject(DiagCode.CallArgInvalid,
                $"off {at} doesn't point to 'struct bpf_wq' that is at {wq?.OffsetBytes ?? -2}", regno);
        }

        meta.Map = reg.Map;
        meta.MapUid = reg.MapUid;
    }
}
