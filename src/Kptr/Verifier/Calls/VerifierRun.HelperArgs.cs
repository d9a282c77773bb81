using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Specs;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>Arguments of helpers.</content>
internal sealed partial class VerifierRun
{
    /// <summary>Kernel: <c>check_func_arg</c>.</summary>
    private void CheckHelperArg(int index, HelperCallMeta meta)
    {
        var arg = meta.Fn!.Arg(index);
        if (arg.Kind == ArgKind.None)
        {
            return;
        }

        if (!Kernel.Profile.StorageTakesNull && arg.Base == ArgKind.BtfId && meta.Id != HelperId.KptrXchg)
        {
            arg = arg with { Kind = arg.Kind & ~ArgKind.MaybeNull };
        }

        var regno = index + 1;
        CheckRegArg(regno, RegUse.Src);
        ref var reg = ref Reg(regno);
        if (arg.Kind == ArgKind.Anything)
        {
            if (IsPointerValue(regno))
            {
                Reject(DiagCode.PtrLeak, $"R{regno} leaks addr into helper function", regno, Errno.EACCES);
            }

            return;
        }

        if (reg.Type.IsPacket() && !MayAccessDirectPktData(write: false, meta.Fn.PktAccess))
        {
            Reject(DiagCode.PacketAccessInvalid, "helper access to the packet is not allowed", regno, Errno.EACCES);
        }

        if (arg.Base == ArgKind.MapValue)
        {
            arg = ResolveMapArg(arg, meta);
        }

        if (reg.IsNull && arg.Has(ArgKind.MaybeNull))
        {
            MarkChainPrecision(regno);
        }
        else
        {
            CheckHelperRegType(regno, arg, meta);
            CheckFuncArgRegOff(reg, regno, isDynptrArg: arg.Base == ArgKind.Dynptr,
                isRelease: arg.Has(ArgKind.Release), isCtxArg: arg.Base == ArgKind.Ctx);
        }

        NoteRelease(regno, arg, meta);
        CheckHelperArgValue(regno, index, arg, meta);
    }

    private HelperArg ResolveMapArg(HelperArg arg, HelperCallMeta meta)
    {
        switch (meta.Map?.Type)
        {
            case null:
                Reject(DiagCode.CallArgInvalid, "invalid map_ptr to access map->type", errno: Errno.EACCES);
                return arg;
            case BpfMapType.Sockmap or BpfMapType.Sockhash:
                if (arg.Kind != ArgKind.MapValue)
                {
                    Reject(DiagCode.MapIncompatible, "invalid arg_type for sockmap/sockhash");
                }

                return arg with { Kind = ArgKind.BtfIdSockCommon };
            case BpfMapType.BloomFilter when meta.Id == HelperId.MapPeekElem:
                return arg with { Kind = ArgKind.MapValue };
            default:
                return arg;
        }
    }

    private void NoteRelease(int regno, HelperArg arg, HelperCallMeta meta)
    {
        ref readonly var reg = ref Reg(regno);
        if (arg.Has(ArgKind.Release))
        {
            if (arg.Base == ArgKind.Dynptr)
            {
                CheckDynptrRelease(regno, reg);
            }
            else if (reg.RefObjId == 0 && !reg.IsNull)
            {
                Reject(DiagCode.ReleaseUnowned, Kernel.Profile.NamesReleases
                    ? $"release helper {meta.Fn!.Name} expects referenced PTR_TO_BTF_ID passed to R{regno}"
                    : $"R{regno} must be referenced when passed to release function", regno);
            }

            meta.ReleaseRegno = regno;
        }

        if (reg.RefObjId != 0 && arg.Base != ArgKind.KptrXchgDest)
        {
            if (meta.RefObjId != 0 && !Kernel.Profile.TakesSeveralReferences)
            {
                Reject(DiagCode.CallArgInvalid,
                    $"verifier internal error: more than one arg with ref_obj_id R{regno} "
                        + $"{reg.RefObjId} {meta.RefObjId}",
                    regno, Errno.EFAULT);
            }

            meta.RefObjId = reg.RefObjId;
        }
    }

