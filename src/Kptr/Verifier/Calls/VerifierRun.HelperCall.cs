using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Isa;
using Kptr.Specs;

namespace Kptr.Verifier;

/// <content>Calls of helpers: who may call what, and what a call does to the state.</content>
internal sealed partial class VerifierRun
{
    private const int HelperIdMax = (int)HelperId.CgrpStorageDelete;
    private readonly HelperCallMeta _helperMeta = new();
    private readonly HelperSpec?[] _helpers = new HelperSpec?[HelperIdMax + 1];
    private readonly bool[] _helperKnown = new bool[HelperIdMax + 1];

    /// <summary>Kernel: <c>check_helper_call</c>.</summary>
    private void CheckHelperCall(in BpfInsn insn)
    {
        var fn = RequireHelper(insn.Imm);
        var meta = _helperMeta;
        meta.Reset(fn);
        for (var i = 0; i < Limits.MaxFuncRegArgs; i++)
        {
            CheckHelperArg(i, meta);
        }

        RecordHelperMap(meta);
        for (var i = 0; i < meta.Raw.AccessSize; i++)
        {
            CheckMemAccess(meta.Raw.Regno, i, 1, write: true, valueRegno: -1);
        }

        ReleaseHelperArg(meta);
        var changesData = CheckHelperSpecial(meta) || ChangesPktData(meta.Id);
        var perCpuObject = Reg(1).Type.Has(RegType.MemRcu) && meta.Id is HelperId.PerCpuPtr or HelperId.ThisCpuPtr
            && Reg(1).Type.Has(RegType.MemRcu);
        Aux[InsnIdx].CallWithPercpuAllocPtr |= perCpuObject;
        ClearCallerSavedRegs(Cur.Cur);
        SetHelperReturn(meta, perCpuObject);
        FinishHelperReturn(meta);
        CheckMapFuncCompatibility(meta.Map, meta.Id);
        if (meta.Id == HelperId.GetFuncIp)
        {
            CheckGetFuncIp();
        }

        if (changesData)
        {
            ClearAllPktPointers();
        }
    }

    private HelperSpec RequireHelper(int id)
    {
        if (id is < 0 or > HelperIdMax)
        {
            Reject(DiagCode.HelperUnknown, $"invalid func {HelperTable.NameOf(id)}#{id}");
        }

        if (!_helperKnown[id])
        {
            _helpers[id] = id == 0 ? null : HelperAccess.Find(Prog, Types, (HelperId)id);
            _helperKnown[id] = true;
        }

        if (_helpers[id] is not { } fn)
        {
            Reject(DiagCode.HelperNotAllowed, $"program of this type cannot use helper {HelperTable.NameOf(id)}#{id}");
            return null!;
        }

        CheckHelperAllowedHere(fn);
        return fn;
    }

    private void CheckHelperAllowedHere(HelperSpec fn)
    {
        if (fn.GplOnly && !IsGplCompatible)
        {
            Reject(DiagCode.LicenseMissing, "cannot call GPL-restricted function from non-GPL compatible program");
        }

        if (!HelperAccess.IsAllowedAt(fn, Prog, Target?.Name))
        {
            Reject(DiagCode.HelperNotAllowed, "helper call is not allowed in probe");
        }

        if (!fn.MightSleep)
        {
            return;
        }

        if (!InSleepable)
        {
            Reject(DiagCode.SleepNotAllowed, "helper call might sleep in a non-sleepable prog");
        }

        if (Cur.ActiveRcuLock)
        {
            Reject(DiagCode.SleepNotAllowed, $"sleepable helper {fn.Name}#{(int)fn.Id} in rcu_read_lock region");
        }

        if (Cur.ActivePreemptLock != 0)
        {
            Reject(DiagCode.SleepNotAllowed, $"sleepable helper {fn.Name}#{(int)fn.Id} in non-preemptible region");
        }
    }

    /// <summary>Remembers which map a call works on, and refuses writes to maps that programs may only read.</summary>
    private void RecordHelperMap(HelperCallMeta meta)
    {
        if (meta.Id is not (HelperId.TailCall or HelperId.MapLookupElem or HelperId.MapUpdateElem or HelperId.MapDeleteElem
            or HelperId.MapPushElem or HelperId.MapPopElem or HelperId.MapPeekElem or HelperId.ForEachMapElem
            or HelperId.RedirectMap or HelperId.MapLookupPercpuElem))
        {
            return;
        }

        if ((meta.Map!.Flags & MapFlags.RdOnlyProg) != 0 && meta.Id is HelperId.MapDeleteElem or HelperId.MapUpdateElem
            or HelperId.MapPushElem or HelperId.MapPopElem && (meta.Map.Flags & MapFlags.RdOnlyProg) != 0)
        {
            Reject(DiagCode.ReadOnlyWrite, "write into map forbidden", errno: Errno.EACCES);
        }

        ref var aux = ref Aux[InsnIdx];
        aux.MapPoisoned |= aux.MapSeen && !ReferenceEquals(aux.Map, meta.Map);
        aux.MapSeen = true;
        aux.Map = meta.Map;
        if (meta.Id == HelperId.TailCall && Reg(3).IsConstScalar && Reg(3).Var.ConstValue < meta.Map.MaxEntries)
        {
            MarkChainPrecision(3);
        }
    }

