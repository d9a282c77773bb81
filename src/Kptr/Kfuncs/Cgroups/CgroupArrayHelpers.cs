using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>Cgroups in arrays. Kernel: kernel/trace/bpf_trace.c, 6.12.</summary>
internal static class CgroupArrayHelpers
{
    /// <summary>1 where the current task is in the cgroup at an index or below it, else 0.</summary>
    [Helper(HelperId.CurrentTaskUnderCgroup)]
    internal static int CurrentTaskUnderCgroup(ProgContext ctx, ulong map, uint index)
    {
        var array = ctx.MapAt(map) as CgroupArrayMap ?? throw new ProgramFaultException(
            DiagCode.CallBadObject, $"the map at {map:x} is none of cgroups");
        using var reader = ctx.Core.Rcu.ReadLock();
        return index >= array.MaxEntries ? (int)Errno.E2BIG
            : array.Lookup(index) is not { } cgroup ? (int)Errno.EAGAIN
            : ctx.Current.Cgroup.IsUnder(cgroup) ? 1 : 0;
    }
}
