using Kptr.Diagnostics;
using Kptr.Isa;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>Calls between functions of the program, callbacks, and the way back.</content>
internal sealed partial class VerifierRun
{
    /// <summary>Sets up the registers of a function about to be entered.</summary>
    public delegate void CalleeSetup(FuncState caller, FuncState callee, int insnIdx);

    /// <summary>Kernel: <c>check_func_call</c>.</summary>
    private void CheckFuncCall(in BpfInsn insn)
    {
        var subprog = Subprogs.Find(InsnIdx + insn.Imm + 1);
        var sub = Subprogs[subprog];
        var caller = Cur.Cur;
        if (sub.IsGlobal)
        {
            CallGlobal(subprog, sub, caller);
            return;
        }

        _ = TryMatchArgs(subprog, isStatic: true);
        SetupFuncEntry(subprog, InsnIdx, CopyArgs, Cur);
        ClearCallerSavedRegs(caller);
        InsnIdx = sub.Start - 1;
        Log.EnterFunc(this, caller, Cur.Cur);
    }

    private void CallGlobal(int subprog, SubprogInfo sub, FuncState caller)
    {
        RejectException? misfit = null;
        try
        {
            _ = TryMatchArgs(subprog, isStatic: false);
        }
        catch (RejectException reject)
        {
            misfit = reject;
        }

        if (Cur.LockHeld)
        {
            Log.Line("global function calls are not allowed while holding a lock,");
            Reject(DiagCode.CallNotAllowedHere, "use static function instead");
        }

        if (Cur.ActivePreemptLock != 0 && !Kernel.Profile.TracksSleepingFunctions)
        {
            Log.Line("global function calls are not allowed with preemption disabled,");
            Reject(DiagCode.CallNotAllowedHere, "use static function instead");
        }

        if (Kernel.Profile.TracksSleepingFunctions && sub.MightSleep && WhyNoSleep is { } where)
        {
            Reject(DiagCode.SleepNotAllowed, $"sleepable global function {sub.Name}() called in {where}");
        }

        if (misfit is not null)
        {
            if ((int)misfit.Diagnostic.Code >= FirstUnsupportedCode)
            {
                throw misfit;
            }

            Log.Line(misfit.Message);
            Reject(DiagCode.CallArgInvalid, $"Caller passes invalid args into func#{subprog} ('{sub.Name}')",
                errno: misfit.Errno);
        }

        if (Log.IsOn)
        {
            Log.Line($"Func#{subprog} ('{sub.Name}') is global and assumed valid.");
        }

        if (sub.ChangesPktData)
        {
            ClearAllPktPointers();
        }

        sub.Called = true;
        ClearCallerSavedRegs(caller);
        if (!sub.ReturnsVoid)
        {
            MarkRegUnknown(0);
        }

        _throwsHere = sub.MightThrow && Kernel.Profile.FollowsThrowsOfGlobals;
    }

    // Whether the global function just called may also have thrown.
    private bool _throwsHere;

    private static void CopyArgs(FuncState caller, FuncState callee, int insnIdx)
    {
        for (var i = 1; i <= 5; i++)
        {
            callee.TakeReg(i, caller, i);
        }

        callee.ArgsParent = caller.ArgsParent;
    }

    /// <summary>Adds a frame for a function (<c>setup_func_entry</c>).</summary>
    /// <remarks>
    /// <c>setup</c>: Fills the callee's registers; those it copies from the caller were all read by the call.
    /// </remarks>
    public void SetupFuncEntry(int subprog, int callsite, CalleeSetup setup, VerifierState state)
    {
        if (state.CurFrame + 1 >= Kernel.Profile.CallFramesMax)
        {
            Reject(DiagCode.CallDepthExceeded, $"the call stack of {state.CurFrame + 2} frames is too deep",
                errno: Errno.E2BIG);
        }

        var caller = state.Cur;
        var callee = Pool.RentFrame();
        callee.Init(callsite, state.CurFrame + 1, subprog);
        callee.CopyRefsFrom(caller);
        state.Frames[state.CurFrame + 1] = callee;
        setup(caller, callee, callsite);
        state.CurFrame++;
    }

    /// <summary>A helper or kfunc will run a callback, or register one for later (<c>push_callback_call</c>).</summary>
    /// <remarks>
    /// <c>isAsync</c>: The callback runs later, on a stack of its own.
    /// <c>asyncSleepable</c>: The later run may sleep (work queues).
    /// </remarks>
    public void PushCallbackCall(int subprog, CalleeSetup setup, bool isAsync, bool asyncSleepable = false)
    {
        var caller = Cur.Cur;
        var sub = Subprogs[subprog];
        _ = TryMatchArgs(subprog, isStatic: true);
        sub.IsCallback = true;
        if (isAsync)
        {
            sub.IsAsyncCallback = true;
            var later = PushAsyncCallback(sub.Start, InsnIdx, subprog, asyncSleepable);
            later.Cur.AsyncEntryCnt = caller.AsyncEntryCnt + 1;
            setup(caller, later.Cur, InsnIdx);
            return;
        }

        if (!Kernel.Profile.UnrollsCallbacks)
        {
            SetupFuncEntry(subprog, InsnIdx, setup, Cur);
            Cur.CurFrame--;
            _callbackAhead = sub;
            return;
        }

        var state = PushStack(sub.Start, InsnIdx);
        SetupFuncEntry(subprog, InsnIdx, setup, state);
        state.CallbackUnrollDepth++;
        state.Frames[state.CurFrame - 1]!.CallbackDepth++;
        caller.CallbackDepth = 0;
        caller.RoundsMax = 0;
    }

