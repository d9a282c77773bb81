using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Isa;
using Kptr.Specs;
using Kptr.Verifier.Callees;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>Calls of kfuncs: who may call what, and what a call does to the state.</content>
internal sealed partial class VerifierRun
{
    private readonly KfuncCallMeta _kfuncMeta = new();

    /// <summary>Kernel: <c>check_kfunc_call</c>.</summary>
    private void CheckKfuncCall(in BpfInsn insn)
    {
        if (insn.Imm == 0)
        {
            Reject(DiagCode.KfuncUnknown, "invalid kernel function call not eliminated in verifier pass");
        }

        var fn = _callees.KfuncAt(insn)!;
        CheckKfuncAllowed(fn);
        Aux[InsnIdx].IsIterNext = fn.Has(KfuncFlags.IterNext);
        var meta = _kfuncMeta;
        meta.Reset(fn);
        if (fn.IsLock)
        {
            PushFailedLock();
        }
        else if (fn.Special == SpecialKfunc.Trap)
        {
            Reject(DiagCode.CallNotAllowedHere, "unexpected __bpf_trap() due to uninitialized variable?",
                errno: Errno.EFAULT);
        }

        if (Kernel.Profile.SortsKfuncArgs)
        {
            CheckKfuncArgs(meta);
        }
        else
        {
            CheckPlainKfuncArgs(meta);
        }

        CheckDropsInNmi(meta);
        PushKfuncCallback(meta);
        if (Kernel.Profile.NestsRcuSections)
        {
            CheckSections(fn);
        }
        else
        {
            CheckRcuSection(fn);
            CheckPreemptSection(fn);
        }

        if (Kernel.Profile.RequiresRcuSection && fn.Has(KfuncFlags.RcuProtected) && !InRcuCs)
        {
            Reject(DiagCode.CallNotAllowedHere,
                $"kernel func {fn.Name} requires RCU critical section protection", errno: Errno.EACCES);
        }

        ReleaseKfuncArg(meta);
        if (fn.IsInsert)
        {
            HandOverNode(meta);
        }

        if (fn.Special == SpecialKfunc.Throw)
        {
            SeenException = true;
            if (Subprogs.ExceptionCallback == 0)
            {
                CheckReturnCode(1, "R1");
            }
        }

        if (fn.Special == SpecialKfunc.XdpPullData)
        {
            ClearAllPktPointers();
        }

        for (var i = 0; i <= 5; i++)
        {
            Reg(i).MarkNotInit();
            Log.Touch(i);
        }

        SetKfuncReturn(meta);
        MarkKfuncArgsRead(fn);
        if (fn.Has(KfuncFlags.IterNext))
        {
            ProcessIterNext(meta);
        }
    }

    private void CheckKfuncAllowed(KfuncInfo fn)
    {
        if (fn.Spec is null || !fn.Spec.IsOpenTo(Prog, Kernel))
        {
            Reject(DiagCode.KfuncNotAllowed, $"calling kernel function {fn.Name} is not allowed", errno: Errno.EACCES);
        }

        if (Kernel.Profile.SortsKfuncArgs && fn.Has(KfuncFlags.Sleepable) && !InSleepable)
        {
            Reject(DiagCode.SleepNotAllowed,
                $"program must be sleepable to call sleepable kfunc {fn.Name}", errno: Errno.EACCES);
        }
    }

    private void CheckDropsInNmi(KfuncCallMeta meta)
    {
        const BtfFieldKind Safe = BtfFieldKind.SpinLock | BtfFieldKind.ResSpinLock | BtfFieldKind.Timer
            | BtfFieldKind.Workqueue | BtfFieldKind.TaskWork | BtfFieldKind.KptrUnref | BtfFieldKind.Refcount;
        if (!Kernel.Profile.ChecksNmiUnsafeDrops
            || meta.Fn.Special is not (SpecialKfunc.ObjDrop or SpecialKfunc.PercpuObjDrop))
        {
            return;
        }

        var mayBeNmi = IsTracingProg(RunType) || (RunType == ProgType.Tracing
            && Prog.ExpectedAttachType != AttachType.TraceIter && !Prog.IsSleepable);
        if (mayBeNmi && RecordOfType(meta.ArgBtf!, meta.ArgBtfId)?.Has(~Safe) == true)
        {
            Reject(DiagCode.CallNotAllowedHere,
                $"{meta.Fn.Name} cannot be used in tracing programs on types with NMI unsafe fields");
        }
    }

