using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>Tail calls. Kernel: kernel/bpf/core.c, 6.12.</summary>
internal static class TailCallHelper
{
    /// <summary>Returns only where there is no program at the index, or 33 tail calls were made.</summary>
    [Helper(HelperId.TailCall)]
    internal static Errno TailCall(ProgContext ctx, ulong programCtx, ulong map, uint index)
    {
        _ = programCtx;
        var programs = ctx.MapAt(map) as ProgArrayMap
            ?? throw new ProgramFaultException(DiagCode.CallBadObject, $"the map at {map:x} is no program array");
        if (programs.TargetAt(index) is { } target)
        {
            ctx.Callbacks.TailCall(target);
        }

        return Errno.ENOENT;
    }
}
