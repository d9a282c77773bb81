using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>Sections a program opens and closes, and casts that only the verifier gives a meaning.</summary>
/// <remarks>Kernel: kernel/bpf/helpers.c, 6.12.</remarks>
internal static class SectionKfuncs
{
    [Kfunc("bpf_rcu_read_lock", Hooks = KfuncHooks.Common, Profiles = ProfileSet.Linux6_2,
        Prototype = "void bpf_rcu_read_lock(void)")]
    [Kfunc("bpf_rcu_read_lock",
        Hooks = KfuncHooks.Common,
        Prototype = "void bpf_rcu_read_lock(void)")]
    internal static void RcuReadLock(ProgContext ctx)
    {
        ctx.Core.Rcu.Enter();
        ctx.RcuDepth++;
    }

    [Kfunc("bpf_rcu_read_unlock", Hooks = KfuncHooks.Common, Profiles = ProfileSet.Linux6_2,
        Prototype = "void bpf_rcu_read_unlock(void)")]
    [Kfunc("bpf_rcu_read_unlock",
        Hooks = KfuncHooks.Common,
        Prototype = "void bpf_rcu_read_unlock(void)")]
    internal static void RcuReadUnlock(ProgContext ctx)
    {
        if (ctx.RcuDepth == 0)
        {
            throw new ProgramFaultException(DiagCode.UnbalancedUnlock, "bpf_rcu_read_unlock without a lock");
        }

        ctx.RcuDepth--;
        ctx.Core.Rcu.TryLeave();
    }

    [Kfunc("bpf_preempt_disable",
        Hooks = KfuncHooks.Common,
        Prototype = "void bpf_preempt_disable(void)")]
    internal static void PreemptDisable(ProgContext ctx)
    {
        ctx.Core.Thread.PreemptDepth++;
        ctx.PreemptDepth++;
    }

    [Kfunc("bpf_preempt_enable",
        Hooks = KfuncHooks.Common,
        Prototype = "void bpf_preempt_enable(void)")]
    internal static void PreemptEnable(ProgContext ctx)
    {
        if (ctx.PreemptDepth == 0)
        {
            throw new ProgramFaultException(DiagCode.UnbalancedUnlock, "bpf_preempt_enable without a disable");
        }

        ctx.PreemptDepth--;
        ctx.Core.Thread.PreemptDepth--;
    }

    /// <summary>The same address under another type: the machine's contexts are laid out as the kernel's.</summary>
    [Kfunc("bpf_rdonly_cast", Hooks = KfuncHooks.Common, Profiles = ProfileSet.Linux6_2,
        Prototype = "void *bpf_rdonly_cast(void *obj__ign, u32 btf_id__k)")]
    [Kfunc("bpf_rdonly_cast",
        Hooks = KfuncHooks.Common,
        Prototype = "void *bpf_rdonly_cast(const void *obj__ign, u32 btf_id__k)")]
    internal static ulong RdonlyCast(ulong obj, uint btfId)
    {
        _ = btfId;
        return obj;
    }

    /// <summary>
    /// Ends the program. The machine does that itself, since it owns the frames; this stands for the declaration.
    /// </summary>
    [Kfunc("bpf_throw",
        Prototype = "void bpf_throw(u64 cookie)")]
    internal static void Throw(ulong cookie) =>
        throw new ProgramFaultException(DiagCode.CallMisuse, $"bpf_throw({cookie}) outside of a program");
}
