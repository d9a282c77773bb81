using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>
/// What programs at cgroup hooks and on TCP's events ask for besides. Kernel:
/// kernel/bpf/cgroup.c, net/core/filter.c, 6.12.
/// </summary>
internal static class CgroupHookHelpers
{
    private const int AllEvents = 0x7f;
    private const int IsFullSockField = 72;
    private const int EventsField = 84;

    /// <summary>What the system call is going to return; 0 where no program has said otherwise.</summary>
    [Helper(HelperId.GetRetval)]
    internal static int GetRetval(ProgContext ctx) => ctx.Retval;

    [Helper(HelperId.SetRetval)]
    internal static Errno SetRetval(ProgContext ctx, int value)
    {
        ctx.Retval = value;
        return Errno.None;
    }

    /// <summary>Which events of a connection are to run the program.</summary>
    /// <returns>The events asked for that there are not.</returns>
    [Helper(HelperId.SockOpsCbFlagsSet)]
    internal static int SetEvents(ProgContext ctx, ulong context, int events)
    {
        var packet = ctx.PacketAt(context);
        if (packet.Field<uint>(IsFullSockField) == 0)
        {
            return (int)Errno.EINVAL;
        }

        packet.Field<int>(EventsField) = events & AllEvents;
        return events & ~AllEvents;
    }
}
