using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Specs;
using Kptr.Verifier.Callees;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>
/// Arguments of kfuncs where kernels hold them against the prototype alone (<c>btf_check_func_arg_match</c>, 6.1).
/// </content>
internal sealed partial class VerifierRun
{
    private void CheckPlainKfuncArgs(KfuncCallMeta meta)
    {
        var fn = meta.Fn;
        if (fn.Params.Length > Limits.MaxFuncRegArgs)
        {
            Reject(DiagCode.CallArgInvalid,
                $"Function {fn.Name} has {fn.Params.Length} > {Limits.MaxFuncRegArgs} args");
        }

        for (var i = 0; i < fn.Params.Length; i++)
        {
            if (fn.Params[i].IsScalar)
            {
                CheckPlainScalar(i + 1, fn.Params[i], meta);
            }
            else if (CheckPlainPointer(i, fn.Params[i], meta))
            {
                i++;
            }
        }

        if (fn.Has(KfuncFlags.Release) && meta.RefObjId == 0)
        {
            Reject(DiagCode.ReleaseUnowned, $"release kernel function {fn.Name} expects refcounted PTR_TO_BTF_ID");
        }

        if (fn.Has(KfuncFlags.Sleepable) && !Prog.IsSleepable)
        {
            Reject(DiagCode.SleepNotAllowed, $"kernel function {fn.Name} is sleepable but the program is not");
        }
    }

    private void CheckPlainScalar(int regno, in KfuncParam param, KfuncCallMeta meta)
    {
        if (param.Has(KfuncParamTag.RdonlyBufSize | KfuncParamTag.RdwrBufSize) && Reg(regno).Type == RegType.Scalar)
        {
            meta.R0ReadOnly |= param.Has(KfuncParamTag.RdonlyBufSize);
            TakeBufSize(regno, meta);
        }

        if (Reg(regno).Type != RegType.Scalar)
        {
            Reject(DiagCode.CallArgType, $"R{regno} is not a scalar", regno);
        }
    }

    /// <returns>Whether the size after it was looked at as well.</returns>
    private bool CheckPlainPointer(int i, in KfuncParam param, KfuncCallMeta meta)
    {
        var (fn, regno) = (meta.Fn, i + 1);
        ref readonly var reg = ref Reg(regno);
        if (param.Type.Kind != BtfKind.Ptr)
        {
            Reject(DiagCode.CallArgType, $"Unrecognized arg#{i} type {BtfWords.KindName(param.Type)}", regno);
        }

        var isObject = reg.Type is RegType.PtrToCtx or RegType.PtrToBtfId || IsBtfLike(reg.Type);
        var trusted = fn.Has(KfuncFlags.TrustedArgs);
        if (trusted && isObject && reg.Type != RegType.PtrToCtx && reg.RefObjId == 0)
        {
            Reject(DiagCode.UntrustedArg, $"R{regno} must be referenced", regno);
        }

        var release = fn.Has(KfuncFlags.Release) && reg.RefObjId != 0;
        CheckFuncArgRegOff(reg, regno, isDynptrArg: false, isRelease: (trusted && isObject) || release);
        NotePlainRef(regno, reg, meta);
        if (i == 0 && fn.Has(KfuncFlags.KptrGet))
        {
            CheckKptrGetArg(param, meta);
        }
        else if (IsProgCtxPointer(param.Type))
        {
            if (reg.Type != RegType.PtrToCtx)
            {
                Reject(DiagCode.CallArgType,
                    $"arg#{i} expected pointer to ctx, but got {BtfWords.KindName(param.Type)}", regno);
            }
        }
        else if (reg.Type == RegType.PtrToBtfId || (IsBtfLike(reg.Type) && reg.Type.Flags() == 0))
        {
            if (param.Pointee.Kind is not (BtfKind.Struct or BtfKind.Union))
            {
                RejectPointee(i, param.Pointee, fn);
            }

            CheckKfuncBtfType(i, param.Pointee, meta);
        }
        else
        {
            return CheckPlainMemory(i, param, meta);
        }

        return false;
    }

