namespace Kptr.Verifier;

/// <content>The sections a program may be in.</content>
internal sealed partial class VerifierRun
{
    /// <summary>Whether this point of the program may sleep (<c>in_sleepable</c>).</summary>
    public bool InSleepable => Prog.IsSleepable || Cur.InSleepable;

    /// <summary>Whether RCU objects stay alive here: 6.12's rule for kptr loads (<c>in_rcu_cs</c>).</summary>
    public bool InRcuCs => Cur.ActiveRcuLock || Cur.LockHeld || !InSleepable;
}
