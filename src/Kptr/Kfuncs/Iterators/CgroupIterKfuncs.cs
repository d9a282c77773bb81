using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>
/// Iterators over the cgroup tree and the tasks in a cgroup. Kernel: kernel/bpf/cgroup_iter.c and task_iter.c, 6.12.
/// </summary>
/// <remarks>The only css the model has is a cgroup's own (<c>cgroup->self</c>).</remarks>
[KfuncSet(KfuncHooks.Common)]
internal static class CgroupIterKfuncs
{
    private const uint Procs = 1;
    private const uint Threaded = 2;

    [Kfunc("bpf_iter_css_new", KfuncFlags.TrustedArgs | KfuncFlags.IterNew | KfuncFlags.RcuProtected,
        Prototype = "int bpf_iter_css_new(struct bpf_iter_css *it, struct cgroup_subsys_state *start, "
            + "unsigned int flags)")]
    internal static Errno CssNew(ProgContext ctx, ulong it, ulong start, uint flags)
    {
        ctx.Iterators.Close(ctx, it);
        if (flags is not (CgroupWalk.DescendantsPre or CgroupWalk.DescendantsPost or CgroupWalk.AncestorsUp))
        {
            return Errno.EINVAL;
        }

        var cgroups = CgroupWalk.From(ctx.Core, CgroupOf(ctx, start), (int)flags);
        ctx.Iterators.Open(ctx, it, cgroups.Select(c => c.Address + SelfOffset(c)));
        return Errno.None;
    }

    [Kfunc("bpf_iter_css_task_new", KfuncFlags.TrustedArgs | KfuncFlags.IterNew,
        Prototype = "int bpf_iter_css_task_new(struct bpf_iter_css_task *it, struct cgroup_subsys_state *css, "
            + "unsigned int flags)")]
    internal static Errno CssTaskNew(ProgContext ctx, ulong it, ulong css, uint flags)
    {
        ctx.Iterators.Close(ctx, it);
        if (flags is not (0 or Procs or (Procs | Threaded)))
        {
            return Errno.EINVAL;
        }

        var cgroup = CgroupOf(ctx, css);
        var tasks = ctx.Core.Tasks.All.Where(t => t.Cgroup == cgroup && (flags == 0 || t.IsLeader));
        ctx.Iterators.OpenPinning(ctx, it, tasks);
        return Errno.None;
    }

    private static Cgroup CgroupOf(ProgContext ctx, ulong css) =>
        ctx.Core.Heap.TryFindRegion(css, sizeof(ulong), out var region) && region.Object is Cgroup cgroup
        && region.Address + SelfOffset(cgroup) == css
            ? cgroup
            : throw new ProgramFaultException(DiagCode.CallBadObject, $"{css:x} is no css of a live cgroup");

    private static ulong SelfOffset(Cgroup cgroup) => (ulong)cgroup.Layout.Field("self").OffsetBytes;
}
