using Kptr.Diagnostics;
using Kptr.Isa;
using Kptr.Specs;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>Loads of packet bytes by offset (LD_ABS, LD_IND).</content>
internal sealed partial class VerifierRun
{
    private void CheckLdAbs(in BpfInsn insn)
    {
        if (RunType is not (ProgType.SocketFilter or ProgType.SchedCls or ProgType.SchedAct))
        {
            Reject(DiagCode.CallNotAllowedHere, "BPF_LD_[ABS|IND] instructions not allowed for this program type");
        }

        for (var i = Cur.CurFrame; i > 0; i--)
        {
            if (Cur.Frames[i]!.InCallback)
            {
                Reject(DiagCode.CallNotAllowedHere, "cannot use BPF_LD_[ABS|IND] within callback");
            }
        }

        var isInd = (insn.Opcode & BpfOp.ModeMask) == BpfOp.Ind;
        if (insn.Dst != 0 || insn.Off != 0 || (insn.Opcode & BpfOp.SizeMask) == BpfOp.Dw || (!isInd && insn.Src != 0))
        {
            RejectReserved("BPF_LD_[ABS|IND]");
        }

        const int ctxReg = 6;
        CheckRegArg(ctxReg, RegUse.Src);
        CheckLdAbsSections();
        if (Reg(ctxReg).Type != RegType.PtrToCtx)
        {
            Reject(DiagCode.CtxAccessInvalid, "at the time of BPF_LD_ABS|IND R6 != pointer to skb");
        }

        if (isInd)
        {
            CheckRegArg(insn.Src, RegUse.Src);
        }

        CheckPtrOffReg(Reg(ctxReg), ctxReg, fixedOffOk: false);
        ClearCallerSavedRegs(Cur.Cur);
        MarkRegUnknown(0);
        if (Cur.CurFrame > 0)
        {
            // A load beyond the packet ends the function with 0.
            PushStack(InsnIdx + 1, InsnIdx);
            Reg(0).MarkKnown(0);
            PrepareFuncExit();
            InsnIdx--;
        }
    }

    private void CheckLdAbsSections()
    {
        var frame = Cur.Cur;
        if (frame.RefCount > 0 && (frame.Frameno == 0 || frame.OwnsApart))
        {
            for (var i = 0; i < frame.RefCount; i++)
            {
                Log.Line($"Unreleased reference id={frame.Refs[i].Id} alloc_insn={frame.Refs[i].InsnIdx}");
            }

            Reject(DiagCode.CallNotAllowedHere, Kernel.Profile.NamesEnds
                ? "BPF_LD_[ABS|IND] would lead to reference leak"
                : "BPF_LD_[ABS|IND] cannot be mixed with socket references");
        }

        if ((Cur.LockHeld ? "bpf_spin_lock" : OpenSection) is { } section)
        {
            Reject(DiagCode.CallNotAllowedHere, $"BPF_LD_[ABS|IND] cannot be used inside {section}-ed region");
        }
    }
}
