using Kptr.Diagnostics;
using Kptr.Isa;
using Kptr.Verifier.Cfg;
using Kptr.Verifier.Pruning;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>The main loop: one path after the other, until none is left.</content>
internal sealed partial class VerifierRun
{
    /// <summary>A state to be explored later.</summary>
    private readonly record struct Pending(VerifierState State, int InsnIdx, int PrevInsnIdx, int LogMark);

    private const int CancelCheckMask = 0xfff;
    private readonly List<Pending> _pending = [];
    private int _insnsProcessed;
    private int _jmpsProcessed;

    /// <summary>Saves a copy of the state for later (<c>push_stack</c>).</summary>
    public VerifierState PushStack(int insnIdx, int prevInsnIdx, bool speculative = false)
    {
        var copy = Pool.RentState();
        copy.CopyFrom(Cur, Pool);
        copy.Speculative |= speculative;
        _pending.Add(new(copy, insnIdx, prevInsnIdx, Log.Mark));
        CheckPendingCount();
        if (copy.Parent is { } parent)
        {
            parent.Branches++;
        }

        return copy;
    }

    /// <summary>Saves a fresh state that starts in an asynchronous callback (<c>push_async_cb</c>).</summary>
    public VerifierState PushAsyncCallback(int insnIdx, int prevInsnIdx, int subprog, bool sleepable)
    {
        var fresh = Pool.RentState();
        ResetState(fresh, subprog);
        fresh.InSleepable = sleepable;
        fresh.HistStart = fresh.HistEnd = Cur.HistEnd;
        fresh.FirstInsnIdx = fresh.LastInsnIdx = 0;
        _pending.Add(new(fresh, insnIdx, prevInsnIdx, Log.Mark));
        CheckPendingCount(" for async cb");
        return fresh;
    }

    private void CheckPendingCount(string what = "")
    {
        if (_pending.Count > Limits.ComplexityLimitJmpSeq)
        {
            Reject(DiagCode.ComplexityExceeded, $"The sequence of {_pending.Count} jumps is too complex{what}.",
                errno: Errno.E2BIG);
        }
    }

    private void ResetState(VerifierState state, int subprog)
    {
        for (var i = 0; i < state.Frames.Length; i++)
        {
            if (state.Frames[i] is { } old)
            {
                Pool.Return(old);
                state.Frames[i] = null;
            }
        }

        var frame = Pool.RentFrame();
        frame.Init(-1, 0, subprog);
        state.Frames[0] = frame;
        state.CurFrame = 0;
        state.Branches = 1;
        state.Parent = state.LoopEntry = null;
        state.Lock = null;
        state.IrqsOff = null;
        state.RcuDepth = 0;
        state.Speculative = state.UsedAsLoopEntry = false;
        state.InSleepable = Prog.IsSleepable && Kernel.Profile.CallbacksSleepAlone;
        state.ActivePreemptLock = 0;
        state.HistStart = state.HistEnd = 0;
        state.DfsDepth = state.CallbackUnrollDepth = state.MayGotoDepth = 0;
        state.MissCount = state.HitCount = 0;
    }

    /// <summary>Explores every path from the current state (<c>do_check</c>).</summary>
    private void Explore()
    {
        var prev = -1;
        while (true)
        {
            _history.BeginInsn();
            PrevInsnIdx = prev;
            if ((uint)InsnIdx >= (uint)Insns.Length)
            {
                Reject(DiagCode.JumpOutOfRange, $"invalid insn idx {InsnIdx} insn_cnt {Insns.Length}",
                    errno: Errno.EFAULT);
            }

            CountInsn();
            Cur.LastInsnIdx = PrevInsnIdx;
            var marks = _marks[InsnIdx];
            if ((marks & CodeMarks.PrunePoint) != 0 && IsStateVisited(InsnIdx))
            {
                Log.Safe(this, PrevInsnIdx, InsnIdx);
                if (!NextPath(out prev))
                {
                    return;
                }

                continue;
            }

            if ((marks & CodeMarks.JmpPoint) != 0)
            {
                PushInsnHistory(0, 0);
            }

            Log.Insn(this, InsnIdx);
            Aux[InsnIdx].Seen |= !Cur.Speculative;
            Options.Beliefs?.Record(InsnIdx, Cur);
            prev = InsnIdx;
            if (!Step(Insns[InsnIdx]) && !NextPath(out prev))
            {
                return;
            }
        }
    }

    private void CountInsn()
    {
        if (++_insnsProcessed > Options.InsnsMax)
        {
            Reject(DiagCode.ComplexityExceeded, $"BPF program is too large. Processed {_insnsProcessed} insn",
                errno: Errno.E2BIG);
        }

        if ((_insnsProcessed & CancelCheckMask) == 0)
        {
            Options.Cancellation.ThrowIfCancellationRequested();
        }
    }

