using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Specs;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <summary>Which callback a call runs, and so what it is given.</summary>
internal enum CallbackKind
{
    /// <summary><c>bpf_for_each_map_elem</c>: map, key, value, context.</summary>
    MapElem,

    /// <summary><c>bpf_loop</c>: index, context.</summary>
    Loop,

    /// <summary>Timers and work queues, later: map, key, value.</summary>
    Timer,

    /// <summary><c>bpf_find_vma</c>: task, area, context.</summary>
    FindVma,

    /// <summary><c>bpf_user_ringbuf_drain</c>: dynptr, context.</summary>
    UserRingbuf,

    /// <summary><c>bpf_rbtree_add</c>: two nodes.</summary>
    RbtreeAdd,
}

/// <content>Callbacks: explored as if called any number of times.</content>
internal sealed partial class VerifierRun
{
    private void PushCallback(int subprog, CallbackKind kind, bool asyncSleepable = false) =>
        PushCallbackCall(subprog, (caller, callee, _) => SetCallbackState(kind, caller, callee),
            isAsync: kind == CallbackKind.Timer, asyncSleepable);

    private void SetCallbackState(CallbackKind kind, FuncState caller, FuncState callee)
    {
        callee.CallbackRetRange = new(0, 1);
        callee.InCallback = kind != CallbackKind.Timer;
        callee.OwnsApart = callee.InCallback && Kernel.Profile.CallbacksKeepApart;
        callee.InAsyncCallback = kind == CallbackKind.Timer;
        for (var i = 1; i <= 5; i++)
        {
            callee.Regs[i].MarkNotInit();
        }

        switch (kind)
        {
            case CallbackKind.MapElem:
                SetMapElemArgs(caller, callee);
                break;
            case CallbackKind.Loop:
                callee.Regs[1].MarkUnknown(AlwaysPrecise);
                callee.TakeReg(2, caller, 3);
                break;
            case CallbackKind.Timer:
                SetMapArg(ref callee.Regs[1], RegType.ConstPtrToMap, caller.Regs[1]);
                SetMapArg(ref callee.Regs[2], RegType.PtrToMapKey, caller.Regs[1]);
                SetMapArg(ref callee.Regs[3], RegType.PtrToMapValue, caller.Regs[1]);
                break;
            case CallbackKind.FindVma:
                callee.TakeReg(1, caller, 1);
                callee.Regs[2].MarkKnownZero(RegType.PtrToBtfId);
                callee.Regs[2].Btf = Vmlinux;
                callee.Regs[2].BtfId = RequireKernelStruct("vm_area_struct");
                callee.TakeReg(3, caller, 4);
                break;
            case CallbackKind.UserRingbuf:
                MarkDynptrReg(ref callee.Regs[1], DynptrKind.Local, firstSlot: true, NewId());
                callee.TakeReg(2, caller, 3);
                break;
            default:
                SetRbtreeArgs(caller, callee);
                break;
        }
    }

    private void SetMapElemArgs(FuncState caller, FuncState callee)
    {
        if (Aux[InsnIdx].Map?.Type is not (BpfMapType.Array or BpfMapType.PercpuArray or BpfMapType.Hash
            or BpfMapType.PercpuHash or BpfMapType.LruHash or BpfMapType.LruPercpuHash or BpfMapType.Rhash))
        {
            Reject(DiagCode.MapIncompatible, "callback function not allowed for map", errno: Errno.ENOTSUPP);
        }

        callee.TakeReg(1, caller, 1);
        SetMapArg(ref callee.Regs[2], RegType.PtrToMapKey, caller.Regs[1]);
        SetMapArg(ref callee.Regs[3], RegType.PtrToMapValue, caller.Regs[1]);
        callee.TakeReg(4, caller, 3);
    }

    private static void SetMapArg(ref RegState reg, RegType type, in RegState from)
    {
        reg.MarkKnownZero(type);
        reg.Map = from.Map;
        reg.MapUid = from.MapUid;
    }

    private void SetRbtreeArgs(FuncState caller, FuncState callee)
    {
        ref readonly var root = ref caller.Regs[1];
        var field = FieldStartingAt(RecordOf(root), root.Off, BtfFieldKind.RbRoot);
        if (field is null)
        {
            Reject(DiagCode.CallArgInvalid, "the tree's root is not at a fixed offset", 1, Errno.EFAULT);
        }

        for (var i = 1; i <= 2; i++)
        {
            MarkGraphNode(ref callee.Regs[i], field!);
            SetNonOwning(ref callee.Regs[i]);
        }
    }

    /// <summary>
    /// Whether some frame is a callback that runs with the tree locked (<c>in_rbtree_lock_required_cb</c>).
    /// </summary>
    private bool InRbtreeCallback
    {
        get
        {
            for (var i = Cur.CurFrame; i > 0; i--)
            {
                var frame = Cur.Frames[i]!;
                if (frame.InCallback && Insns[frame.Callsite].IsKfuncCall
                    && _callees.KfuncAt(Insns[frame.Callsite]) is { IsRbtree: true })
                {
                    return true;
                }
            }

            return false;
        }
    }
}
