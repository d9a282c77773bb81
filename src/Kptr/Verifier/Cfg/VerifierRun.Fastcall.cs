using Kptr.Isa;
using Kptr.Specs;

namespace Kptr.Verifier;

/// <content> Spills around calls that keep the caller-saved registers: the kernel removes them, and with them the
/// stack they need. </content>
internal sealed partial class VerifierRun
{
    private const uint CallerSavedMask = 0x3f;

    /// <summary>Kernel: <c>mark_fastcall_patterns</c>.</summary>
    private void MarkFastcallPatterns()
    {
        foreach (var sub in Subprogs)
        {
            var lowest = 0;
            for (var i = sub.Start; i < sub.End; i++)
            {
                if (IsStackStore(Insns[i]))
                {
                    lowest = Math.Min(lowest, Insns[i].Off);
                }
            }

            for (var i = sub.Start; i < sub.End; i++)
            {
                if (IsHelperCall(Insns[i]) || IsKfuncCall(Insns[i]))
                {
                    MarkFastcallAt(sub, i, lowest);
                }
            }
        }
    }

    private static bool IsStackStore(in BpfInsn insn) =>
        insn.Opcode == ((byte)InsnClass.Stx | BpfOp.Mem | BpfOp.Dw) && insn.Dst == 10;

    private static bool IsStackLoad(in BpfInsn insn) =>
        insn.Opcode == ((byte)InsnClass.Ldx | BpfOp.Mem | BpfOp.Dw) && insn.Src == 10;

    private void MarkFastcallAt(SubprogInfo sub, int call, int lowest)
    {
        var clobbered = ClobberedBy(Insns[call], out var inlined);
        if (clobbered == CallerSavedMask)
        {
            return;
        }

        var expected = ~clobbered & CallerSavedMask;
        int pairs = 0, off = lowest;
        for (; pairs < 6; pairs++, off += 8)
        {
            int store = call - pairs - 1, load = call + pairs + 1;
            if (store < 0 || load >= Insns.Length || Aux[store + 1].JumpTarget || Aux[load].JumpTarget
                || !IsStackStore(Insns[store]) || !IsStackLoad(Insns[load]) || Insns[store].Src != Insns[load].Dst
                || (expected & (1u << Insns[store].Src)) == 0 || Insns[store].Off != off || Insns[load].Off != off)
            {
                break;
            }

            expected &= ~(1u << Insns[store].Src);
            Aux[store].FastcallPattern = Aux[load].FastcallPattern = true;
        }

        if (pairs == 0)
        {
            return;
        }

        if (inlined)
        {
            Aux[call].FastcallSpills = (byte)pairs;
        }
        else
        {
            sub.KeepFastcallStack = true;
        }

        sub.FastcallStackOff = Math.Min(sub.FastcallStackOff, off);
    }

    /// <summary>Registers a call may change, as a mask, and whether the JIT puts its body in place.</summary>
    private uint ClobberedBy(in BpfInsn insn, out bool inlined)
    {
        inlined = false;
        if (IsKfuncCall(insn))
        {
            if (KfuncAt(insn) is not { } kfunc)
            {
                return CallerSavedMask;
            }

            inlined = kfunc.Special != SpecialKfunc.None && kfunc.Name is "bpf_cast_to_kern_ctx" or "bpf_rdonly_cast"
                && kfunc.Special != SpecialKfunc.None;
            return MaskOf(kfunc.Ret.Kind != Btf.BtfKind.Void, kfunc.Params.Length);
        }

        if (HelperAccess.Find(Prog, Kernel, (HelperId)insn.Imm) is not { } helper)
        {
            return CallerSavedMask;
        }

        inlined = helper.Fastcall && (HelperId)insn.Imm == HelperId.GetSmpProcessorId;
        return MaskOf(helper.Ret != RetKind.Void, helper.Args.Length);
    }

    private static uint MaskOf(bool returns, int args) => (((1u << args) - 1) << 1) | (returns ? 1u : 0);

    /// <summary>
    /// The stack below the pattern's is used otherwise: the function keeps its spills
    /// (<c>check_fastcall_stack_contract</c>).
    /// </summary>
    private void CheckFastcallContract(FuncState frame, int off)
    {
        var sub = Subprogs[frame.Subprogno];
        if (sub.FastcallStackOff <= off || Aux[InsnIdx].FastcallPattern)
        {
            return;
        }

        sub.FastcallStackOff = short.MinValue;
        for (var i = sub.Start; i < sub.End; i++)
        {
            Aux[i].FastcallSpills = 0;
            Aux[i].FastcallPattern = false;
        }
    }

    /// <summary>Takes removed spills off the stack a function needs (<c>remove_fastcall_spills_fills</c>).</summary>
    private void DropFastcallStack()
    {
        foreach (var sub in Subprogs)
        {
            if (!sub.KeepFastcallStack
                && Enumerable.Range(sub.Start, sub.End - sub.Start).Any(i => Aux[i].FastcallSpills > 0))
            {
                sub.StackDepth = -sub.FastcallStackOff;
            }
        }
    }
}
