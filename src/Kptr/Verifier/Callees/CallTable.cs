using System.Collections.Frozen;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Isa;
using Kptr.Specs;
using Kptr.Verifier.Cfg;

namespace Kptr.Verifier.Callees;

/// <summary>
/// What a program's calls name: helpers that it may call, kfuncs that the kernel has, and what must be known of a call
/// whatever its arguments. One per run and thread.
/// </summary>
/// <param name="prog">The program.</param>
/// <param name="kernel">The kernel it is loaded into.</param>
/// <param name="insns">Its instructions.</param>
/// <param name="isCapable">Whether the loader has CAP_BPF.</param>
internal sealed class CallTable(ProgSpec prog, KernelSpec kernel, BpfInsn[] insns, bool isCapable) : ICallFacts
{
    /// <summary>The last helper that there is.</summary>
    public const int HelperIdMax = (int)HelperId.CgrpStorageDelete;
    private const int MaxKfuncDescs = 256;

    /// <summary>Helpers that ask for no capability, in the two kinds of programs there are.</summary>
    private static readonly FrozenSet<HelperId> UnprivilegedHelpers = FrozenSet.Create(
        HelperId.MapLookupElem, HelperId.MapUpdateElem, HelperId.MapDeleteElem, HelperId.MapPushElem,
        HelperId.MapPopElem,
        HelperId.MapPeekElem, HelperId.MapLookupPercpuElem, HelperId.GetPrandomU32, HelperId.GetSmpProcessorId,
        HelperId.GetNumaNodeId, HelperId.TailCall, HelperId.KtimeGetNs, HelperId.KtimeGetBootNs, HelperId.KtimeGetTaiNs,
        HelperId.RingbufOutput, HelperId.RingbufReserve, HelperId.RingbufSubmit, HelperId.RingbufDiscard,
        HelperId.RingbufQuery,
        HelperId.Strncmp, HelperId.Strtol, HelperId.Strtoul, HelperId.GetCurrentPidTgid, HelperId.GetNsCurrentPidTgid,
        HelperId.SkbLoadBytes, HelperId.SkbLoadBytesRelative, HelperId.GetSocketCookie, HelperId.GetSocketUid,
        HelperId.PerfEventOutput,
        HelperId.GetLocalStorage, HelperId.SkFullsock, HelperId.TcpSock, HelperId.SkbCgroupId,
        HelperId.SkbAncestorCgroupId,
        HelperId.SkLookupTcp, HelperId.SkLookupUdp, HelperId.SkcLookupTcp, HelperId.SkRelease, HelperId.GetListenerSock,
        HelperId.SkStorageGet, HelperId.SkStorageDelete);

    private readonly HelperSpec?[] _helpers = new HelperSpec?[HelperIdMax + 1];
    private readonly bool[] _helperKnown = new bool[HelperIdMax + 1];
    private readonly Dictionary<(int BtfIdx, int FuncId), KfuncInfo?> _kfuncs = [];

    /// <summary>The helper with this number; null where there is none, or this program may not call it.</summary>
    public HelperSpec? FindHelper(int id)
    {
        if (id is < 0 or > HelperIdMax)
        {
            return null;
        }

        if (!_helperKnown[id])
        {
            _helpers[id] = id == 0 || (!isCapable && !UnprivilegedHelpers.Contains((HelperId)id))
                ? null
                : HelperAccess.Find(prog, kernel, (HelperId)id);
            _helperKnown[id] = true;
        }

        return _helpers[id];
    }

    /// <summary>The kfunc a call names, or <see langword="null"/> where the kernel BTF has no such function.</summary>
    public KfuncInfo? KfuncAt(in BpfInsn insn)
    {
        (int BtfIdx, int FuncId) key = (insn.Off, insn.Imm);
        if (_kfuncs.TryGetValue(key, out var known))
        {
            return known;
        }

        KfuncInfo? info = null;
        var all = kernel.Types.All;
        if ((uint)insn.Off < (uint)all.Length && insn.Imm > 0 && insn.Imm < all[insn.Off].TypeCount)
        {
            var func = all[insn.Off][insn.Imm];
            if (func.Kind == BtfKind.Func && func.Ref.Kind == BtfKind.FuncProto)
            {
                var spec = kernel.Kfuncs.GetValueOrDefault(func.Name);
                info = new KfuncInfo(func, spec, insn.Off);
            }
        }

        _kfuncs.Add(key, info);
        return info;
    }

    /// <summary>
    /// Before anything is explored: the function exists and may be called at all (<c>add_kfunc_call</c>).
    /// </summary>
    public void CheckKfuncExists(int insnIdx)
    {
        ref readonly var insn = ref insns[insnIdx];
        if (!prog.IsGplCompatible)
        {
            Refusal.At(insnIdx, DiagCode.LicenseMissing,
                "cannot call kernel function from non-GPL compatible program");
        }

        if (insn.Imm == 0 && insn.Off == 0)
        {
            // A weak function that this kernel does not have: refused only if the call can be reached.
            return;
        }

        if ((uint)insn.Off >= (uint)kernel.Types.All.Length)
        {
            Refusal.At(insnIdx, DiagCode.KfuncUnknown, "failed to find BTF for kernel function");
        }

        if (KfuncAt(insn) is null)
        {
            Refusal.At(insnIdx, DiagCode.KfuncUnknown, $"kernel btf_id {insn.Imm} is not a function");
        }

        if (_kfuncs.Count > MaxKfuncDescs)
        {
            Refusal.At(insnIdx, DiagCode.KfuncUnknown, "too many different kernel function calls", errno: Errno.E2BIG);
        }
    }

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
            HelperId.KptrXchg when kernel.Profile.ExchangesInsideGraphs => CallTraits.AllowedUnderLock,
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
            || (kfunc.Special == SpecialKfunc.AllowedUnderLock && kernel.Profile.CallsMoreUnderLock))
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

        if (HelperAccess.Find(prog, kernel, (HelperId)insn.Imm) is not { } helper)
        {
            return FastcallSpills.CallerSavedMask;
        }

        inlined = helper.Fastcall && (HelperId)insn.Imm == HelperId.GetSmpProcessorId;
        return MaskOf(helper.Ret != RetKind.Void, helper.Args.Length);
    }

    private static uint MaskOf(bool returns, int args) => (((1u << args) - 1) << 1) | (returns ? 1u : 0);

    /// <summary>Whether a helper may move packet data (<c>bpf_helper_changes_pkt_data</c>).</summary>
    public static bool ChangesPktData(HelperId id) => id is HelperId.CloneRedirect or HelperId.L3CsumReplace
        or HelperId.L4CsumReplace or HelperId.LwtPushEncap or HelperId.LwtSeg6Action or HelperId.LwtSeg6AdjustSrh
        or HelperId.LwtSeg6StoreBytes or HelperId.MsgPopData or HelperId.MsgPullData or HelperId.MsgPushData
        or HelperId.SkbAdjustRoom or HelperId.SkbChangeHead or HelperId.SkbChangeProto or HelperId.SkbChangeTail
        or HelperId.SkbPullData or HelperId.SkbStoreBytes or HelperId.SkbVlanPop or HelperId.SkbVlanPush
        or HelperId.StoreHdrOpt or HelperId.XdpAdjustHead or HelperId.XdpAdjustMeta or HelperId.XdpAdjustTail
        or HelperId.TailCall;
}
