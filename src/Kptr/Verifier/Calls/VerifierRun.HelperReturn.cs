using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Specs;
using Kptr.Verifier.Context;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>What a helper leaves in R0.</content>
internal sealed partial class VerifierRun
{
    private void SetHelperReturn(HelperCallMeta meta, bool perCpuObject)
    {
        var fn = meta.Fn!;
        ref var r0 = ref Reg(0);
        var flags = (RegType)((uint)fn.Ret & ~(uint)RetKind.BaseMask) & ~RegTypes.UntrackedBy(Kernel.Profile);
        switch (fn.Ret & RetKind.BaseMask)
        {
            case RetKind.Integer:
                r0.MarkUnknown(AlwaysPrecise);
                break;
            case RetKind.Void:
                r0.Type = RegType.NotInit;
                break;
            case RetKind.MapValue:
                if (meta.Id == HelperId.MapLookupElem && meta.ConstKey >= 0 && meta.ConstKey < meta.Map!.MaxEntries)
                {
                    flags &= ~RegType.MaybeNull;
                }

                r0.MarkKnownZero(RegType.PtrToMapValue | flags);
                r0.Map = meta.Map;
                r0.MapUid = meta.MapUid;
                if (!flags.MayBeNull() && meta.Map!.Record.Has(AnyLock))
                {
                    r0.Id = NewId();
                }

                break;
            case RetKind.Socket:
                r0.MarkKnownZero(RegType.PtrToSocket | flags);
                break;
            case RetKind.SockCommon:
                r0.MarkKnownZero(RegType.PtrToSockCommon | flags);
                break;
            case RetKind.TcpSock:
                r0.MarkKnownZero(RegType.PtrToTcpSock | flags);
                break;
            case RetKind.Mem:
                r0.MarkKnownZero(RegType.PtrToMem | flags);
                r0.MemSize = meta.MemSize;
                break;
            case RetKind.MemOrBtfId:
                SetPercpuReturn(ref r0, meta, flags, perCpuObject);
                break;
            default:
                SetBtfReturn(ref r0, meta, flags);
                break;
        }
    }

    private void SetPercpuReturn(ref RegState r0, HelperCallMeta meta, RegType flags, bool perCpuObject)
    {
        var type = meta.RetBtf!.SkipModifiers(meta.RetBtfId);
        if (!type.IsComposite)
        {
            var size = meta.RetBtf.ResolveSize(type.Id);
            if (size < 0)
            {
                Reject(DiagCode.CallArgType, $"unable to resolve the size of type '{type.Name}': -22");
            }

            r0.MarkKnownZero(RegType.PtrToMem | flags);
            r0.MemSize = size;
            return;
        }

        r0.MarkKnownZero(RegType.PtrToBtfId
            | (perCpuObject ? RegType.MemAlloc | RegType.MemRcu : flags & ~RegType.MemRdOnly));
        r0.Btf = meta.RetBtf;
        r0.BtfId = meta.RetBtfId;
    }

    private void SetBtfReturn(ref RegState r0, HelperCallMeta meta, RegType flags)
    {
        r0.MarkKnownZero(RegType.PtrToBtfId | flags);
        if (meta.Id == HelperId.KptrXchg)
        {
            var field = meta.Kptr!;
            if (field.IsLocalPointee)
            {
                r0.Type |= RegType.MemAlloc | (field.Kind == BtfFieldKind.KptrPercpu ? RegType.MemPercpu : 0);
            }

            r0.Btf = PointeeBtf(field);
            r0.BtfId = PointeeId(field);
            return;
        }

        r0.Btf = Vmlinux;
        r0.BtfId = RequireKernelStruct(meta.Fn!.RetBtf!);
    }

    private void FinishHelperReturn(HelperCallMeta meta)
    {
        ref var r0 = ref Reg(0);
        if (r0.Type.MayBeNull())
        {
            r0.Id = NewId();
        }

        if (meta.Id == HelperId.DynptrData)
        {
            r0.DynptrId = meta.DynptrId;
        }

        if (IsPtrCast(meta.Id) || meta.Id == HelperId.DynptrData)
        {
            r0.RefObjId = meta.RefObjId;
        }
        else if (IsAcquire(meta.Id, meta.Map))
        {
            r0.Id = r0.RefObjId = AcquireRef(InsnIdx);
        }

        if (Kernel.Profile.SplitsNullCasts && IsPtrCast(meta.Id) && Cur.Cur.TryFindRef(meta.RefObjId, out _))
        {
            PushNullCast();
            r0.Type &= ~RegType.MaybeNull;
            r0.Id = 0;
        }

        RefineReturn(ref r0, meta);
    }

    // A cast that fails gives null although the socket is not: that is a path of its own, for what is known of either
    // pointer is known of the other.
    private void PushNullCast()
    {
        var failed = PushStack(InsnIdx + 1, InsnIdx).Cur;
        failed.Regs[0].MarkKnownZero(RegType.Scalar);
        failed.Live.WriteReg(0);
    }

    private void RefineReturn(ref RegState r0, HelperCallMeta meta)
    {
        if (Options.ProvesAccesses)
        {
            return;
        }

        switch (meta.Id)
        {
            case HelperId.GetStack or HelperId.GetTaskStack or HelperId.ProbeReadStr or HelperId.ProbeReadKernelStr
                or HelperId.ProbeReadUserStr:
                Numbers.SetSigned(ref r0.Var, -ReturnRanges.MaxErrno, (long)meta.Raw.SizeMax);
                break;
            case HelperId.GetSmpProcessorId when Kernel.Profile.KnowsCpuNumbers:
                Numbers.SetSigned(ref r0.Var, 0, Kernel.CpuIds - 1);
                break;
            case HelperId.GetRetval when _returns.OfOthers() is { } range:
                Numbers.SetSigned(ref r0.Var, range.Min, range.Max);
                break;
            default:
                return;
        }

        SanitizeBounds(ref r0, "retval");
    }
}
