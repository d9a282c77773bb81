using Kptr.Btf;
using Kptr.Isa;
using Kptr.Specs;
using Kptr.Verifier.Cfg;

namespace Kptr.Verifier;

/// <content>What control flow and precision must know of a call, whatever its arguments.</content>
internal sealed partial class VerifierRun : ICallFacts
{
    /// <summary>The traits of a helper or kfunc call; none of calls between functions.</summary>
    public CallTraits TraitsOf(in BpfInsn insn)
    {
        if (insn.IsHelperCall)
        {
            return TraitsOfHelper((HelperId)insn.Imm);
        }

        return insn.IsKfuncCall && KfuncAt(insn) is { } kfunc ? TraitsOfKfunc(kfunc) : CallTraits.None;
    }

    private CallTraits TraitsOfHelper(HelperId id)
    {
        var traits = id switch
        {
            HelperId.ForEachMapElem or HelperId.FindVma or HelperId.Loop or HelperId.UserRingbufDrain =>
                CallTraits.SyncCallback,
            HelperId.TimerSetCallback => CallTraits.AsyncCallback,
            HelperId.SpinUnlock => CallTraits.AllowedUnderLock,
            HelperId.KptrXchg when Kernel.Profile.ExchangesInsideGraphs => CallTraits.AllowedUnderLock,
            HelperId.TailCall => CallTraits.TailCall,
            _ => CallTraits.None,
        };
        if (FindHelper((int)id) is { MightSleep: true })
        {
            traits |= CallTraits.MightSleep;
        }

        return ChangesPktData(id) ? traits | CallTraits.ChangesPktData : traits;
    }

    private CallTraits TraitsOfKfunc(KfuncInfo kfunc)
    {
        var traits = kfunc.Special switch
        {
            SpecialKfunc.RbtreeAdd => CallTraits.SyncCallback,
            SpecialKfunc.WqSetCallback => CallTraits.AsyncCallback,
            SpecialKfunc.Throw => CallTraits.Throw,
            SpecialKfunc.XdpPullData => CallTraits.ChangesPktData,
            _ => CallTraits.None,
        };
        if (kfunc.IsList || kfunc.IsRbtree || kfunc.Special == SpecialKfunc.RefcountAcquire
            || kfunc.LockKindOf is not null
            || (kfunc.Special == SpecialKfunc.AllowedUnderLock && Kernel.Profile.CallsMoreUnderLock))
        {
            traits |= CallTraits.AllowedUnderLock;
        }

        if (kfunc.Has(KfuncFlags.Sleepable))
        {
            traits |= CallTraits.MightSleep;
        }

        return kfunc.Has(KfuncFlags.IterNext) ? traits | CallTraits.IterNext : traits;
    }

    /// <summary>Registers a call may change, as a mask, and whether the JIT puts its body in place.</summary>
    public uint ClobberedBy(in BpfInsn insn, out bool inlined)
    {
        inlined = false;
        if (insn.IsKfuncCall)
        {
            if (KfuncAt(insn) is not { } kfunc)
            {
                return FastcallSpills.CallerSavedMask;
            }

            inlined = kfunc.Special != SpecialKfunc.None
                && kfunc.Name is "bpf_cast_to_kern_ctx" or "bpf_rdonly_cast";
            return MaskOf(kfunc.Ret.Kind != BtfKind.Void, kfunc.Params.Length);
        }

        if (HelperAccess.Find(Prog, Kernel, (HelperId)insn.Imm) is not { } helper)
        {
            return FastcallSpills.CallerSavedMask;
        }

        inlined = helper.Fastcall && (HelperId)insn.Imm == HelperId.GetSmpProcessorId;
        return MaskOf(helper.Ret != RetKind.Void, helper.Args.Length);
    }

    private static uint MaskOf(bool returns, int args) => (((1u << args) - 1) << 1) | (returns ? 1u : 0);
}
