using System.Text;
using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>About the task on whose behalf the program runs. Kernel: kernel/bpf/helpers.c, 6.12.</summary>
internal static class CurrentHelpers
{
    [Helper(HelperId.GetCurrentTask, HelperId.GetCurrentTaskBtf)]
    internal static TaskStruct CurrentTask(ProgContext ctx) => ctx.Current;

    [Helper(HelperId.GetCurrentPidTgid)]
    internal static ulong PidTgid(ProgContext ctx) => Pair(ctx.Current.Tgid, ctx.Current.Pid);

    [Helper(HelperId.GetCurrentUidGid)]
    internal static ulong UidGid(ProgContext ctx)
    {
        var layout = ctx.Core.LayoutOf("cred", TaskFields.Cred);
        var cred = ctx.Current.Read<ulong>("cred");
        return cred == 0 ? 0 : Pair(
            (int)KernelMemory.Get(cred, layout.Field("gid.val")), (int)KernelMemory.Get(cred, layout.Field("uid.val")));
    }

    [Helper(HelperId.GetCurrentComm)]
    internal static Errno Comm(ProgContext ctx, ulong buffer, uint size)
    {
        var room = ctx.Memory(buffer, (int)size);
        room.Clear();
        if (size == 0)
        {
            return Errno.EINVAL;
        }

        var name = Encoding.UTF8.GetBytes(ctx.Current.Comm);
        name.AsSpan(0, Math.Min(name.Length, (int)size - 1)).CopyTo(room);
        return Errno.None;
    }

    [Helper(HelperId.GetCurrentCgroupId)]
    internal static ulong CgroupId(ProgContext ctx) => ctx.Current.Cgroup.Id;

    [Helper(HelperId.GetCurrentAncestorCgroupId)]
    internal static ulong AncestorCgroupId(ProgContext ctx, int level) =>
        level < 0 ? 0 : ctx.Current.Cgroup.AncestorAt(level)?.Id ?? 0;

    /// <summary>The numbers in the pid namespace that the caller names, if it is current's own.</summary>
    [Helper(HelperId.GetNsCurrentPidTgid)]
    internal static Errno NsPidTgid(ProgContext ctx, ulong dev, ulong ino, ulong info, uint size)
    {
        const int infoBytes = 8;
        if (size != infoBytes)
        {
            ctx.Memory(info, (int)size).Clear();
            return Errno.EINVAL;
        }

        var room = ctx.Memory(info, infoBytes);
        room.Clear();
        var task = ctx.Current;
        var ns = task.PidNamespace;
        if (dev != NsFsDev || ino != KernelMemory.Get(
            ns.Address, ctx.Core.LayoutOf("pid_namespace", TaskFields.PidNamespace).Field("ns.inum")))
        {
            return Errno.EINVAL;
        }

        ctx.Write(info, task.PidIn(ns));
        ctx.Write(info + 4, task.Leader.PidIn(ns));
        return Errno.None;
    }

    /// <summary>Device number of the modelled nsfs.</summary>
    internal const ulong NsFsDev = 4;

    private static ulong Pair(int high, int low) => ((ulong)(uint)high << 32) | (uint)low;
}
