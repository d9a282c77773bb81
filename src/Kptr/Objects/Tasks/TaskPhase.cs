namespace Kptr.Objects;

/// <summary>Where a task is in its life.</summary>
public enum TaskPhase
{
    /// <summary>Runs or could run.</summary>
    Alive,

    /// <summary>Has exited and waits for its parent; still found by its pid, and can still be acquired.</summary>
    Zombie,

    /// <summary>Reaped: its pid is free. The <c>task_struct</c> lives on as long as somebody has a reference.</summary>
    Reaped,

    /// <summary>The <c>task_struct</c> is freed.</summary>
    Freed,
}

/// <summary>Bits of <c>task->flags</c> that the model maintains.</summary>
/// <remarks>Kernel: <c>PF_*</c> in <c>include/linux/sched.h</c> (6.12).</remarks>
[Flags]
public enum TaskFlags : uint
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>Is shutting down (<c>PF_EXITING</c>).</summary>
    Exiting = 0x4,

    /// <summary>Forked but did not exec (<c>PF_FORKNOEXEC</c>).</summary>
    ForkNoExec = 0x40,

    /// <summary>Kernel thread (<c>PF_KTHREAD</c>).</summary>
    Kthread = 0x0020_0000,
}