    // Only one argument may have a reference, be it released or not.
    private void NotePlainRef(int regno, in RegState reg, KfuncCallMeta meta)
    {
        if (reg.RefObjId == 0)
        {
            return;
        }

        if (meta.RefObjId != 0)
        {
            Reject(DiagCode.CallArgInvalid,
                $"verifier internal error: more than one arg with ref_obj_id R{regno} {reg.RefObjId} {meta.RefObjId}",
                regno, Errno.EFAULT);
        }

        meta.RefObjId = reg.RefObjId;
        meta.ReleaseRegno = meta.Fn.Has(KfuncFlags.Release) ? regno : 0;
    }

    private void RejectPointee(int i, BtfType pointee, KfuncInfo fn) => Reject(DiagCode.CallArgType,
        $"kernel function {fn.Name} {ArgName(i, "args#")} pointer type {BtfWords.KindName(pointee)} {pointee.Name} "
            + "is not supported", i + 1);

    /// <summary>A kfunc that takes the address of a slot and gives a reference on what is in it.</summary>
    private void CheckKptrGetArg(in KfuncParam param, KfuncCallMeta meta)
    {
        ref readonly var reg = ref Reg(1);
        if (reg.Type != RegType.PtrToMapValue)
        {
            Reject(DiagCode.CallArgType, "arg#0 expected pointer to map value", 1);
        }

        if (!reg.Var.IsConst)
        {
            Reject(DiagCode.KptrAccessInvalid, "arg#0 must have constant offset", 1);
        }

        var off = (ulong)reg.Off + reg.Var.ConstValue;
        var field = FieldStartingAt(reg.Map!.Record, (int)off, BtfFieldKind.KptrRef);
        if (field is null)
        {
            Reject(DiagCode.KptrAccessInvalid, $"arg#0 no referenced kptr at map value offset={off}", 1);
        }

        if (param.Pointee.Kind != BtfKind.Ptr)
        {
            Reject(DiagCode.CallArgType, "arg#0 BTF type must be a double pointer", 1);
        }

        var type = param.Pointee.Btf.SkipModifiers(param.Pointee.RefTypeId);
        if (!type.IsComposite)
        {
            RejectPointee(0, type, meta.Fn);
        }

        if (!BtfStructWalk.SameType(type.Btf, type.Id, PointeeBtf(field!), PointeeId(field!)))
        {
            Reject(DiagCode.KptrTypeMismatch,
                $"kernel function {meta.Fn.Name} args#0 expected pointer to {BtfWords.KindName(type)} {type.Name}", 1);
        }
    }

    private bool CheckPlainMemory(int i, in KfuncParam param, KfuncCallMeta meta)
    {
        var fn = meta.Fn;
        if (param.PointsTo("bpf_dynptr_kern"))
        {
            CheckPlainDynptr(i, param.Pointee);
            return false;
        }

        var kind = ClassifyMemory(i, param, fn);
        if (kind == KfuncArg.MemSize)
        {
            CheckKfuncMemPair(i);
            return true;
        }

        CheckKfuncMem(i, param);
        return false;
    }

    private void CheckPlainDynptr(int i, BtfType pointee)
    {
        var (regno, name) = (i + 1, $"arg#{i} pointer type {BtfWords.KindName(pointee)} {pointee.Name}");
        ref readonly var reg = ref Reg(regno);
        if (reg.Type != RegType.PtrToStack)
        {
            Reject(DiagCode.DynptrInvalid, $"{name} not to stack", regno);
        }

        if (!IsDynptrInitialized(reg))
        {
            Reject(DiagCode.DynptrInvalid, $"{name} must be valid and initialized", regno);
        }

        if (DynptrSlotOf(regno).DynptrKind != DynptrKind.Local)
        {
            Reject(DiagCode.DynptrInvalid, $"{name} points to unsupported dynamic pointer type", regno);
        }
    }
}
