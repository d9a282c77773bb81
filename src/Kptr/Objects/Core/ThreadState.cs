namespace Kptr.Objects;

/// <summary>What one thread is, in one modelled kernel: the CPU it runs on and in which context.</summary>
internal sealed class ThreadState
{
    internal ExecContext Context { get; set; }

    internal int Cpu { get; set; }

    internal int PreemptDepth { get; set; }

    internal int IrqOffDepth { get; set; }

    /// <summary>Spin locks held: nothing may sleep under them.</summary>
    internal int LockDepth { get; set; }

    /// <summary>Deferred callbacks that this thread is inside of.</summary>
    internal int DeferredDepth { get; set; }

    /// <summary>Objects whose fields this thread is giving back; the first one is being worked on.</summary>
    internal Queue<AllocatedObject> Ending { get; } = [];

    /// <summary>An object is being put into words: what that reads of freed memory is no fault of its own.</summary>
    internal bool IsDescribing { get; set; }

    /// <summary>How many <see cref="FaultHold"/>s are open: faults are kept and told of later.</summary>
    internal int FaultHolds { get; set; }

    /// <summary>What was reported meanwhile.</summary>
    internal List<KernelFault> HeldFaults { get; } = [];

    /// <summary>Whether handlers of faults run on this thread now.</summary>
    internal bool IsTellingOfFault { get; set; }

    /// <summary>Programs that events run on this thread now, and the kernel for those that share one mark.</summary>
    internal List<object> ActivePrograms { get; } = [];

    /// <summary>Handlers of hooks that this thread is inside of.</summary>
    internal int HandlerDepth { get; set; }

    /// <summary>Calls of a program on this thread whose acquires are not made to fail.</summary>
    internal int CertainCalls { get; set; }

    internal ProgramScope? Scope { get; set; }

    /// <summary>The innermost program that runs on this thread: what C# does meanwhile, its instruction does.</summary>
    internal IProgramRun? Run { get; set; }

    internal TaskStruct? CurrentTask { get; set; }

    /// <summary>Contexts of runs that have ended and that nobody kept: the next run of a program takes one.</summary>
    /// <remarks>They refer to no kernel meanwhile: a thread would keep every kernel that it ran in.</remarks>
    internal object? SpareContexts { get; set; }

    /// <summary>Machines of runs that have ended; nor do these.</summary>
    internal object? SpareMachines { get; set; }

    /// <summary>This thread's part in RCU, once it has been a reader.</summary>
    internal RcuReader? Reader;

    /// <summary>Its part in the flavour whose readers may sleep.</summary>
    internal RcuReader? TraceReader;
}
