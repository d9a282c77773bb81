using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary><c>bpf_timer</c>. Kernel: kernel/bpf/helpers.c, 6.12.</summary>
internal static class TimerHelpers
{
    private const ulong ClockRealtime = 0;
    private const ulong ClockMonotonic = 1;
    private const ulong ClockBoottime = 7;
    private const ulong Abs = 1;
    private const ulong CpuPin = 2;

    [Helper(HelperId.TimerInit)]
    internal static Errno Init(ProgContext ctx, ulong timer, ulong map, ulong clock) =>
        clock is ClockRealtime or ClockMonotonic or ClockBoottime
            ? ctx.Host.Async.Init(ctx.MapAt(map), timer, isTimer: true) : Errno.EINVAL;

    [Helper(HelperId.TimerSetCallback)]
    internal static Errno SetCallback(ProgContext ctx, ulong timer, ulong callback) =>
        ctx.Host.Async.SetCallback(ctx, timer, callback);

    [Helper(HelperId.TimerStart)]
    internal static Errno Start(ProgContext ctx, ulong timer, ulong ns, ulong flags)
    {
        if (ctx.Core.Context == ExecContext.Nmi)
        {
            return Errno.EOPNOTSUPP;
        }

        return (flags & ~(Abs | CpuPin)) == 0 && ctx.Host.Async.Find(timer) is { Timer: { } known, HasCallback: true }
            ? known.Start((long)Math.Min(ns, long.MaxValue), (flags & Abs) != 0) : Errno.EINVAL;
    }

    /// <summary>
    /// Stops the timer, waits for its callback, and forgets the callback: it must be set again before a start.
    /// </summary>
    /// <returns>1 if it was going to fire, 0 if not.</returns>
    [Helper(HelperId.TimerCancel)]
    internal static int Cancel(ProgContext ctx, ulong timer)
    {
        if (ctx.Core.Context == ExecContext.Nmi)
        {
            return (int)Errno.EOPNOTSUPP;
        }

        if (ctx.Host.Async.Find(timer) is not { Timer: { } known } field)
        {
            return (int)Errno.EINVAL;
        }

        var result = known.Cancel();
        if (result >= 0)
        {
            field.SetCallback(null);
        }

        return result;
    }
}
