using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>Loops over callbacks. Kernel: kernel/bpf/bpf_iter.c, 6.12.</summary>
internal static class LoopHelpers
{
    [Helper(HelperId.Loop)]
    internal static long Loop(ProgContext ctx, uint count, ulong callback, ulong callbackCtx, ulong flags)
    {
        if (flags != 0)
        {
            return (long)Errno.EINVAL;
        }

        if (count > NumIterKfuncs.LoopsMax)
        {
            return (long)Errno.E2BIG;
        }

        for (var i = 0u; i < count; i++)
        {
            if (ctx.Callbacks.Call(callback, i, callbackCtx) != 0)
            {
                return i + 1;
            }
        }

        return count;
    }
}