    private void ReleaseHelperArg(HelperCallMeta meta)
    {
        if (meta.ReleaseRegno == 0)
        {
            return;
        }

        bool released;
        if (meta.Fn!.Arg(meta.ReleaseRegno - 1).Base == ArgKind.Dynptr)
        {
            UnmarkStackSlotsDynptr(meta.ReleaseRegno);
            released = true;
        }
        else if (meta.Id == HelperId.KptrXchg && meta.RefObjId != 0)
        {
            released = ReleaseXchgSource(meta.RefObjId);
        }
        else
        {
            released = meta.RefObjId != 0 ? ReleaseReference(meta.RefObjId) : Reg(meta.ReleaseRegno).IsNull;
        }

        if (!released)
        {
            Reject(DiagCode.ReleaseUnowned,
                $"func {meta.Fn.Name}#{(int)meta.Id} reference has not been acquired before", meta.ReleaseRegno);
        }
    }

    // In an RCU section a per-CPU object that went into a map may still be read.
    private bool ReleaseXchgSource(int refObjId)
    {
        if (!InRcuCs)
        {
            return ReleaseReference(refObjId);
        }

        ForEachReg((ref RegState reg) =>
        {
            if (reg.RefObjId == refObjId && reg.Type.Has(RegType.MemAlloc) && reg.Type.Has(RegType.MemPercpu))
            {
                reg.RefObjId = 0;
                reg.Type = (reg.Type & ~RegType.MemAlloc) | RegType.MemRcu;
            }
        });
        return ReleaseReference(refObjId);
    }

    /// <summary>What single helpers ask for besides their prototype, and the callbacks they run.</summary>
    /// <returns>Whether the call may move packet data though helpers of its name do not always.</returns>
    private bool CheckHelperSpecial(HelperCallMeta meta)
    {
        switch (meta.Id)
        {
            case HelperId.TailCall:
                CheckTailCall();
                break;
            case HelperId.GetLocalStorage:
                if (!Reg(2).IsNull)
                {
                    Reject(DiagCode.CallArgInvalid, "get_local_storage() doesn't support non-zero flags", 2);
                }

                MarkChainPrecision(2);
                break;
            case HelperId.ForEachMapElem:
                PushCallback(meta.Subprogno, CallbackKind.MapElem);
                break;
            case HelperId.TimerSetCallback:
                PushCallback(meta.Subprogno, CallbackKind.Timer);
                break;
            case HelperId.FindVma:
                PushCallback(meta.Subprogno, CallbackKind.FindVma);
                break;
            case HelperId.UserRingbufDrain:
                PushCallback(meta.Subprogno, CallbackKind.UserRingbuf);
                break;
            case HelperId.Loop:
                CheckLoopCall(meta);
                break;
            case HelperId.Snprintf:
                CheckSnprintf();
                break;
            case HelperId.DynptrFromMem when Reg(1).Type != RegType.PtrToMapValue:
                Reject(DiagCode.CallArgType,
                    $"Unsupported reg type {RegTypeName(Reg(1).Type)} for bpf_dynptr_from_mem data", 1, Errno.EACCES);
                break;
            case HelperId.SetRetval when Prog.Type == ProgType.Lsm && Prog.ExpectedAttachType == AttachType.LsmCgroup
                && Target!.ReturnsVoid:
                Reject(DiagCode.HelperNotAllowed, "BPF_LSM_CGROUP that attach to void LSM hooks can't modify return value!");
                break;
            case HelperId.DynptrData:
                meta.DynptrId = DynptrSlotOf(1).Id;
                meta.RefObjId = DynptrSlotOf(1).RefObjId;
                break;
            case HelperId.DynptrWrite:
                return DynptrSlotOf(1).DynptrKind == DynptrKind.Skb;
            default:
                break;
        }

        return false;
    }

    private void CheckTailCall()
    {
        const string inside = "tail_call cannot be used inside ";
        if (Cur.LockHeld)
        {
            Reject(DiagCode.CallNotAllowedHere, inside + "bpf_spin_lock-ed region");
        }

        var frame = Cur.Cur;
        if (frame.Frameno == 0 || frame.InCallback)
        {
            CheckTailCallLeak(frame);
        }

        if (Cur.ActiveRcuLock)
        {
            Reject(DiagCode.CallNotAllowedHere, inside + "bpf_rcu_read_lock-ed region");
        }

        if (Cur.ActivePreemptLock != 0)
        {
            Reject(DiagCode.CallNotAllowedHere, inside + "bpf_preempt_disable-ed region");
        }
    }

