using Kptr.Isa;
using Kptr.Specs;

namespace Kptr.Verifier;

/// <content>What control flow and precision must know of a call, whatever its arguments.</content>
internal sealed partial class VerifierRun
{
    /// <summary>The traits of a helper or kfunc call; none of calls between functions.</summary>
    private CallTraits TraitsOf(in BpfInsn insn)
    {
        if (IsHelperCall(insn))
        {
            return TraitsOfHelper((HelperId)insn.Imm);
        }

        return IsKfuncCall(insn) && KfuncAt(insn) is { } kfunc ? TraitsOfKfunc(kfunc) : CallTraits.None;
    }

    private CallTraits TraitsOfHelper(HelperId id)
    {
        var traits = id switch
        {
            HelperId.ForEachMapElem or HelperId.FindVma or HelperId.Loop or HelperId.UserRingbufDrain =>
                CallTraits.SyncCallback,
            HelperId.TimerSetCallback => CallTraits.AsyncCallback,
            HelperId.SpinUnlock => CallTraits.AllowedUnderLock,
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
            _ => CallTraits.None,
        };
        if (kfunc.IsList || kfunc.IsRbtree || kfunc.Special == SpecialKfunc.RefcountAcquire
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
}