    private void CheckDynptrRelease(int regno, in RegState reg)
    {
        if (reg.Type != RegType.PtrToStack && Kernel.Profile.TracksConstDynptrs)
        {
            Reject(DiagCode.DynptrInvalid, Kernel.Profile.NamesReleases
                ? "CONST_PTR_TO_DYNPTR cannot be released" : "cannot release unowned const bpf_dynptr", regno);
        }

        var spi = reg.Type == RegType.PtrToStack ? DynptrSpi(reg) : OutOfRange;
        if (spi < 0 || Cur.FrameOf(reg).Stack[spi].Spilled.RefObjId == 0)
        {
            Reject(DiagCode.DynptrInvalid, Kernel.Profile.NamesReleases
                ? $"Expected an initialized dynptr as R{regno}" : $"arg {regno} is an unacquired reference", regno);
        }
    }

    private void CheckHelperArgValue(int regno, int index, HelperArg arg, HelperCallMeta meta)
    {
        ref var reg = ref Reg(regno);
        switch (arg.Base)
        {
            case ArgKind.ConstMapPtr:
                TakeMapArg(reg, meta);
                break;
            case ArgKind.MapKey:
                CheckHelperMemAccess(
                    regno, RequireMap(meta, "key").KeySize, write: false, zeroSizeAllowed: false, null);
                meta.ConstKey = ConstKey(reg, meta.Map!);
                break;
            case ArgKind.MapValue:
                if (!arg.Has(ArgKind.MaybeNull) || !reg.IsNull)
                {
                    var size = RequireMap(meta, "value").ValueSize;
                    meta.Raw.RawMode = arg.Has(ArgKind.Uninit);
                    CheckHelperMemAccess(regno, size, arg.Has(ArgKind.Write), zeroSizeAllowed: false, meta.Raw);
                }

                break;
            case ArgKind.PercpuBtfId:
                meta.RetBtf = reg.Btf;
                meta.RetBtfId = reg.BtfId;
                break;
            case ArgKind.SpinLock:
                ProcessSpinLock(regno, meta.Id == HelperId.SpinLock, LockKind.Spin);
                break;
            case ArgKind.Timer:
                ProcessTimer(regno, meta);
                break;
            case ArgKind.Func:
                meta.Subprogno = reg.Subprogno;
                break;
            case ArgKind.Mem:
                CheckMemArg(regno, arg, meta);
                break;
            case ArgKind.ConstSize or ArgKind.ConstSizeOrZero:
                CheckMemSizeReg(regno, meta.Fn!.Arg(index - 1).Has(ArgKind.Write),
                    arg.Base == ArgKind.ConstSizeOrZero, meta.Raw);
                break;
            case ArgKind.Dynptr:
                ProcessDynptr(regno, (RegType)((uint)arg.Kind & ~(uint)ArgKind.BaseMask), parentRefObjId: 0);
                break;
            case ArgKind.ConstAllocSizeOrZero:
                if (!reg.Var.IsConst)
                {
                    Reject(DiagCode.CallArgInvalid, $"R{regno} is not a known constant'", regno, Errno.EACCES);
                }

                meta.MemSize = (int)reg.Var.ConstValue;
                MarkChainPrecision(regno);
                break;
            case ArgKind.ConstStr:
                CheckConstStr(regno);
                break;
            case ArgKind.KptrXchgDest:
                ProcessKptrDest(regno, meta);
                break;
            default:
                break;
        }
    }

    private MapSpec RequireMap(HelperCallMeta meta, string what)
    {
        if (meta.Map is null)
        {
            Reject(DiagCode.CallArgInvalid, $"invalid map_ptr to access map->{what}", errno: Errno.EACCES);
        }

        return meta.Map!;
    }

    // A timer was met before: the map must be the one, even the inner one, that the timer is in.
    private void TakeMapArg(in RegState reg, HelperCallMeta meta)
    {
        if (meta.Map is not null && (!ReferenceEquals(meta.Map, reg.Map) || meta.MapUid != reg.MapUid))
        {
            Reject(DiagCode.MapIncompatible,
                $"timer pointer in R1 map_uid={meta.MapUid} doesn't match map pointer in R2 map_uid={reg.MapUid}");
        }

        meta.Map = reg.Map;
        meta.MapUid = reg.MapUid;
    }

