using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>
/// About the traced function: its arguments, its result, its address. Kernel: kernel/trace/bpf_trace.c, 6.12.
/// </summary>
internal static class FuncArgHelpers
{
    [Helper(HelperId.GetFuncArgCnt)]
    internal static int Count(ProgContext ctx) => ctx.Event.ArgCount;

    [Helper(HelperId.GetFuncArg)]
    internal static Errno Arg(ProgContext ctx, ulong args, uint index, ulong value)
    {
        if (index >= (uint)ctx.Event.ArgCount)
        {
            return Errno.EINVAL;
        }

        ctx.Write(value, ctx.Read<ulong>(args + (index * sizeof(ulong))));
        return Errno.None;
    }

    [Helper(HelperId.GetFuncRet)]
    internal static Errno Ret(ProgContext ctx, ulong args, ulong value)
    {
        if (!ctx.Event.HasReturn)
        {
            return Errno.EOPNOTSUPP;
        }

        ctx.Write(value, ctx.Read<ulong>(args + ((ulong)ctx.Event.ArgCount * sizeof(ulong))));
        return Errno.None;
    }

    /// <summary>A function of the model has an address of its own, but no code there.</summary>
    [Helper(HelperId.GetFuncIp)]
    internal static ulong FuncIp(ProgContext ctx, ulong context)
    {
        _ = context;
        return ctx.Event.FuncAddress;
    }

    [Helper(HelperId.GetAttachCookie)]
    internal static ulong AttachCookie(ProgContext ctx, ulong context)
    {
        _ = context;
        return ctx.Event.Cookie;
    }
}
