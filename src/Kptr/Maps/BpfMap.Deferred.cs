using Kptr.Objects;

namespace Kptr.Maps;

// What a map puts off. It is counted, and the map is not freed before all of it has run.
public abstract partial class BpfMap
{
    // Far below zero once the free has begun: nothing can be put off any more.
    private int _deferredCount;

    /// <summary>Runs something once, after all readers that are open now have ended (<c>call_rcu</c>).</summary>
    /// <param name="readers">Whose readers; with both, those of tasks trace first.</param>
    /// <param name="run">What to run, in softirq context: it may not sleep. No lock is held.</param>
    /// <param name="name">What reports call it.</param>
    /// <remarks>
    /// May be called in any context and under a lock of the map. The map's memory lives until it has run. What it
    /// throws, the next <see cref="KernelCore.Quiesce"/> throws.
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException">No flavour, or one that there is not.</exception>
    /// <exception cref="ObjectDisposedException">The map is freed.</exception>
    protected void AfterReaders(GracePeriods readers, Action run, string name)
    {
        ArgumentNullException.ThrowIfNull(run);
        ArgumentNullException.ThrowIfNull(name);
        CheckReaders(readers);
        Defer(new(this, run, name, readers));
    }

    /// <summary>Runs something once, later, in a context that may sleep (<c>schedule_work</c>).</summary>
    /// <inheritdoc cref="AfterReaders"/>
    protected void QueueWork(Action run, string name)
    {
        ArgumentNullException.ThrowIfNull(run);
        ArgumentNullException.ThrowIfNull(name);
        Defer(new(this, run, name, GracePeriods.None));
    }

    /// <summary>As <see cref="AfterReaders"/>, for a pool of the map.</summary>
    internal void DeferReturn(GracePeriods readers, Action run) => Defer(new(this, run, "a slot's return", readers));

    /// <summary>Throws unless there is a flavour to wait for.</summary>
    internal static void CheckReaders(GracePeriods readers)
    {
        if (readers is not (GracePeriods.Rcu or GracePeriods.TasksTrace or GracePeriods.Both))
        {
            throw new ArgumentOutOfRangeException(nameof(readers), readers, "no readers to wait for");
        }
    }

    private void Defer(Deferral deferral)
    {
        // Counted first: a free either waits for it, or has closed the count before and is seen here.
        var isOpen = Interlocked.Increment(ref _deferredCount) > 0;
        try
        {
            ObjectDisposedException.ThrowIf(!isOpen, this);
            deferral.Next();
        }
        catch
        {
            Interlocked.Decrement(ref _deferredCount);
            throw;
        }
    }

    /// <summary>Closes the count if nothing waits; true also where it is closed already.</summary>
    private bool TryStopDeferring() => Interlocked.CompareExchange(ref _deferredCount, int.MinValue, 0) <= 0;

    /// <summary>Something that is put off, on its way through its grace periods.</summary>
    private sealed class Deferral(BpfMap map, Action run, string name, GracePeriods readers)
    {
        private GracePeriods _left = readers;

        internal void Next()
        {
            if ((_left & GracePeriods.TasksTrace) != 0)
            {
                _left &= ~GracePeriods.TasksTrace;
                map.Core.RcuTrace.Call(static d => ((Deferral)d).Pass(), this, name);
            }
            else if ((_left & GracePeriods.Rcu) != 0)
            {
                _left &= ~GracePeriods.Rcu;
                map.Core.Rcu.Call(static d => ((Deferral)d).Pass(), this, name);
            }
            else
            {
                map.Core.Work.Enqueue(static d => ((Deferral)d).Run(), this, name);
            }
        }

        private void Pass()
        {
            if (_left == GracePeriods.None)
            {
                Run();
            }
            else
            {
                Next();
            }
        }

        private void Run()
        {
            try
            {
                run();
            }
            finally
            {
                Interlocked.Decrement(ref map._deferredCount);
            }
        }
    }
}
