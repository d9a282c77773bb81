using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Specs;
using Kptr.Verifier.Callees;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>Arguments of kfuncs.</content>
internal sealed partial class VerifierRun
{
    private enum KfuncArg
    {
        Ctx,
        AllocBtfId,
        RefcountedKptr,
        Dynptr,
        Iter,
        ListHead,
        ListNode,
        BtfId,
        Mem,
        MemSize,
        Callback,
        RbRoot,
        RbNode,
        Null,
        ConstStr,
        Map,
        Workqueue,
        Timer,
        IrqFlag,
        ResSpinLock,
        Kptr,
    }

    /// <summary>Kernel: <c>check_kfunc_args</c>.</summary>
    private void CheckKfuncArgs(KfuncCallMeta meta)
    {
        var fn = meta.Fn;
        if (fn.Params.Length > Limits.MaxFuncRegArgs)
        {
            Reject(DiagCode.CallArgInvalid,
                $"Function {fn.Name} has {fn.Params.Length} > {Limits.MaxFuncRegArgs} args");
        }

        for (var i = 0; i < fn.Params.Length; i++)
        {
            ref readonly var param = ref fn.Params[i];
            if (param.Has(KfuncParamTag.Ignore) || (Kernel.Profile.HidesKfuncArgs && param.PointsTo("bpf_prog_aux")))
            {
                continue;
            }

            if (param.IsScalar)
            {
                CheckKfuncScalar(i + 1, param, meta);
            }
            else if (CheckKfuncPointer(i, param, meta) == KfuncArg.MemSize)
            {
                i++;
            }
        }

        if (fn.Has(KfuncFlags.Release) && meta.ReleaseRegno == 0)
        {
            Reject(DiagCode.ReleaseUnowned, $"release kernel function {fn.Name} expects refcounted PTR_TO_BTF_ID");
        }
    }

    private void CheckKfuncScalar(int regno, in KfuncParam param, KfuncCallMeta meta)
    {
        ref readonly var reg = ref Reg(regno);
        if (reg.Type != RegType.Scalar)
        {
            Reject(DiagCode.CallArgType, $"R{regno} is not a scalar", regno);
        }

        if (param.Has(KfuncParamTag.Constant))
        {
            TakeConstant(regno, regno, meta);
            MarkChainPrecision(regno);
        }
        else if (param.Has(KfuncParamTag.RdonlyBufSize | KfuncParamTag.RdwrBufSize))
        {
            meta.R0ReadOnly |= param.Has(KfuncParamTag.RdonlyBufSize);
            TakeBufSize(regno, meta);
        }
    }

    private void TakeConstant(int regno, int shownRegno, KfuncCallMeta meta)
    {
        ref readonly var reg = ref Reg(regno);
        if (meta.HasConstant)
        {
            Reject(DiagCode.CallArgInvalid, "verifier internal error: only one constant argument permitted",
                regno, Errno.EFAULT);
        }

        if (!reg.Var.IsConst)
        {
            Reject(DiagCode.CallArgInvalid, $"R{shownRegno} must be a known constant", regno);
        }

        meta.HasConstant = true;
        meta.Constant = reg.Var.ConstValue;
    }

    private void TakeBufSize(int regno, KfuncCallMeta meta)
    {
        ref readonly var reg = ref Reg(regno);
        if (meta.R0Size != 0)
        {
            Reject(DiagCode.CallArgInvalid, "2 or more rdonly/rdwr_buf_size parameters for kfunc", regno);
        }

        if (!reg.Var.IsConst)
        {
            Reject(DiagCode.CallArgInvalid, $"R{regno} is not a const", regno);
        }

        if (reg.Var.ConstValue > uint.MaxValue)
        {
            Reject(DiagCode.CallArgInvalid, $"R{regno} rdonly/rdwr_buf_size exceeds u32 max", regno);
        }

        meta.R0Size = (long)reg.Var.ConstValue;
        MarkChainPrecision(regno);
    }

    private KfuncArg CheckKfuncPointer(int i, in KfuncParam param, KfuncCallMeta meta)
    {
        var (fn, regno) = (meta.Fn, i + 1);
        ref readonly var reg = ref Reg(regno);
        if (param.Type.Kind != BtfKind.Ptr)
        {
            Reject(DiagCode.CallArgType, $"Unrecognized {ArgName(i)} type {BtfWords.KindName(param.Type)}", regno);
        }

        if ((fn.TrustedArgs || fn.Has(KfuncFlags.Rcu)) && (reg.IsNull || reg.Type.MayBeNull())
            && !param.Has(KfuncParamTag.Nullable))
        {
            Reject(DiagCode.NullDereference,
                $"Possibly NULL pointer passed to trusted {ArgName(i, "arg")}", regno, Errno.EACCES);
        }

        if (Kernel.Profile.NamesReleases && regno == 1 && fn.Has(KfuncFlags.Release) && !param.PointsTo("bpf_dynptr")
            && reg.RefObjId == 0 && !reg.IsNull)
        {
            Reject(DiagCode.ReleaseUnowned,
                $"release kfunc {fn.Name} expects referenced PTR_TO_BTF_ID passed to R{regno}", regno);
        }

        NoteKfuncRef(regno, reg, meta);
        var kind = ClassifyKfuncArg(i, param, meta);
        if (kind == KfuncArg.Null)
        {
            return kind;
        }

        CheckKfuncTrust(kind, regno, meta);
        CheckFuncArgRegOff(reg, regno, isDynptrArg: false, isRelease: fn.Has(KfuncFlags.Release) && reg.RefObjId != 0,
            isCtxArg: kind == KfuncArg.Ctx);
        CheckKfuncArgValue(kind, i, param, meta);
        return kind;
    }

