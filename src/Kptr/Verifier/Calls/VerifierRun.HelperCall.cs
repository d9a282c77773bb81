using Kptr.Diagnostics;
using Kptr.Isa;
using Kptr.Specs;
using Kptr.Verifier.Callees;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>Calls of helpers: who may call what, and what a call does to the state.</content>
internal sealed partial class VerifierRun
{
    private readonly HelperCallMeta _helperMeta = new();

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
        var changesData = CheckHelperSpecial(meta) || CallTable.ChangesPktData(meta.Id);
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

        if (meta.Id == HelperId.TailCall && Kernel.Profile.TailCallsEndFunctions)
        {
            LeaveByTailCall();
        }
        else if (changesData)
        {
            ClearAllPktPointers();
        }

        EnterCallbackAhead();
    }

    private HelperSpec RequireHelper(int id)
    {
        if (id is < 0 or > CallTable.HelperIdMax)
        {
            Reject(DiagCode.HelperUnknown, $"invalid func {HelperTable.NameOf(id)}#{id}");
        }

        if (_callees.FindHelper(id) is not { } fn)
        {
            var who = Kernel.Profile.NamesHelpersOfOthers ? "program of this type cannot use helper" : "unknown func";
            Reject(DiagCode.HelperNotAllowed, $"{who} {HelperTable.NameOf(id)}#{id}");
            return null!;
        }

        CheckHelperAllowedHere(fn);
        return fn;
    }

    private void CheckHelperAllowedHere(HelperSpec fn)
    {
        if (fn.GplOnly && !Prog.IsGplCompatible)
        {
            Reject(DiagCode.LicenseMissing, "cannot call GPL-restricted function from non-GPL compatible program");
        }

        if (!HelperAccess.IsAllowedAt(fn, Prog, Kernel.Profile, Hook.Target?.Name))
        {
            Reject(DiagCode.HelperNotAllowed, "helper call is not allowed in probe");
        }

        if (!fn.MightSleep)
        {
            return;
        }

        if (Kernel.Profile.TracksSleepingFunctions && WhyNoSleep is { } where)
        {
            Reject(DiagCode.SleepNotAllowed, $"sleepable helper {fn.Name}#{(int)fn.Id} in {where}");
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
        if (meta.Id is not (HelperId.TailCall or HelperId.MapLookupElem or HelperId.MapUpdateElem
            or HelperId.MapDeleteElem
            or HelperId.MapPushElem or HelperId.MapPopElem or HelperId.MapPeekElem or HelperId.ForEachMapElem
            or HelperId.RedirectMap or HelperId.MapLookupPercpuElem))
        {
            return;
        }

        if ((meta.Map!.FlagsInKernel & MapFlags.RdOnlyProg) != 0
            && meta.Id is HelperId.MapDeleteElem or HelperId.MapUpdateElem or HelperId.MapPushElem
                or HelperId.MapPopElem)
        {
            Reject(DiagCode.ReadOnlyWrite, "write into map forbidden", errno: Errno.EACCES);
        }

        ref var aux = ref Aux[InsnIdx];
        aux.MapPoisoned |= aux.MapSeen && !ReferenceEquals(aux.Map, meta.Map);
        aux.MapSeen = true;
        aux.Map = meta.Map;
        if (meta.Id == HelperId.TailCall && meta.Map.Type != BpfMapType.ProgArray)
        {
            Reject(DiagCode.MapIncompatible, "expected prog array map for tail call");
        }

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
            released = UnmarkStackSlotsDynptr(meta.ReleaseRegno);
        }
        else if (meta.Id == HelperId.KptrXchg && meta.RefObjId != 0)
        {
            released = ReleaseXchgSource(meta.RefObjId);
        }
        else
        {
            // Of several references among the arguments it is the one of the argument that is released.
            var id = Kernel.Profile.TakesSeveralReferences ? Reg(meta.ReleaseRegno).RefObjId : meta.RefObjId;
            released = id != 0 ? ReleaseReference(id) : Reg(meta.ReleaseRegno).IsNull;
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
                ForgetRef(ref reg);
                reg.Type = (reg.Type & ~RegType.MemAlloc) | RegType.MemRcu;
            }
        });
        return ReleaseReference(refObjId);
    }
}
