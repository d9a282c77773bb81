using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>Iterators over tasks and their mappings. Kernel: kernel/bpf/task_iter.c, 6.12.</summary>
[KfuncSet(KfuncHooks.Common)]
internal static class TaskIterKfuncs
{
    private const uint AllProcs = 0;
    private const uint AllThreads = 1;
    private const uint ProcThreads = 2;

    [Kfunc("bpf_iter_task_new", KfuncFlags.TrustedArgs | KfuncFlags.IterNew | KfuncFlags.RcuProtected,
        Prototype = "int bpf_iter_task_new(struct bpf_iter_task *it, struct task_struct *task__nullable, "
            + "unsigned int flags)")]
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

    [Kfunc("bpf_iter_task_vma_new", KfuncFlags.Rcu | KfuncFlags.IterNew,
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
}