    private void PushKfuncCallback(KfuncCallMeta meta)
    {
        switch (meta.Fn.Special)
        {
            case SpecialKfunc.RbtreeAdd:
                PushCallback(meta.Subprogno, CallbackKind.RbtreeAdd);
                break;
            case SpecialKfunc.WqSetCallback:
                PushCallback(meta.Subprogno, CallbackKind.Timer, asyncSleepable: true);
                break;
            case SpecialKfunc.SessionCookie:
                meta.R0Size = 8;
                meta.R0ReadOnly = false;
                break;
            default:
                break;
        }
    }

    /// <summary>Both kinds of sections where they may lie in each other: sleeping comes last.</summary>
    /// <remarks>Kernel: <c>check_kfunc_call</c> (kernel/bpf/verifier.c, 7.2).</remarks>
    private void CheckSections(KfuncInfo fn)
    {
        switch (fn.Special)
        {
            case SpecialKfunc.RcuReadLock:
                Cur.RcuDepth++;
                break;
            case SpecialKfunc.RcuReadUnlock:
                RequireRcuSection(fn);
                if (--Cur.RcuDepth == 0)
                {
                    LoseRcuPointers();
                }

                break;
            case SpecialKfunc.PreemptDisable:
                Cur.ActivePreemptLock++;
                break;
            case SpecialKfunc.PreemptEnable:
                RequirePreemptSection(fn);
                Cur.ActivePreemptLock--;
                break;
            default:
                break;
        }

        if (fn.Has(KfuncFlags.Sleepable) && WhyNoSleep is { } where)
        {
            Reject(DiagCode.SleepNotAllowed, $"kernel func {fn.Name} is sleepable within {where}",
                errno: Errno.EACCES);
        }

        if (fn.Special is SpecialKfunc.RcuReadLock or SpecialKfunc.RcuReadUnlock && InRbtreeCallback)
        {
            RejectRcuInCallback();
        }
    }

    private void RequireRcuSection(KfuncInfo fn)
    {
        if (!Cur.ActiveRcuLock)
        {
            Reject(DiagCode.SectionUnbalanced, $"unmatched rcu read unlock (kernel function {fn.Name})");
        }
    }

    private void RequirePreemptSection(KfuncInfo fn)
    {
        if (Cur.ActivePreemptLock == 0)
        {
            Reject(DiagCode.SectionUnbalanced, $"unmatched attempt to enable preemption (kernel function {fn.Name})");
        }
    }

    private void RejectRcuInCallback() => Reject(DiagCode.CallNotAllowedHere,
        "Calling bpf_rcu_read_{lock,unlock} in unnecessary rbtree callback", errno: Errno.EACCES);

    private void CheckRcuSection(KfuncInfo fn)
    {
        var isLock = fn.Special == SpecialKfunc.RcuReadLock;
        var isUnlock = fn.Special == SpecialKfunc.RcuReadUnlock;
        if (!Cur.ActiveRcuLock)
        {
            if (isUnlock)
            {
                RequireRcuSection(fn);
            }

            Cur.RcuDepth = isLock ? 1 : 0;
            return;
        }

        if ((isLock || isUnlock) && InRbtreeCallback)
        {
            RejectRcuInCallback();
        }

        if (isLock)
        {
            Reject(DiagCode.SectionUnbalanced, $"nested rcu read lock (kernel function {fn.Name})");
        }

        if (isUnlock)
        {
            LoseRcuPointers();
            Cur.RcuDepth = 0;
        }
        else if (fn.Has(KfuncFlags.Sleepable))
        {
            Reject(DiagCode.SleepNotAllowed,
                $"kernel func {fn.Name} is sleepable within rcu_read_lock region", errno: Errno.EACCES);
        }
    }

