using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>Iterators over tasks and their mappings. Kernel: kernel/bpf/task_iter.c, 6.12.</summary>
internal static class TaskIterKfuncs
{
    private const uint AllProcs = 0;
    private const uint AllThreads = 1;
    private const uint ProcThreads = 2;

    [Kfunc("bpf_iter_task_new", KfuncFlags.TrustedArgs | KfuncFlags.IterNew | KfuncFlags.RcuProtected,
        Hooks = KfuncHooks.Common,
        Prototype = "int bpf_iter_task_new(struct bpf_iter_task *it, struct task_struct *task__nullable, unsigned int flags)")]
    internal static Errno TaskNew(ProgContext ctx, ulong it, TaskStruct? task, uint flags)
    {
        ctx.Iterators.Close(ctx, it);
        if (flags > ProcThreads || (flags == ProcThreads && task is null))
        {
            return Errno.EINVAL;
        }

        IEnumerable<TaskStruct> tasks = flags switch
        {
            AllProcs => ctx.Core.Tasks.All.Where(t => t.IsLeader),
            AllThreads => ctx.Core.Tasks.All.Where(t => t.IsLeader).SelectMany(ctx.Core.Tasks.ThreadsOf),
            _ => ctx.Core.Tasks.ThreadsOf(task!).SkipWhile(t => t != task),
        };
        ctx.Iterators.Open(ctx, it, tasks.Select(t => t.Address));
        return Errno.None;
    }

    [Kfunc("bpf_iter_task_next", KfuncFlags.RetNull | KfuncFlags.IterNext,
        Hooks = KfuncHooks.Common,
        Prototype = "struct task_struct *bpf_iter_task_next(struct bpf_iter_task *it)")]
    internal static ulong TaskNext(ProgContext ctx, ulong it) => ctx.Iterators.Next(it);

    [Kfunc("bpf_iter_task_destroy", KfuncFlags.IterDestroy,
        Hooks = KfuncHooks.Common,
        Prototype = "void bpf_iter_task_destroy(struct bpf_iter_task *it)")]
    internal static void TaskDestroy(ProgContext ctx, ulong it) => ctx.Iterators.Close(ctx, it);

    [Kfunc("bpf_iter_task_vma_new", KfuncFlags.Rcu | KfuncFlags.IterNew,
        Hooks = KfuncHooks.Common,
        Prototype = "int bpf_iter_task_vma_new(struct bpf_iter_task_vma *it, struct task_struct *task, u64 addr)")]
    internal static Errno VmaNew(ProgContext ctx, ulong it, TaskStruct task, ulong address)
    {
        ctx.Iterators.Close(ctx, it);
        if (task.Mm is not { } mm || !mm.TryAcquireCount())
        {
            return Errno.ENOENT;
        }

        ctx.Iterators.Open(ctx, it, mm.VmasFrom(address), mm);
        return Errno.None;
    }

    [Kfunc("bpf_iter_task_vma_next", KfuncFlags.RetNull | KfuncFlags.IterNext,
        Hooks = KfuncHooks.Common,
        Prototype = "struct vm_area_struct *bpf_iter_task_vma_next(struct bpf_iter_task_vma *it)")]
    internal static ulong VmaNext(ProgContext ctx, ulong it) => ctx.Iterators.Next(it);

    [Kfunc("bpf_iter_task_vma_destroy", KfuncFlags.IterDestroy,
        Hooks = KfuncHooks.Common,
        Prototype = "void bpf_iter_task_vma_destroy(struct bpf_iter_task_vma *it)")]
    internal static void VmaDestroy(ProgContext ctx, ulong it) => ctx.Iterators.Close(ctx, it);
}
