namespace Kptr.Verifier.Cfg;

/// <summary>What the control flow of a program must know of a call instruction.</summary>
[Flags]
internal enum CallTraits
{
    None = 0,

    /// <summary>Runs a callback before it returns (<c>is_sync_callback_calling_insn</c>).</summary>
    SyncCallback = 1,

    /// <summary>Registers a callback that runs later (timers, work queues).</summary>
    AsyncCallback = 2,

    /// <summary>May move packet data, so that packet pointers end.</summary>
    ChangesPktData = 4,

    /// <summary><c>bpf_iter_*_next</c>: the head of an open-coded loop.</summary>
    IterNext = 8,

    /// <summary><c>bpf_throw</c></summary>
    Throw = 16,

    /// <summary>May be called while a spin lock is held.</summary>
    AllowedUnderLock = 32,

    /// <summary><c>bpf_tail_call</c></summary>
    TailCall = 64,

    /// <summary>A helper or kfunc that may sleep.</summary>
    MightSleep = 128,
}