    // What RCU kept alive may be gone: registers, spills and iterators that relied on it are not trusted any more.
    private void LoseRcuPointers()
    {
        for (var i = 0; i <= Cur.CurFrame; i++)
        {
            var frame = Cur.Frames[i]!;
            foreach (ref var reg in frame.Regs.AsSpan())
            {
                LoseRcu(ref reg);
            }

            foreach (ref var slot in frame.Stack.AsSpan(0, frame.SlotCount))
            {
                if (slot[7] is SlotKind.Spill or SlotKind.Iter)
                {
                    LoseRcu(ref slot.Spilled);
                }
            }
        }
    }

    private static void LoseRcu(ref RegState reg)
    {
        if (reg.Type.Has(RegType.MemRcu))
        {
            reg.Type = (reg.Type & ~(RegType.MemRcu | RegType.MaybeNull)) | RegType.PtrUntrusted;
        }
    }

    private void CheckPreemptSection(KfuncInfo fn)
    {
        if (fn.Special == SpecialKfunc.PreemptDisable)
        {
            Cur.ActivePreemptLock++;
        }
        else if (fn.Special == SpecialKfunc.PreemptEnable)
        {
            RequirePreemptSection(fn);
            Cur.ActivePreemptLock--;
        }
        else if (Cur.ActivePreemptLock != 0 && fn.Has(KfuncFlags.Sleepable))
        {
            Reject(DiagCode.SleepNotAllowed,
                $"kernel func {fn.Name} is sleepable within non-preemptible region", errno: Errno.EACCES);
        }
    }

    private void ReleaseKfuncArg(KfuncCallMeta meta)
    {
        if (meta.ReleaseRegno != 0 && !ReleaseReference(Reg(meta.ReleaseRegno).RefObjId))
        {
            RejectNotAcquired(meta.Fn, meta.ReleaseRegno);
        }
    }

    private void RejectNotAcquired(KfuncInfo fn, int regno) => Reject(DiagCode.ReleaseUnowned,
        $"kfunc {fn.Name}#{fn.Func.Id} reference has not been acquired before", regno);

    // The list or tree owns the object now; the program keeps a pointer that is good until the lock is released.
    private void HandOverNode(KfuncCallMeta meta)
    {
        ref readonly var node = ref Reg(2);
        var refObjId = node.RefObjId;
        ref var aux = ref Aux[InsnIdx];
        aux.InsertOff = node.Off;
        aux.StructMeta = RecordOfType(meta.ArgBtf!, meta.ArgBtfId);
        if (!Cur.Cur.TryFindRef(refObjId, out _))
        {
            Reject(DiagCode.ReleaseUnowned,
                $"kfunc {meta.Fn.Name}#{meta.Fn.Func.Id} conversion of owning ref to non-owning failed",
                2, Errno.EFAULT);
        }

        ForEachReg((ref RegState reg) =>
        {
            if (reg.RefObjId == refObjId)
            {
                ForgetRef(ref reg);
                SetNonOwning(ref reg);
            }
        });
        if (!ReleaseReference(refObjId))
        {
            RejectNotAcquired(meta.Fn, 2);
        }
    }

    /// <summary>Kernel: <c>ref_set_non_owning</c>.</summary>
    private void SetNonOwning(ref RegState reg)
    {
        if (!Cur.LockHeld || reg.Type.Has(RegType.NonOwnRef))
        {
            Reject(DiagCode.LockMisuse, "verifier internal error: ref_set_non_owning w/o active lock",
                errno: Errno.EFAULT);
        }

        reg.Type |= RegType.NonOwnRef;
        if (RecordOf(reg).Has(BtfFieldKind.Refcount))
        {
            reg.Type |= RegType.MemRcu;
        }
    }

    private void MarkKfuncArgsRead(KfuncInfo fn)
    {
        for (var i = 0; i < fn.Params.Length; i++)
        {
            LiveReads.MarkReg(Cur.Cur, i + 1);
        }
    }
}
