using Kptr.Objects;

namespace Kptr.Kfuncs;

/// <summary>
/// The cgroup tree in the orders that iterators know, by the numbers of <c>enum bpf_cgroup_iter_order</c>.
/// </summary>
internal static class CgroupWalk
{
    internal const int SelfOnly = 1;
    internal const int DescendantsPre = 2;
    internal const int DescendantsPost = 3;
    internal const int AncestorsUp = 4;

    internal static IEnumerable<Cgroup> From(KernelCore core, Cgroup top, int order) => order switch
    {
        SelfOnly => [top],
        DescendantsPre => PreOrder(core, top),
        DescendantsPost => PostOrder(core, top),
        _ => Up(top),
    };

    private static IEnumerable<Cgroup> PreOrder(KernelCore core, Cgroup top) =>
        core.Cgroups.ChildrenOf(top).SelectMany(c => PreOrder(core, c)).Prepend(top);

    private static IEnumerable<Cgroup> PostOrder(KernelCore core, Cgroup top) =>
        core.Cgroups.ChildrenOf(top).SelectMany(c => PostOrder(core, c)).Append(top);

    private static IEnumerable<Cgroup> Up(Cgroup from)
    {
        for (var at = from; at is not null; at = at.Parent)
        {
            yield return at;
        }
    }
}
