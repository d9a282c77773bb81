using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Specs;
using Kptr.Verifier.Callees;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>What kfuncs return.</content>
internal sealed partial class VerifierRun
{
    private const int PercpuObjectBytesMax = 512;

    private void SetKfuncReturn(KfuncCallMeta meta)
    {
        var fn = meta.Fn;
        var ret = fn.Ret;
        if (fn.Has(KfuncFlags.Acquire) && !ReturnsStructPtr(fn)
            && fn.Special is not (SpecialKfunc.ObjNew or SpecialKfunc.PercpuObjNew or SpecialKfunc.RefcountAcquire))
        {
            Reject(DiagCode.CallArgType, "acquire kernel function does not return PTR_TO_BTF_ID");
        }

        if (ret.Kind is BtfKind.Int or BtfKind.Enum or BtfKind.Enum64)
        {
            if (fn.IsLock)
            {
                MarkConstZero(ref Reg(0));
            }
            else
            {
                Reg(0).MarkUnknown(AlwaysPrecise);
            }

            Cur.Cur.Live.WriteReg(0);
        }
        else if (ret.Kind == BtfKind.Ptr)
        {
            SetKfuncPointer(meta);
        }
        else if (fn.Special is SpecialKfunc.ObjDrop or SpecialKfunc.PercpuObjDrop)
        {
            Aux[InsnIdx].StructMeta = RecordOfType(meta.ArgBtf!, meta.ArgBtfId);
        }
    }

    private static bool ReturnsStructPtr(KfuncInfo fn) =>
        fn.Ret.Kind == BtfKind.Ptr && fn.Func.Btf.SkipModifiers(fn.Ret.RefTypeId).IsComposite;

    private void SetKfuncPointer(KfuncCallMeta meta)
    {
        var fn = meta.Fn;
        ref var r0 = ref Reg(0);
        var pointee = fn.Func.Btf.SkipModifiers(fn.Ret.RefTypeId);
        if (!TrySetSpecialReturn(ref r0, meta))
        {
            SetPlainReturn(ref r0, pointee, meta);
        }

        if (meta.MayReturnNull)
        {
            r0.Type |= RegType.MaybeNull;
            r0.Id = NewId();
        }

        Cur.Cur.Live.WriteReg(0);
        if (fn.Has(KfuncFlags.Acquire))
        {
            var id = AcquireRef(InsnIdx);
            r0.Id = meta.MayReturnNull ? id : r0.Id;
            r0.RefObjId = id;
        }
        else if (fn.IsPeek)
        {
            SetNonOwning(ref r0);
        }

        if (r0.Id == 0 && RecordOf(r0).Has(AnyLock))
        {
            r0.Id = NewId();
        }
    }

    private bool TrySetSpecialReturn(ref RegState r0, KfuncCallMeta meta)
    {
        switch (meta.Fn.Special)
        {
            case SpecialKfunc.ObjNew or SpecialKfunc.PercpuObjNew:
                SetNewObject(ref r0, meta);
                return true;
            case SpecialKfunc.RefcountAcquire:
                SetObject(ref r0, LocalObject, meta.ArgBtf!, meta.ArgBtfId);
                Aux[InsnIdx].StructMeta = RecordOfType(meta.ArgBtf!, meta.ArgBtfId);
                return true;
            case SpecialKfunc.ListPopFront or SpecialKfunc.ListPopBack or SpecialKfunc.ListDel or SpecialKfunc.ListPeek
                or SpecialKfunc.RbtreeRemove or SpecialKfunc.RbtreePeek:
                MarkGraphNode(ref r0, meta.Root!);
                return true;
            case SpecialKfunc.CastToKernCtx:
                SetObject(ref r0, RegType.PtrToBtfId | RegType.PtrTrusted, Vmlinux, meta.RetBtfId);
                return true;
            case SpecialKfunc.RdonlyCast:
                SetRdonlyCast(ref r0, meta);
                return true;
            case SpecialKfunc.DynptrSlice or SpecialKfunc.DynptrSliceRdwr:
                SetSlice(ref r0, meta);
                return true;
            default:
                return false;
        }
    }

    private static void SetObject(ref RegState r0, RegType type, BtfSpec btf, int btfId)
    {
        r0.MarkKnownZero(type);
        r0.Btf = btf;
        r0.BtfId = btfId;
    }

    private void SetNewObject(ref RegState r0, KfuncCallMeta meta)
    {
        if (meta.Constant > uint.MaxValue)
        {
            Reject(DiagCode.CallArgInvalid, "local type ID argument must be in range [0, U32_MAX]");
        }

        if (Prog.Btf is not { } btf)
        {
            Reject(DiagCode.CallArgInvalid, "bpf_obj_new/bpf_percpu_obj_new requires prog BTF");
            return;
        }

        if (meta.Constant >= (ulong)btf.TypeCount || btf[(int)meta.Constant].Kind is not BtfKind.Struct)
        {
            Reject(DiagCode.CallArgInvalid, "bpf_obj_new/bpf_percpu_obj_new type ID argument must be of a struct");
        }

        var type = btf[(int)meta.Constant];
        var isPercpu = meta.Fn.Special == SpecialKfunc.PercpuObjNew;
        if (isPercpu)
        {
            CheckPercpuObject(type);
        }

        SetObject(ref r0, LocalObject | (isPercpu ? RegType.MemPercpu : 0), btf, type.Id);
        Aux[InsnIdx].StructMeta = RecordOfType(btf, type.Id);
    }