    private void CheckTailCallLeak(FuncState frame)
    {
        RefState? leak = null;
        for (var i = 0; i < frame.RefCount; i++)
        {
            if (!frame.InCallback || frame.Refs[i].CallbackRef == frame.Frameno)
            {
                leak = frame.Refs[i];
                Log.Line($"Unreleased reference id={leak.Value.Id} alloc_insn={leak.Value.InsnIdx}");
            }
        }

        if (leak is { } lost)
        {
            throw new RejectException(
                MakeDiagnostic(DiagCode.UnreleasedRef, "tail_call would lead to reference leak", -1) with
                {
                    RefObjId = lost.Id, AcquiredAtInsn = lost.InsnIdx,
                }, Errno.EINVAL);
        }
    }

    private void CheckLoopCall(HelperCallMeta meta)
    {
        if (Reg(4).IsNull)
        {
            MarkChainPrecision(4);
        }

        MarkChainPrecision(1);
        if ((ulong)Cur.Cur.CallbackDepth < Reg(1).Var.UMax)
        {
            PushCallback(meta.Subprogno, CallbackKind.Loop);
        }
        else
        {
            Cur.Cur.CallbackDepth = 0;
        }
    }

    private void SetHelperReturn(HelperCallMeta meta, bool perCpuObject)
    {
        var fn = meta.Fn!;
        ref var r0 = ref Reg(0);
        var flags = (RegType)((uint)fn.Ret & ~(uint)RetKind.BaseMask);
        switch (fn.Ret & RetKind.BaseMask)
        {
            case RetKind.Integer:
                r0.MarkUnknown(AlwaysPrecise);
                break;
            case RetKind.Void:
                r0.Type = RegType.NotInit;
                break;
            case RetKind.MapValue:
                r0.MarkKnownZero(RegType.PtrToMapValue | flags);
                r0.Map = meta.Map;
                r0.MapUid = meta.MapUid;
                if (!flags.MayBeNull() && meta.Map!.Record.Has(BtfFieldKind.SpinLock))
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

        RefineReturn(ref r0, meta);
    }

    private void RefineReturn(ref RegState r0, HelperCallMeta meta)
    {
        switch (meta.Id)
        {
            case HelperId.GetStack or HelperId.GetTaskStack or HelperId.ProbeReadStr or HelperId.ProbeReadKernelStr
                or HelperId.ProbeReadUserStr:
                r0.Var.SMax = (long)meta.Raw.SizeMax;
                r0.Var.S32Max = (int)meta.Raw.SizeMax;
                r0.Var.SMin = r0.Var.S32Min = -MaxErrno;
                r0.Var.Sync();
                break;
            case HelperId.GetSmpProcessorId:
                r0.Var.SMin = 0;
                r0.Var.UMin = r0.Var.U32Min = 0;
                r0.Var.S32Min = 0;
                r0.Var.SMax = r0.Var.S32Max = NrCpuIds - 1;
                r0.Var.UMax = r0.Var.U32Max = NrCpuIds - 1;
                r0.Var.Sync();
                break;
            default:
                return;
        }

        SanitizeBounds(ref r0, "retval");
    }

    /// <summary>The most CPUs a kernel can have; a running one may know less and so take more programs.</summary>
    private const int NrCpuIds = 8192;

    private static bool IsPtrCast(HelperId id) => id is HelperId.TcpSock or HelperId.SkFullsock or HelperId.SkcToTcpSock
        or HelperId.SkcToTcp6Sock or HelperId.SkcToUdp6Sock or HelperId.SkcToMptcpSock or HelperId.SkcToTcpTimewaitSock
        or HelperId.SkcToTcpRequestSock;

    private static bool IsAcquire(HelperId id, MapSpec? map) => id is HelperId.SkLookupTcp or HelperId.SkLookupUdp
        or HelperId.SkcLookupTcp or HelperId.RingbufReserve or HelperId.KptrXchg
        || (id == HelperId.MapLookupElem && map?.Type is BpfMapType.Sockmap or BpfMapType.Sockhash);

    private void CheckGetFuncIp()
    {
        const string name = "func bpf_get_func_ip#173";
        if (Prog.Type == ProgType.Tracing && !HelperAccess.HasTrampoline(Prog))
        {
            Reject(DiagCode.HelperNotAllowed, name + " supported only for fentry/fexit/fmod_ret programs", errno: Errno.ENOTSUPP);
        }

        if (Prog.Type is not (ProgType.Tracing or ProgType.Kprobe))
        {
            Reject(DiagCode.HelperNotAllowed, $"{name} not supported for program type {(int)Prog.Type}", errno: Errno.ENOTSUPP);
        }
    }

    /// <summary>Id of a kernel struct a helper needs; gives up where the kernel BTF does not have it.</summary>
    private int RequireKernelStruct(string name)
    {
        var id = Vmlinux.FindId(name, BtfKind.Struct);
        if (id == 0)
        {
            Unsupported(DiagCode.UnsupportedKernelType, $"the kernel BTF has no struct {name}");
        }

        return id;
    }
}
