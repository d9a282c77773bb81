using Kptr.Diagnostics;

namespace Kptr.Objects;

/// <summary>What makes deferred things happen: on a pool thread while there are any, or step by step.</summary>
internal sealed class DeferredEngine
{
    private readonly KernelCore _core;
    private int _isScheduled;
    private bool _isStopped;

    internal DeferredEngine(KernelCore core)
    {
        _core = core;
    }

    internal int PendingCount =>
        _core.IrqWork.PendingCount + _core.Work.PendingCount + _core.Rcu.PendingCount + _core.RcuTrace.PendingCount;

    /// <summary>Something was queued.</summary>
    internal void Kick()
    {
        if (_core.Options.Driver == DeferredDriver.Background && !Volatile.Read(ref _isStopped)
            && Interlocked.CompareExchange(ref _isScheduled, 1, 0) == 0)
        {
            ThreadPool.UnsafeQueueUserWorkItem(static e => e.Pump(), this, preferLocal: false);
        }
    }

    /// <summary>Runs until nothing is pending.</summary>
    internal void Drain()
    {
        if (_core.Rcu.IsReader || _core.RcuTrace.IsReader)
        {
            _core.Report(new(DiagCode.WaitInsideReader, "quiesce inside an RCU reader would wait for itself"));
            return;
        }

        var spin = default(SpinWait);
        while (PendingCount > 0)
        {
            if (!RunSome())
            {
                spin.SpinOnce();
            }
        }
    }

    internal void Stop() => Volatile.Write(ref _isStopped, true);

    private void Pump()
    {
        var spin = default(SpinWait);
        while (!Volatile.Read(ref _isStopped) && PendingCount > 0)
        {
            if (!RunSome())
            {
                spin.SpinOnce();
            }
        }

        Volatile.Write(ref _isScheduled, 0);
        if (PendingCount > 0)
        {
            Kick();
        }
    }

    private bool RunSome()
    {
        var ran = false;
        while (_core.IrqWork.Step() || _core.Work.Step())
        {
            ran = true;
        }

        ran |= _core.Rcu.Step() > 0;
        ran |= _core.RcuTrace.Step() > 0;
        return ran;
    }
}
