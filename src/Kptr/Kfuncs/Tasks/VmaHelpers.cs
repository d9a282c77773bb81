using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>A task's mappings. Kernel: kernel/bpf/task_iter.c, 6.12.</summary>
internal static class VmaHelpers
{
    /// <summary>Calls back with the mapping that an address lies in.</summary>
    [Helper(HelperId.FindVma)]
    internal static Errno Find(
        ProgContext ctx, TaskStruct? task, ulong address, ulong callback, ulong callbackCtx, ulong flags)
    {
        if (flags != 0)
        {
            return Errno.EINVAL;
        }

        if (task?.Mm is not { } mm || !mm.TryAcquireCount())
        {
            return Errno.ENOENT;
        }

        try
        {
            if (mm.VmaAt(address) is not (> 0 and var vma))
            {
                return Errno.ENOENT;
            }

            ctx.Callbacks.Call(callback, task.Address, vma, callbackCtx);
            return Errno.None;
        }
        finally
        {
            mm.ReleaseCount();
        }
    }
}
