namespace Kptr.Objects;

/// <summary>
/// Holds back what this thread reports until it is disposed: declare it before a lock is taken, and
/// handlers run after it is left.
/// </summary>
/// <remarks>Holds nest; the outermost one makes the faults known, and throws where the options ask for it.</remarks>
internal readonly ref struct FaultHold
{
    private readonly KernelCore _core;
    private readonly ThreadState _thread;

    internal FaultHold(KernelCore core)
    {
        _core = core;
        _thread = core.Thread;
        _thread.FaultHolds++;
    }

    /// <summary>Ends the hold.</summary>
    /// <exception cref="KernelFaultException">Faults were held back, and the options ask for them
    /// to be thrown.</exception>
    public void Dispose()
    {
        if (--_thread.FaultHolds == 0 && _thread.HeldFaults.Count > 0)
        {
            KernelFault[] held = [.. _thread.HeldFaults];
            _thread.HeldFaults.Clear();
            _core.FaultDesk.MakeKnown(held);
        }
    }
}
