using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>
/// Statistics that programs keep per cgroup and CPU, and add up on demand. Kernel: kernel/cgroup/rstat.c, 6.12.
/// </summary>
[KfuncSet(KfuncHooks.Tracing)]
internal static class RstatKfuncs
{
    /// <summary>Notes that a cgroup has something to add up that happened on a CPU.</summary>
    [Kfunc("cgroup_rstat_updated", Profiles = ProfileSet.All,
        Prototype = "void cgroup_rstat_updated(struct cgroup *cgrp, int cpu)")]
    internal static void Updated(ProgContext ctx, Cgroup cgroup, int cpu) =>
        ctx.Core.Cgroups.NoteUpdated(cgroup, cpu);

    /// <summary>
    /// Calls <c>bpf_rstat_flush</c> for every cgroup that was noted, here and below, and for those above them up to
    /// here: CPU by CPU, children before their parents.
    /// </summary>
    [Kfunc("cgroup_rstat_flush", KfuncFlags.Sleepable, Profiles = ProfileSet.All,
        Prototype = "void cgroup_rstat_flush(struct cgroup *cgrp)")]
    internal static void Flush(ProgContext ctx, Cgroup cgroup)
    {
        ctx.Core.MightSleep("cgroup_rstat_flush");
        foreach (var (updated, cpu) in ctx.Core.Cgroups.TakeUpdated(cgroup))
        {
            ctx.Core.CallHook("bpf_rstat_flush", updated.Address, updated.Parent?.Address ?? 0, (ulong)cpu);
        }
    }
}
