using System.Collections.Concurrent;
using Kptr.Diagnostics;

namespace Kptr.Objects;

/// <summary>
/// The faults of one kernel: kept, and made known to metrics, log and handlers with no lock of ours held.
/// </summary>
/// <remarks>
/// What a handler throws is collected and thrown by the next <see cref="KernelCore.Quiesce"/>. A fault that a handler
/// itself causes is kept and not made known again: it would call the handler for ever.
/// </remarks>
internal sealed class FaultDesk
{
    private const int KeptMax = 10_000;
    private readonly KernelCore _core;
    private readonly RankedLock _lock = new(LockRank.Faults);
    private readonly List<KernelFault> _kept = [];
    private readonly ConcurrentQueue<KernelFault> _late = new();

    internal FaultDesk(KernelCore core)
    {
        _core = core;
    }

    /// <summary>Told of every fault.</summary>
    internal event EventHandler<KernelFault>? Reported;

    /// <summary>The faults so far, oldest first; a copy.</summary>
    internal IReadOnlyList<KernelFault> All
    {
        get
        {
            using (_lock.Enter())
            {
                return [.. _kept];
            }
        }
    }

    /// <summary>Forgets the faults so far.</summary>
    /// <returns>What they were.</returns>
    internal IReadOnlyList<KernelFault> Take()
    {
        using (_lock.Enter())
        {
            KernelFault[] taken = [.. _kept];
            _kept.Clear();
            return taken;
        }
    }

    /// <summary>
    /// Keeps a fault and makes it known: at once; when this thread leaves its <see cref="FaultHold"/>; or late, while a
    /// program on this thread holds a spin lock.
    /// </summary>
    /// <exception cref="KernelFaultException">The options ask for faults to be thrown, and none
    /// is held back.</exception>
    internal void Report(KernelFault fault)
    {
        var thread = _core.Thread;
        if (thread.LockDepth > 0 && !_core.Options.ThrowOnFault)
        {
            ReportLate(fault);
            return;
        }

        Keep(fault);
        if (thread.FaultHolds > 0)
        {
            thread.HeldFaults.Add(fault);
        }
        else
        {
            MakeKnown([fault]);
        }
    }

    /// <summary>
    /// Keeps a fault now and lets whoever drives deferred work make it known. For the finalizer, and under locks.
    /// </summary>
    internal void ReportLate(KernelFault fault)
    {
        Keep(fault);
        if (_late.Count < KeptMax)
        {
            _core.Deferred.Add(_late, fault);
        }
    }

    /// <summary>Makes one fault known that was reported late.</summary>
    /// <returns>False when there was none.</returns>
    internal bool Step()
    {
        if (!_late.TryDequeue(out var fault))
        {
            return false;
        }

        _core.Deferred.Run(static s => ((Late)s).Run(), new Late(this, fault), ExecContext.Process);
        return true;
    }

    /// <summary>Makes faults known on this thread, oldest first.</summary>
    /// <exception cref="KernelFaultException">The options ask for faults to be thrown.</exception>
    internal void MakeKnown(IReadOnlyList<KernelFault> faults)
    {
        LockOrder.CallingOut("a handler of faults");
        var thread = _core.Thread;
        if (!thread.IsTellingOfFault)
        {
            thread.IsTellingOfFault = true;
            foreach (var fault in faults)
            {
                Tell(fault);
            }

            thread.IsTellingOfFault = false;
        }

        if (_core.Options.ThrowOnFault)
        {
            throw new KernelFaultException([.. faults]);
        }
    }

    // Whatever these throw stays here: an operation that reports a fault goes on as if nobody listened.
    private void Tell(KernelFault fault)
    {
        _core.Deferred.Guard(fault, f => _core.Metrics.Faulted(f.Code));
        _core.Deferred.Guard(fault, f => KernelLog.Fault(_core.Log, f.Code, f.ToString()));
        foreach (var handler in Delegate.EnumerateInvocationList(Reported))
        {
            _core.Deferred.Guard(fault, f => handler(_core, f));
        }
    }

    private void Keep(KernelFault fault)
    {
        ArgumentNullException.ThrowIfNull(fault);
        using (_lock.Enter())
        {
            if (_kept.Count < KeptMax)
            {
                _kept.Add(fault);
            }
        }
    }

    // A late fault is never thrown where it is made known: nobody there has to do with it.
    private sealed class Late(FaultDesk desk, KernelFault fault)
    {
        internal void Run()
        {
            LockOrder.CallingOut("a handler of faults");
            var thread = desk._core.Thread;
            thread.IsTellingOfFault = true;
            desk.Tell(fault);
            thread.IsTellingOfFault = false;
        }
    }
}
