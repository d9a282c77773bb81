namespace Kptr.Verifier;

/// <content>The sections a program may be in.</content>
internal sealed partial class VerifierRun
{
    /// <summary>Whether this point of the program may sleep (<c>in_sleepable</c>).</summary>
    public bool InSleepable => Cur.InSleepable || (Prog.IsSleepable && !Kernel.Profile.CallbacksSleepAlone);

    /// <summary>Where this is that must not sleep; null where it may (<c>in_sleepable_context</c>).</summary>
    private string? WhyNoSleep => Cur.ActiveRcuLock ? "rcu_read_lock region"
        : Cur.ActivePreemptLock != 0 ? "non-preemptible region"
        : Cur.IrqsOff is not null ? "IRQ-disabled region"
        : Cur.LockHeld ? "lock region"
        : !InSleepable ? "non-sleepable prog"
        : null;

    /// <summary>The call whose section is open, of those a lock is not among; null where none is.</summary>
    private string? OpenSection => Cur.IrqsOff is not null ? "bpf_local_irq_save"
        : Cur.ActiveRcuLock ? "bpf_rcu_read_lock"
        : Cur.ActivePreemptLock != 0 ? "bpf_preempt_disable"
        : null;

    /// <summary>Whether RCU objects stay alive here: 6.12's rule for kptr loads (<c>in_rcu_cs</c>).</summary>
    public bool InRcuCs => Cur.ActiveRcuLock || Cur.LockHeld || !InSleepable;
}