    private void CheckMemArg(int regno, HelperArg arg, HelperCallMeta meta)
    {
        meta.Raw.RawMode = arg.Has(ArgKind.Uninit);
        if (!arg.Has(ArgKind.FixedSize))
        {
            return;
        }

        CheckHelperMemAccess(regno, arg.SizeBytes, arg.Has(ArgKind.Write), zeroSizeAllowed: false, meta.Raw);
        if (arg.Has(ArgKind.Aligned))
        {
            CheckPtrAlignment(Reg(regno), 0, arg.SizeBytes, strictOnce: true);
        }
    }

    private void ProcessTimer(int regno, HelperCallMeta meta)
    {
        meta.Map = RequireTimer(regno);
        meta.MapUid = Reg(regno).MapUid;
    }

    /// <summary>Kernel: <c>process_timer_func</c>.</summary>
    /// <returns>The map with the timer.</returns>
    private MapSpec RequireTimer(int regno)
    {
        ref readonly var reg = ref Reg(regno);
        var map = reg.Map!;
        if (!reg.Var.IsConst)
        {
            Reject(DiagCode.CallArgInvalid,
                $"R{regno} doesn't have constant offset. bpf_timer has to be at the constant offset", regno);
        }

        RequireMapBtf(map, "bpf_timer", regno);
        var timer = FieldOfKind(map.Record, BtfFieldKind.Timer);
        if (timer is null)
        {
            Reject(DiagCode.CallArgInvalid, $"map '{map.Name}' has no valid bpf_timer", regno);
        }

        var at = (long)reg.Var.ConstValue + reg.Off;
        if (timer!.OffsetBytes != at)
        {
            Reject(DiagCode.CallArgInvalid,
                $"off {at} doesn't point to 'struct bpf_timer' that is at {timer.OffsetBytes}", regno);
        }

        return map;
    }

    private void RequireMapBtf(MapSpec map, string user, int regno)
    {
        if (map.Btf is null || map.ValueTypeId == 0)
        {
            Reject(DiagCode.CallArgInvalid, $"map '{map.Name}' has to have BTF in order to use {user}", regno);
        }
    }

    private static BtfField? FieldOfKind(BtfRecord record, BtfFieldKind kind)
    {
        foreach (var field in record.Fields)
        {
            if ((field.Kind & kind) != 0)
            {
                return field;
            }
        }

        return null;
    }

    /// <summary>Kernel: <c>process_kptr_func</c>.</summary>
    private void ProcessKptrDest(int regno, HelperCallMeta meta)
    {
        ref readonly var reg = ref Reg(regno);
        if (!reg.Type.IsAllocObj())
        {
            RequireMapBtf(reg.Map!, "bpf_kptr_xchg", regno);
            meta.Map = reg.Map;
        }

        if (!reg.Var.IsConst)
        {
            Reject(DiagCode.KptrAccessInvalid,
                $"R{regno} doesn't have constant offset. kptr has to be at the constant offset", regno);
        }

        var record = RecordOf(reg);
        if (!record.Has(BtfFieldKind.Kptr))
        {
            Reject(DiagCode.KptrAccessInvalid, $"R{regno} has no valid kptr", regno);
        }

        var off = reg.Off + (int)reg.Var.ConstValue;
        var field = FieldStartingAt(record, off, BtfFieldKind.Kptr);
        if (field is null)
        {
            Reject(DiagCode.KptrAccessInvalid, $"off={off} doesn't point to kptr", regno, Errno.EACCES);
        }

        if (field!.Kind is not (BtfFieldKind.KptrRef or BtfFieldKind.KptrPercpu))
        {
            Reject(DiagCode.KptrAccessInvalid, $"off={off} kptr isn't referenced kptr", regno, Errno.EACCES);
        }

        meta.Kptr = field;
    }
}