    // Where a callback is explored once: its frame stands ready above the caller's until the helper is done.
    private SubprogInfo? _callbackAhead;

    private void EnterCallbackAhead()
    {
        if (_callbackAhead is not { } sub)
        {
            return;
        }

        _callbackAhead = null;
        var caller = Cur.Cur;
        Cur.CurFrame++;
        InsnIdx = sub.Start - 1;
        Log.EnterFunc(this, caller, Cur.Cur);
    }

    /// <summary>What must be closed before the program, or by an exception everything, ends.</summary>
    private void CheckSectionsAtExit(bool exceptionExit)
    {
        if (!exceptionExit && Cur.CurFrame > 0 && (Kernel.Profile.CallsUnderLock || !Cur.LockHeld))
        {
            return;
        }

        if (Cur.LockHeld)
        {
            Reject(DiagCode.SectionUnbalanced, exceptionExit
                ? "bpf_throw cannot be used inside bpf_spin_lock-ed region"
                : "bpf_spin_unlock is missing");
        }

        if (Cur.ActiveRcuLock)
        {
            Reject(DiagCode.SectionUnbalanced, exceptionExit
                ? "bpf_throw cannot be used inside bpf_rcu_read_lock-ed region"
                : "bpf_rcu_read_unlock is missing");
        }

        if (Cur.ActivePreemptLock != 0)
        {
            var verb = Cur.ActivePreemptLock == 1 ? " is" : "(s) are";
            Reject(DiagCode.SectionUnbalanced, exceptionExit
                ? "bpf_throw cannot be used inside bpf_preempt_disable-ed region"
                : $"{Cur.ActivePreemptLock} bpf_preempt_enable{verb} missing");
        }
    }

    /// <summary>The same, named and ordered as <see cref="Specs.KernelProfile.NamesEnds"/> says.</summary>
    /// <remarks>Kernel: <c>check_resource_leak</c> (kernel/bpf/verifier.c, 7.2).</remarks>
    private void CheckEnd(bool exceptionExit)
    {
        var end = exceptionExit ? "bpf_throw" : "BPF_EXIT instruction in main prog";
        var isLast = exceptionExit || Cur.CurFrame == 0;
        if (isLast && Cur.LockHeld)
        {
            Reject(DiagCode.SectionUnbalanced, $"{end} cannot be used inside bpf_spin_lock-ed region");
        }

        CheckReferenceLeak(exceptionExit, end);
        if (isLast && OpenSection is { } section)
        {
            Reject(DiagCode.SectionUnbalanced, $"{end} cannot be used inside {section}-ed region");
        }
    }

    /// <summary>Returns from the innermost frame (<c>prepare_func_exit</c>).</summary>
    private void PrepareFuncExit()
    {
        var callee = Cur.Cur;
        var caller = Cur.Frames[Cur.CurFrame - 1]!;
        ref var r0 = ref callee.Regs[0];
        if (r0.Type == RegType.PtrToStack)
        {
            Reject(DiagCode.ReturnValueInvalid, "cannot return stack pointer to the caller", 0);
        }

        if (callee.InCallback)
        {
            CheckCallbackReturn(callee);
        }
        else
        {
            caller.TakeReg(0, callee, 0);
            caller.R0Parent = callee.R0Parent;
        }

        if (!callee.OwnsApart)
        {
            caller.CopyRefsFrom(callee);
        }

        var inCallback = callee.InCallback && Kernel.Profile.UnrollsCallbacks;
        InsnIdx = inCallback ? callee.Callsite : callee.Callsite + 1;
        Log.LeaveFunc(this, callee, caller);
        Cur.Frames[Cur.CurFrame--] = null;
        Pool.Return(callee);
        if (inCallback && FindPrevEntry(Cur, InsnIdx) is { } prev)
        {
            WidenImpreciseScalars(prev, Cur);
        }
    }

    private void CheckCallbackReturn(FuncState callee)
    {
        ref var r0 = ref callee.Regs[0];
        if (r0.Type != RegType.Scalar)
        {
            Reject(DiagCode.ReturnValueInvalid, "R0 not a scalar value", 0, Errno.EACCES);
        }

        LiveReads.MarkReg(callee, 0);
        MarkChainPrecision(0);
        var range = callee.CallbackRetRange;
        if (r0.Var.SMin < range.Min || r0.Var.SMax > range.Max)
        {
            RejectScalarRange(r0, 0, range, "At callback return", "R0");
        }
    }
}
