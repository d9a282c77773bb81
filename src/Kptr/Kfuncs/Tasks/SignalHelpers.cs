using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>
/// Signals to the current task. Kernel: <c>bpf_send_signal_common</c> (kernel/trace/bpf_trace.c, 6.12).
/// </summary>
internal static class SignalHelpers
{
    /// <summary>
    /// A signal from the kernel. It gets to the task once the program is done: it is deferred, as where Linux must not
    /// take the task's lock.
    /// </summary>
    /// <remarks>What ends a thread ends its process, so both helpers come to the same.</remarks>
    [Helper(HelperId.SendSignal, HelperId.SendSignalThread)]
    internal static Errno SendSignal(ProgContext ctx, uint signal)
    {
        var task = ctx.Current;
        if (task.Pid == 0 || task.Phase != TaskPhase.Alive || task.Leader == ctx.Core.Tasks.Init
            || (task.Flags & TaskFlags.Kthread) != 0)
        {
            return Errno.EPERM;
        }

        return signal > TaskTable.SignalMax ? Errno.EINVAL : ctx.Core.Tasks.KillLater(task, (int)signal);
    }
}
