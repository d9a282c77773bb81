using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>What the open-coded iterators over kernel objects have in common: the next object, and the end.</summary>
/// <remarks>Kernel: kernel/bpf/task_iter.c and cgroup_iter.c, 6.12.</remarks>
[KfuncSet(KfuncHooks.Common)]
internal static class ObjectIterKfuncs
{
    [Kfunc("bpf_iter_task_next", KfuncFlags.RetNull | KfuncFlags.IterNext,
        Prototype = "struct task_struct *bpf_iter_task_next(struct bpf_iter_task *it)")]
    [Kfunc("bpf_iter_task_vma_next", KfuncFlags.RetNull | KfuncFlags.IterNext,
        Prototype = "struct vm_area_struct *bpf_iter_task_vma_next(struct bpf_iter_task_vma *it)")]
    [Kfunc("bpf_iter_css_next", KfuncFlags.RetNull | KfuncFlags.IterNext,
        Prototype = "struct cgroup_subsys_state *bpf_iter_css_next(struct bpf_iter_css *it)")]
    [Kfunc("bpf_iter_css_task_next", KfuncFlags.RetNull | KfuncFlags.IterNext,
        Prototype = "struct task_struct *bpf_iter_css_task_next(struct bpf_iter_css_task *it)")]
    internal static ulong Next(ProgContext ctx, ulong it) => ctx.Iterators.Next(it);

    [Kfunc("bpf_iter_task_destroy", KfuncFlags.IterDestroy,
        Prototype = "void bpf_iter_task_destroy(struct bpf_iter_task *it)")]
    [Kfunc("bpf_iter_task_vma_destroy", KfuncFlags.IterDestroy,
        Prototype = "void bpf_iter_task_vma_destroy(struct bpf_iter_task_vma *it)")]
    [Kfunc("bpf_iter_css_destroy", KfuncFlags.IterDestroy,
        Prototype = "void bpf_iter_css_destroy(struct bpf_iter_css *it)")]
    [Kfunc("bpf_iter_css_task_destroy", KfuncFlags.IterDestroy,
        Prototype = "void bpf_iter_css_task_destroy(struct bpf_iter_css_task *it)")]
    internal static void Destroy(ProgContext ctx, ulong it) => ctx.Iterators.Close(ctx, it);
}