    /// <summary>Runs one instruction on the state and moves on.</summary>
    /// <returns>False when the path ends here.</returns>
    private bool Step(in BpfInsn insn)
    {
        switch (insn.Class)
        {
            case InsnClass.Alu or InsnClass.Alu64:
                CheckAlu(insn);
                break;
            case InsnClass.Ldx:
                CheckLdx(insn);
                break;
            case InsnClass.Stx:
                CheckStx(insn);
                break;
            case InsnClass.St:
                CheckSt(insn);
                break;
            case InsnClass.Jmp or InsnClass.Jmp32:
                return StepJump(insn);
            default:
                StepLd(insn);
                break;
        }

        InsnIdx++;
        return true;
    }

    private void StepLd(in BpfInsn insn)
    {
        switch (insn.Opcode & BpfOp.ModeMask)
        {
            case BpfOp.Abs or BpfOp.Ind:
                CheckLdAbs(insn);
                break;
            case BpfOp.Imm:
                CheckLdImm(insn);
                InsnIdx++;
                Aux[InsnIdx].Seen |= !Cur.Speculative;
                break;
            default:
                Reject(DiagCode.InsnUnknownOpcode, "invalid BPF_LD mode");
                break;
        }
    }

    private bool StepJump(in BpfInsn insn)
    {
        _jmpsProcessed++;
        switch (insn.Opcode & BpfOp.OpMask)
        {
            case BpfOp.Call:
                return StepCall(insn);
            case BpfOp.Ja:
                if ((insn.Opcode & BpfOp.X) != 0 || insn.Regs != 0
                    || (insn.Class == InsnClass.Jmp ? insn.Imm != 0 : insn.Off != 0))
                {
                    Reject(DiagCode.InsnReservedField, "BPF_JA uses reserved fields");
                }

                InsnIdx += 1 + (insn.Class == InsnClass.Jmp ? insn.Off : insn.Imm);
                return true;
            case BpfOp.Exit:
                if ((insn.Opcode & BpfOp.X) != 0 || insn.Imm != 0 || insn.Regs != 0 || insn.Class == InsnClass.Jmp32)
                {
                    Reject(DiagCode.InsnReservedField, "BPF_EXIT uses reserved fields");
                }

                return StepExit(exceptionExit: false);
            default:
                CheckCondJmp(insn);
                InsnIdx++;
                return true;
        }
    }

    private bool StepCall(in BpfInsn insn)
    {
        var src = insn.Src;
        if ((insn.Opcode & BpfOp.X) != 0 || (src != BpfOp.PseudoKfuncCall && insn.Off != 0)
            || src > BpfOp.PseudoKfuncCall || insn.Dst != 0 || insn.Class == InsnClass.Jmp32)
        {
            Reject(DiagCode.InsnReservedField, "BPF_CALL uses reserved fields");
        }

        if (Cur.LockHeld && (src == BpfOp.PseudoCall ? !Kernel.Profile.CallsUnderLock
            : (_callees.TraitsOf(insn) & CallTraits.AllowedUnderLock) == 0))
        {
            Reject(DiagCode.CallNotAllowedHere, "function calls are not allowed while holding a lock");
        }

        if (src == BpfOp.PseudoCall)
        {
            CheckFuncCall(insn);
            if (_throwsHere)
            {
                _throwsHere = false;
                PushStack(InsnIdx + 1, InsnIdx);
                return StepExit(exceptionExit: true);
            }
        }
        else if (src == BpfOp.PseudoKfuncCall)
        {
            CheckKfuncCall(insn);
            if ((_callees.TraitsOf(insn) & CallTraits.Throw) != 0)
            {
                return StepExit(exceptionExit: true);
            }
        }
        else
        {
            CheckHelperCall(insn);
        }

        Log.Touch(0);
        InsnIdx++;
        return true;
    }

    /// <summary>Leaves the innermost frame, or the program.</summary>
    /// <returns>Whether the path goes on in the caller.</returns>
    private bool StepExit(bool exceptionExit)
    {
        if (Kernel.Profile.NamesEnds)
        {
            CheckEnd(exceptionExit);
        }
        else
        {
            CheckSectionsAtExit(exceptionExit);
            CheckReferenceLeak(exceptionExit);
        }

        if (exceptionExit)
        {
            return false;
        }

        if (Cur.CurFrame > 0)
        {
            PrepareFuncExit();
            return true;
        }

        CheckReturnCode(0, "R0");
        return false;
    }

    /// <summary>Takes up the next path waiting.</summary>
    /// <returns>False when none is left.</returns>
    private bool NextPath(out int prev)
    {
        Log.TouchAll();
        CheckLoopIsEntered();
        LoopEntries.EndPath(Cur, _allPathsEnded);
        if (_pending.Count == 0)
        {
            prev = -1;
            return false;
        }

        var next = _pending[^1];
        _pending.RemoveAt(_pending.Count - 1);
        var done = Cur;
        Cur = next.State;
        _explored.Loops?.RollBack(Cur.HistEnd);
        Pool.Return(done);
        Log.Rewind(next.LogMark);
        InsnIdx = next.InsnIdx;
        prev = next.PrevInsnIdx;
        Log.StartPath(this, prev, InsnIdx);
        return true;
    }
}
