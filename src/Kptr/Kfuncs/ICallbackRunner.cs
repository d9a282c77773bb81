namespace Kptr.Kfuncs;

/// <summary>What kfunc and helper bodies ask of the machine that runs the program. Execution implements it.</summary>
internal interface ICallbackRunner
{
    /// <summary>Calls a callback of the running program and returns its <c>r0</c>.</summary>
    /// <param name="func">What the program passed: the value that loading the callback's address put
    /// into the register.</param>
    /// <param name="r1">First argument.</param>
    /// <param name="r2">Second.</param>
    /// <param name="r3">Third.</param>
    /// <param name="r4">Fourth.</param>
    /// <param name="r5">Fifth.</param>
    ulong Call(ulong func, ulong r1, ulong r2 = 0, ulong r3 = 0, ulong r4 = 0, ulong r5 = 0);

    /// <summary>
    /// A callback to be run after this run has ended, each time as a run of its own: a timer, a work item.
    /// </summary>
    /// <returns>Takes the three arguments and gives <c>r0</c>; a fault in it is reported to the
    /// kernel, not thrown.</returns>
    Func<ulong, ulong, ulong, ulong> Defer(ulong func);

    /// <summary>
    /// Leaves this program for another (<c>bpf_tail_call</c>); returns only where that is not possible.
    /// </summary>
    /// <param name="target">What the slot of the program array holds.</param>
    void TailCall(object target);

    /// <summary>
    /// Whether the run may read, or write, all of these bytes: its stack, its context, map values, kernel memory.
    /// </summary>
    bool IsAccessible(ulong address, int sizeBytes, bool isWrite);

    /// <summary>Makes memory accessible until the run ends: a ring buffer record, a dynptr's slice.</summary>
    void AddRegion(ulong address, int sizeBytes, bool isWritable);

    /// <summary>Makes memory accessible in place of memory that was: a packet whose ends have moved.</summary>
    /// <param name="oldAddress">Where the memory began that the run loses; 0 for none.</param>
    /// <param name="address">Where the new begins.</param>
    /// <param name="sizeBytes">Its length.</param>
    /// <param name="isWritable">Whether the run may write it.</param>
    void MoveRegion(ulong oldAddress, ulong address, int sizeBytes, bool isWritable);

    /// <summary>Where the run keeps this value, such as <c>r6</c> or <c>fp-8</c>; null where it is not found.</summary>
    string? Locate(ulong value);
}
