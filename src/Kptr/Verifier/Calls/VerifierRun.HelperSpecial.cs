using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Specs;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>Rules of single helpers.</content>
internal sealed partial class VerifierRun
{
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
            case HelperId.SetRetval:
                CheckSetRetval();
                break;
            case HelperId.DynptrData:
                meta.DynptrId = DynptrSlotOf(1).Id;
                meta.RefObjId = DynptrSlotOf(1).RefObjId;
                break;
            case HelperId.DynptrWrite:
                return DynptrSlotOf(1).DynptrKind is DynptrKind.Skb or DynptrKind.SkbMeta;
            default:
                break;
        }

        return false;
    }

    private void CheckSetRetval()
    {
        if (Hook.IsLsmCgroup && Hook.Target!.ReturnsVoid)
        {
            Reject(DiagCode.HelperNotAllowed,
                "BPF_LSM_CGROUP that attach to void LSM hooks can't modify return value!");
        }

        if (_returns.OfOthers() is not { } range)
        {
            return;
        }

        if (Reg(1).Type != RegType.Scalar)
        {
            Reject(DiagCode.ReturnValueInvalid, "R1 is not a scalar", 1);
        }

        EnforceReturn(1, "R1", range, low32: true, "At bpf_set_retval");
    }

    private void CheckTailCall()
    {
        const string inside = "tail_call cannot be used inside ";
        if (Cur.LockHeld)
        {
            Reject(DiagCode.CallNotAllowedHere, inside + "bpf_spin_lock-ed region");
        }

        var frame = Cur.Cur;
        if (frame.Frameno == 0 || frame.OwnsApart)
        {
            CheckTailCallLeak(frame);
        }

        if (OpenSection is { } section)
        {
            Reject(DiagCode.CallNotAllowedHere, $"{inside}{section}-ed region");
        }
    }

    // The call fails and the function goes on, or the program called returns in its stead. Of the outermost function
    // nothing runs after that.
    private void LeaveByTailCall()
    {
        if (Cur.CurFrame == 0)
        {
            return;
        }

        if (Cur.Cur.InCallback)
        {
            Reject(DiagCode.CallNotAllowedHere, "cannot tail call within callback");
        }

        PushStack(InsnIdx + 1, InsnIdx);
        ClearAllPktPointers();
        MarkRegUnknown(0);
        PrepareFuncExit();
        InsnIdx--;
    }

    private void CheckTailCallLeak(FuncState frame)
    {
        RefState? leak = null;
        for (var i = 0; i < frame.RefCount; i++)
        {
            if (!frame.OwnsApart || frame.Refs[i].CallbackRef == frame.Frameno)
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
        if (!Kernel.Profile.UnrollsCallbacks)
        {
            PushCallback(meta.Subprogno, CallbackKind.Loop);
            return;
        }

        if (Reg(4).IsNull)
        {
            MarkChainPrecision(4);
        }

        ref var aux = ref Aux[InsnIdx];
        var fits = Reg(4).IsNull
            && (aux.Loop == LoopInline.Unseen || aux.LoopCallbackSubprog == meta.Subprogno);
        aux.Loop = fits && aux.Loop != LoopInline.DoesNot ? LoopInline.Fits : LoopInline.DoesNot;
        aux.LoopCallbackSubprog = meta.Subprogno;
        MarkChainPrecision(1);
        if ((ulong)Cur.Cur.CallbackDepth < Reg(1).Var.UMax)
        {
            Cur.Cur.RoundsMax = Reg(1).Var.UMax;
            PushCallback(meta.Subprogno, CallbackKind.Loop);
        }
        else
        {
            Cur.Cur.CallbackDepth = 0;
        }
    }

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
            Reject(DiagCode.HelperNotAllowed, name + " supported only for fentry/fexit/fmod_ret programs",
                errno: Errno.ENOTSUPP);
        }

        if (Prog.Type is not (ProgType.Tracing or ProgType.Kprobe))
        {
            Reject(DiagCode.HelperNotAllowed, $"{name} not supported for program type {(int)Prog.Type}",
                errno: Errno.ENOTSUPP);
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