    private void NoteKfuncRef(int regno, in RegState reg, KfuncCallMeta meta)
    {
        if (reg.RefObjId == 0)
        {
            return;
        }

        var release = meta.Fn.Has(KfuncFlags.Release);
        if (release && meta.RefObjId != 0)
        {
            Reject(DiagCode.CallArgInvalid,
                $"verifier internal error: more than one arg with ref_obj_id R{regno} {reg.RefObjId} {meta.RefObjId}",
                regno, Errno.EFAULT);
        }

        meta.RefObjId = reg.RefObjId;
        meta.ReleaseRegno = release ? regno : meta.ReleaseRegno;
    }

    /// <summary>Kernel: <c>get_kfunc_ptr_arg_type</c>.</summary>
    private KfuncArg ClassifyKfuncArg(int i, in KfuncParam param, KfuncCallMeta meta)
    {
        ref readonly var reg = ref Reg(i + 1);
        if (meta.Fn.Special == SpecialKfunc.CastToKernCtx || IsProgCtxPointer(param.Type)
            || (meta.Fn.Special is SpecialKfunc.SessionCookie or SpecialKfunc.SessionIsReturn && i == 0))
        {
            return KfuncArg.Ctx;
        }

        if (param.Has(KfuncParamTag.Nullable) && reg.IsNull
            && !(Kernel.Profile.SizedBuffersMayBeNull && IsSized(i, meta.Fn)))
        {
            return KfuncArg.Null;
        }

        if (KindByName(i, param, meta.Fn) is { } named)
        {
            return named;
        }

        if (reg.Type.Base() == RegType.PtrToBtfId || IsBtfLike(reg.Type))
        {
            if (param.Pointee.Kind is not (BtfKind.Struct or BtfKind.Union))
            {
                RejectPointee(i, param.Pointee, meta.Fn);
            }

            return KfuncArg.BtfId;
        }

        return param.Pointee.Kind == BtfKind.FuncProto ? KfuncArg.Callback : ClassifyMemory(i, param, meta.Fn);
    }

    private static KfuncArg? KindByName(int i, in KfuncParam param, KfuncInfo fn)
    {
        if (i == 0 && fn.Has(KfuncFlags.KptrGet))
        {
            return KfuncArg.Kptr;
        }

        if (param.Has(KfuncParamTag.Alloc))
        {
            return KfuncArg.AllocBtfId;
        }

        if (param.Has(KfuncParamTag.RefcountedKptr))
        {
            return KfuncArg.RefcountedKptr;
        }

        if (param.PointsTo("bpf_dynptr"))
        {
            return KfuncArg.Dynptr;
        }

        if (fn.IsIter ? i == 0 : param.Has(KfuncParamTag.Iter))
        {
            return KfuncArg.Iter;
        }

        return param.PointsTo("bpf_list_head") ? KfuncArg.ListHead
            : param.PointsTo("bpf_list_node") ? KfuncArg.ListNode
            : param.PointsTo("bpf_rb_root") ? KfuncArg.RbRoot
            : param.PointsTo("bpf_rb_node") ? KfuncArg.RbNode
            : param.Has(KfuncParamTag.ConstStr) ? KfuncArg.ConstStr
            : param.Has(KfuncParamTag.Map) ? KfuncArg.Map
            : param.PointsTo("bpf_wq") ? KfuncArg.Workqueue
            : param.PointsTo("bpf_timer") ? KfuncArg.Timer
            : param.Has(KfuncParamTag.IrqFlag) ? KfuncArg.IrqFlag
            : param.PointsTo("bpf_res_spin_lock") ? KfuncArg.ResSpinLock
            : null;
    }

    private bool IsSized(int i, KfuncInfo fn) =>
        i + 1 < fn.Params.Length && fn.Params[i + 1].IsScalar && Reg(i + 2).Type == RegType.Scalar
        && fn.Params[i + 1].Has(KfuncParamTag.MemSize | KfuncParamTag.ConstMemSize);

