using Kptr.Diagnostics;

namespace Kptr.Objects;

// Signals, as far as they end tasks. Kernel: check_kill_permission, send_signal_locked, get_signal (kernel/signal.c,
// 6.12).
public sealed partial class TaskTable
{
    internal const int SignalMax = 64;
    private const ulong Delivered = 0; // TRACE_SIGNAL_DELIVERED
    private const ulong Ignored = 1; // TRACE_SIGNAL_IGNORED
    private static readonly int[] IgnoredSignals = [17, 18, 23, 28]; // CHLD, CONT, URG, WINCH
    private static readonly int[] StopSignals = [19, 20, 21, 22]; // STOP, TSTP, TTIN, TTOU
    private static readonly FieldSpec[] InfoFields =
    [
        new("si_signo", 4), new("si_code", 4), new("_sifields._kill._pid", 4), new("_sifields._kill._uid.val", 4),
    ];

    /// <summary>
    /// A task sends a process a signal (<c>kill(2)</c>): asks the LSM hook <c>task_kill</c>, fires
    /// <c>signal_generate</c> and, where somebody gets it, <c>signal_deliver</c>. A signal that ends a process by
    /// default ends it.
    /// </summary>
    /// <param name="sender">Who sends it: root, or a task of the same user.</param>
    /// <param name="target">Any thread of the process.</param>
    /// <param name="signal">Its number, 1 to 64; 0 asks whether one may be sent.</param>
    /// <returns>
    /// <see cref="Errno.EPERM"/> or what an LSM program says where that is refused, <see cref="Errno.ESRCH"/> where the
    /// process is reaped, <see cref="Errno.EINVAL"/> for another number.
    /// </returns>
    /// <remarks>
    /// Processes of the model have no handlers of their own. A stop signal is delivered and stops nobody. The first
    /// task and the kernel's threads ignore all signals.
    /// </remarks>
    /// <exception cref="InvalidOperationException">The sender is not alive.</exception>
    public Errno Kill(TaskStruct sender, TaskStruct target, int signal)
    {
        _core.CheckOwn(sender);
        _core.CheckOwn(target);
        RequireAlive(sender);
        if (signal is < 0 or > SignalMax)
        {
            return Errno.EINVAL;
        }

        if (target.Pid == 0 || target.Phase is TaskPhase.Reaped or TaskPhase.Freed)
        {
            return Errno.ESRCH;
        }

        if (sender.Group != target.Group && !MayKill(sender, target))
        {
            return Errno.EPERM;
        }

        var info = new KernelStruct(_core, "kernel_siginfo", InfoFields);
        try
        {
            info.Put("si_signo", (ulong)signal);
            info.Put("_sifields._kill._pid", (ulong)sender.Tgid);
            info.Put("_sifields._kill._uid.val", CredOf(sender, "uid"));
            return Send(sender, target, signal, info.Address);
        }
        finally
        {
            info.Free();
        }
    }

    /// <summary>The kernel sends a signal to a task's process, once deferred work runs; nobody is asked.</summary>
    internal Errno KillLater(TaskStruct target, int signal)
    {
        if (signal != 0)
        {
            _core.Work.Enqueue(
                static s => ((KernelSignal)s).Table.SendByKernel((KernelSignal)s),
                new KernelSignal(this, target, signal), "do_bpf_send_signal");
        }

        return Errno.None;
    }

    private void SendByKernel(KernelSignal sent)
    {
        const ulong fromKernel = 0x80; // SI_KERNEL
        if (sent.Target.Phase != TaskPhase.Alive)
        {
            return;
        }

        var info = new KernelStruct(_core, "kernel_siginfo", InfoFields);
        try
        {
            info.Put("si_signo", (ulong)sent.Signal);
            info.Put("si_code", fromKernel);
            Deliver(_core.Tasks.Current, sent.Target, sent.Signal, info.Address);
        }
        finally
        {
            info.Free();
        }
    }

    private Errno Send(TaskStruct sender, TaskStruct target, int signal, ulong info)
    {
        using (Run(sender))
        {
            if (_core.CallHook("task_kill", target.Address, info, (ulong)signal, 0) is not 0 and var refusal)
            {
                return (Errno)refusal;
            }

        }

        if (signal != 0)
        {
            Deliver(sender, target, signal, info);
        }

        return Errno.None;
    }

    private void Deliver(TaskStruct sender, TaskStruct target, int signal, ulong info)
    {
        var isIgnored = target.Leader == Init || (target.Flags & TaskFlags.Kthread) != 0
            || target.Phase != TaskPhase.Alive || IgnoredSignals.Contains(signal);
        using (Run(sender))
        {
            _core.Fire(
                "signal_generate", (ulong)signal, info, target.Address, 1, isIgnored ? Ignored : Delivered);
        }

        if (!isIgnored)
        {
            using (Run(target))
            {
                _core.Fire("signal_deliver", (ulong)signal, info, 0);
            }

            if (!StopSignals.Contains(signal))
            {
                ExitProcess(target, signal);
            }
        }
    }

    private ulong CredOf(TaskStruct task, string id) =>
        KernelMemory.Get(task.Get("cred"), _rootCred.Layout.Field($"{id}.val"));

    // kill_ok_by_cred; root has CAP_KILL.
    private bool MayKill(TaskStruct sender, TaskStruct target)
    {
        var (effective, real) = (CredOf(sender, "euid"), CredOf(sender, "uid"));
        var (saved, theirs) = (CredOf(target, "suid"), CredOf(target, "uid"));
        return effective == 0 || effective == saved || effective == theirs || real == saved || real == theirs;
    }

    private sealed record KernelSignal(TaskTable Table, TaskStruct Target, int Signal);
}
