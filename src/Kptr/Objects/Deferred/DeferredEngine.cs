using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using Kptr.Diagnostics;

namespace Kptr.Objects;

/// <summary>What makes deferred things happen: on a pool thread while there are any, or step by step.</summary>
internal sealed class DeferredEngine
{
    private const int FailuresMax = 100;
    private readonly KernelCore _core;
    private readonly ConcurrentQueue<ExceptionDispatchInfo> _failures = new();
    private int _pendingCount;
    private int _isScheduled;
    private bool _isStopped;

    internal DeferredEngine(KernelCore core)
    {
        _core = core;
    }

    /// <summary>
    /// Callbacks and items that wait or run. One count for all queues, so that what moves on is never missed.
    /// </summary>
    internal int PendingCount => Volatile.Read(ref _pendingCount);

    /// <summary>What waits now, by what it is about; of several, the first.</summary>
    internal IReadOnlyDictionary<object, DeferredHolder> Waiting()
    {
        var waiting = new Dictionary<object, DeferredHolder>(ReferenceEqualityComparer.Instance);
        foreach (var (queue, state, name) in _core.Rcu.Waiting().Concat(_core.RcuTrace.Waiting())
            .Concat(_core.Work.Waiting()))
        {
            waiting.TryAdd(state, new(queue, name));
        }

        return waiting;
    }

    /// <summary>
    /// Queues something, which is counted before it can run; where there is no memory for it, nothing is counted.
    /// </summary>
    internal void Add<T>(ConcurrentQueue<T> queue, T item)
    {
        Interlocked.Increment(ref _pendingCount);
        try
        {
            queue.Enqueue(item);
        }
        catch
        {
            Interlocked.Decrement(ref _pendingCount);
            throw;
        }

        Kick();
    }

    /// <summary>Runs one callback or item in its context, and counts it done.</summary>
    internal void Run(Action<object> run, object state, ExecContext context)
    {
        var thread = _core.Thread;
        thread.DeferredDepth++;
        try
        {
            LockOrder.CallingOut("deferred work");
            using var scope = _core.EnterContext(context);
            run(state);
        }
        finally
        {
            thread.DeferredDepth--;
            Interlocked.Decrement(ref _pendingCount);
        }
    }

    // What is queued stays queued: where the pool cannot be asked now, the next one asks again.
    private void Kick()
    {
        if (_core.Options.Driver == DeferredDriver.Background && !Volatile.Read(ref _isStopped)
            && Interlocked.CompareExchange(ref _isScheduled, 1, 0) == 0)
        {
            try
            {
                ThreadPool.UnsafeQueueUserWorkItem(static e => e.Pump(), this, preferLocal: false);
            }
            catch (OutOfMemoryException)
            {
                Volatile.Write(ref _isScheduled, 0);
            }
        }
    }

    /// <summary>
    /// An exception that nobody above can be handed: the next quiesce throws it. Of very many, the first are kept.
    /// </summary>
    internal void Fail(Exception failure)
    {
        if (_failures.Count < FailuresMax)
        {
            _failures.Enqueue(ExceptionDispatchInfo.Capture(failure));
        }
    }

    /// <summary>Calls code of a user's whose exceptions must not touch the operation that calls it.</summary>
    /// <param name="state">What to hand it.</param>
    /// <param name="call">The call.</param>
    /// <typeparam name="T">Kind of state.</typeparam>
    internal void Guard<T>(T state, Action<T> call)
    {
        LockOrder.CallingOut("a handler");
        try
        {
            call(state);
        }
        catch (Exception e)
        {
            Fail(e);
        }
    }

    /// <summary>Runs until nothing is pending, then throws what failed since the last time.</summary>
    internal void Drain()
    {
        if (_core.Rcu.IsReader || _core.RcuTrace.IsReader)
        {
            _core.Report(new(DiagCode.WaitInsideReader, "quiesce inside an RCU reader would wait for itself"));
            return;
        }

        if (_core.Thread.DeferredDepth > 0)
        {
            _core.Report(new(DiagCode.WaitInsideReader, "quiesce inside deferred work would wait for itself"));
            return;
        }

        var spin = default(SpinWait);
        while (PendingCount > 0)
        {
            if (!TryRunSome())
            {
                spin.SpinOnce();
            }
        }

        ThrowFailures();
    }

    internal void Stop() => Volatile.Write(ref _isStopped, true);

    private void Pump()
    {
        var spin = default(SpinWait);
        while (!Volatile.Read(ref _isStopped) && PendingCount > 0)
        {
            if (!TryRunSome())
            {
                spin.SpinOnce();
            }
        }

        Volatile.Write(ref _isScheduled, 0);
        Interlocked.MemoryBarrier();
        if (PendingCount > 0)
        {
            Kick();
        }
    }

    // A destructor or a program's host may throw anything, and there may be nobody above us on this thread.
    private bool TryRunSome()
    {
        try
        {
            return RunSome();
        }
        catch (Exception e)
        {
            Fail(e);
            return true;
        }
    }

    private bool RunSome()
    {
        var ran = false;
        while (_core.FaultDesk.Step() || _core.IrqWork.Step() || _core.Work.Step())
        {
            ran = true;
        }

        ran |= _core.Rcu.Step() > 0;
        ran |= _core.RcuTrace.Step() > 0;
        return ran;
    }

    private void ThrowFailures()
    {
        List<ExceptionDispatchInfo> failures = [];
        while (_failures.TryDequeue(out var failure))
        {
            failures.Add(failure);
        }

        if (failures.Count == 1)
        {
            failures[0].Throw();
        }

        if (failures.Count > 1)
        {
            throw new AggregateException("deferred work or handlers failed", failures.Select(f => f.SourceException));
        }
    }
}