    private void CheckPercpuObject(BtfType type)
    {
        if (type.SizeBytes > PercpuObjectBytesMax)
        {
            Reject(DiagCode.CallArgInvalid,
                $"bpf_percpu_obj_new type size ({type.SizeBytes}) is greater than {PercpuObjectBytesMax}");
        }

        if (!IsScalarStruct(type, 0))
        {
            Reject(DiagCode.CallArgInvalid, "bpf_percpu_obj_new type ID argument must be of a struct of scalars");
        }

        if (!RecordOfType(type.Btf, type.Id).Fields.IsEmpty)
        {
            Reject(DiagCode.CallArgInvalid, "bpf_percpu_obj_new type ID argument must not contain special fields");
        }
    }

    private void SetRdonlyCast(ref RegState r0, KfuncCallMeta meta)
    {
        var btf = meta.Fn.Func.Btf;
        var toVoid = Kernel.Profile.CastsToVoid;
        if (toVoid && meta.Constant == 0)
        {
            r0.MarkKnownZero(RegType.PtrToMem | RegType.MemRdOnly | RegType.PtrUntrusted);
            return;
        }

        if (meta.Constant >= (ulong)btf.TypeCount || !btf[(int)meta.Constant].IsComposite)
        {
            Reject(DiagCode.CallArgInvalid,
                $"kfunc bpf_rdonly_cast type ID argument must be of a struct{(toVoid ? " or void" : "")}");
        }

        SetObject(ref r0, RegType.PtrToBtfId | RegType.PtrUntrusted, btf, (int)meta.Constant);
    }

    private void SetSlice(ref RegState r0, KfuncCallMeta meta)
    {
        if (!meta.HasConstant)
        {
            Reject(DiagCode.CallArgInvalid,
                "verifier internal error: bpf_dynptr_slice(_rdwr) no constant size", errno: Errno.EFAULT);
        }

        r0.MarkKnownZero(RegType.PtrToMem | FlagOf(meta.DynptrKind));
        if (meta.Fn.Special == SpecialKfunc.DynptrSlice)
        {
            r0.Type |= RegType.MemRdOnly;
        }
        else if (!MayAccessDirectPktData(write: true, helperPktAccess: null))
        {
            Reject(DiagCode.PacketAccessInvalid, "the prog does not allow writes to packet data");
        }

        r0.MemSize = (int)meta.Constant;
        r0.DynptrId = meta.DynptrId;
    }

    private void SetPlainReturn(ref RegState r0, BtfType pointee, KfuncCallMeta meta)
    {
        if (pointee.Kind == BtfKind.Void && Kernel.Profile.SortsKfuncArgs)
        {
            r0.MarkUnknown(AlwaysPrecise);
        }
        else if (pointee.Kind != BtfKind.Struct)
        {
            SetMemoryReturn(ref r0, pointee, meta);
        }
        else
        {
            SetObject(ref r0, RegType.PtrToBtfId | TrustOfReturned(meta), meta.Fn.Func.Btf, pointee.Id);
        }
    }

    private RegType TrustOfReturned(KfuncCallMeta meta)
    {
        var fn = meta.Fn;
        var trustsAll = Kernel.Profile.TrustsReturnedObjects;
        if (trustsAll && fn.Special == SpecialKfunc.GetKmemCache)
        {
            return RegType.PtrUntrusted;
        }

        var isNext = fn.Has(KfuncFlags.IterNext);
        var isRcu = (trustsAll && fn.Has(KfuncFlags.RcuProtected)) || (isNext
            && Cur.Frames[meta.IterFrameno]!.Stack[meta.IterSpi].Spilled.Type.Has(RegType.MemRcu));
        return isRcu ? RegType.MemRcu : isNext || trustsAll ? RegType.PtrTrusted : RegType.NotInit;
    }

    private void SetMemoryReturn(ref RegState r0, BtfType pointee, KfuncCallMeta meta)
    {
        if (meta.R0Size == 0 && Kernel.Profile.SortsKfuncArgs
            && pointee.Btf.ResolveSize(pointee.Id) is > 0 and var size)
        {
            meta.R0Size = size;
            meta.R0ReadOnly = true;
        }

        if (meta.R0Size == 0)
        {
            Reject(DiagCode.CallArgType,
                $"kernel function {meta.Fn.Name} returns pointer type {BtfWords.KindName(pointee)} "
                    + $"{pointee.Name} is not supported");
        }

        r0.MarkKnownZero(RegType.PtrToMem | (meta.R0ReadOnly ? RegType.MemRdOnly : 0));
        r0.MemSize = (int)Math.Min(meta.R0Size, int.MaxValue);
        r0.RefObjId = meta.RefObjId;
        if (Kernel.Profile.TrustsReturnedObjects && meta.Fn.Has(KfuncFlags.RcuProtected))
        {
            r0.Type |= RegType.MemRcu;
        }
    }
}