    private KfuncArg ClassifyMemory(int i, in KfuncParam param, KfuncInfo fn)
    {
        var sized = IsSized(i, fn);
        var isScalar = param.Pointee.Kind is BtfKind.Int or BtfKind.Enum or BtfKind.Enum64;
        if (!isScalar && !IsScalarStruct(param.Pointee, 0) && !(sized && param.Pointee.Kind == BtfKind.Void))
        {
            Reject(DiagCode.CallArgType,
                $"{ArgName(i)} pointer type {BtfWords.KindName(param.Pointee)} {param.Pointee.Name} must point to "
                    + $"{(sized ? "void, " : "")}scalar, or struct with scalar",
                i + 1);
        }

        return sized ? KfuncArg.MemSize : KfuncArg.Mem;
    }

    /// <summary>
    /// Whether a struct holds numbers only, nested at most four deep (<c>__btf_type_is_scalar_struct</c>).
    /// </summary>
    internal static bool IsScalarStruct(BtfType type, int depth)
    {
        const int depthMax = 3;
        if (type.Kind is not (BtfKind.Struct or BtfKind.Union))
        {
            return false;
        }

        for (var i = 0; i < type.VLen; i++)
        {
            var member = type.Btf.SkipModifiers(type.Member(i).TypeId);
            if (member.IsComposite)
            {
                if (depth >= depthMax || !IsScalarStruct(member, depth + 1))
                {
                    return false;
                }

                continue;
            }

            if (member.Kind == BtfKind.Array)
            {
                if (member.Array.Count == 0)
                {
                    return false;
                }

                member = type.Btf.SkipModifiers(member.Array.ElemTypeId);
            }

            if (member.Kind is not (BtfKind.Int or BtfKind.Enum or BtfKind.Enum64))
            {
                return false;
            }
        }

        return true;
    }

    private void CheckKfuncTrust(KfuncArg kind, int regno, KfuncCallMeta meta)
    {
        ref readonly var reg = ref Reg(regno);
        if (kind == KfuncArg.Map)
        {
            TakeKfuncMap(regno, reg, meta);
        }

        if (kind is not (KfuncArg.Map or KfuncArg.AllocBtfId or KfuncArg.BtfId)
            || !(meta.Fn.TrustedArgs || meta.Fn.Has(KfuncFlags.Rcu)) || reg.IsTrusted)
        {
            return;
        }

        if (!meta.Fn.Has(KfuncFlags.Rcu))
        {
            Reject(DiagCode.UntrustedArg, $"R{regno} must be referenced or trusted", regno);
        }

        if (!reg.Type.IsRcu())
        {
            Reject(DiagCode.UntrustedArg, $"R{regno} must be a rcu pointer", regno);
        }
    }

    private void TakeKfuncMap(int regno, in RegState reg, KfuncCallMeta meta)
    {
        // A typed pointer passes here, as in Linux, and is held against struct bpf_map below.
        if (reg.Target is null)
        {
            Reject(DiagCode.CallArgType, $"pointer in R{regno} isn't map pointer", regno);
        }

        if (meta.Map is not null && reg.Target is MapSpec map)
        {
            CheckMapOfWorkqueue(regno, map, reg.MapUid, meta);
        }

        meta.Map = reg.Target as MapSpec;
        meta.MapUid = reg.MapUid;
    }

    // Linux compares the maps only where the second has a work queue too, and stops where it has no special fields:
    // there is no record to ask (check_kfunc_args, kernel/bpf/verifier.c, 6.12 and 7.2).
    private void CheckMapOfWorkqueue(int regno, MapSpec map, int mapUid, KfuncCallMeta meta)
    {
        if (map.Record.Fields.Length == 0)
        {
            Reject(DiagCode.MapIncompatible, $"map '{map.Name}' has no special fields", regno);
        }

        if (ReferenceEquals(meta.Map, map) && meta.MapUid == mapUid)
        {
            return;
        }

        if (map.Record.Has(BtfFieldKind.Workqueue))
        {
            Reject(DiagCode.MapIncompatible,
                $"workqueue pointer in R1 map_uid={meta.MapUid} doesn't match map pointer in R2 map_uid={mapUid}",
                regno);
        }

        Doubt(DiagCode.StrictWorkqueueMap, $"R{regno} is map '{map.Name}', which has no work queue");
    }

    /// <summary>Registers that stand for a kernel struct without naming it (<c>reg2btf_ids</c>).</summary>
    private static bool IsBtfLike(RegType type) => type.Base()
        is RegType.PtrToSocket or RegType.PtrToSockCommon or RegType.PtrToTcpSock or RegType.ConstPtrToMap;

    private static string BtfLikeName(RegType type) => type.Base() switch
    {
        RegType.PtrToSocket => "sock",
        RegType.PtrToSockCommon => "sock_common",
        RegType.PtrToTcpSock => "tcp_sock",
        _ => "bpf_map",
    };
}
