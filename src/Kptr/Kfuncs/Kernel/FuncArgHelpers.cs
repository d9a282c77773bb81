using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>Arguments of the traced function by number. Kernel: kernel/trace/bpf_trace.c, 6.12.</summary>
internal static class FuncArgHelpers
{
    [Helper(HelperId.GetFuncArgCnt)]
    internal static int Count(ProgContext ctx) => ctx.ArgCount;

    [Helper(HelperId.GetFuncArg)]
    internal static Errno Arg(ProgContext ctx, ulong args, uint index, ulong value)
    {
        if (index >= (uint)ctx.ArgCount)
        {
            return Errno.EINVAL;
        }

        ctx.Write(value, ctx.Read<ulong>(args + (index * sizeof(ulong))));
        return Errno.None;
    }
}
