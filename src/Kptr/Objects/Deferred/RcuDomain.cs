using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Kptr.Diagnostics;

namespace Kptr.Objects;

/// <summary>One flavour of RCU: readers, grace periods and the callbacks that wait for them.</summary>
/// <remarks>
/// A reader costs two plain stores: it notes the number of the current grace period in memory of its own. The updater
/// pays: it forces a memory barrier on all threads, starts a new number, and waits for readers with older ones.
/// A thread's part is kept alive by that thread alone, so that threads which come and go leave nothing behind.
/// </remarks>
[SuppressMessage("Design",
    "CA1001", Justification = "readers may still end after the kernel was disposed; the finalizer is enough")]
public sealed class RcuDomain
{
    private const int ReadersSweptMin = 64;
    private readonly KernelCore _core;
    private readonly ThreadLocal<RcuReader> _reader;
    private readonly RankedLock _readersLock = new(LockRank.RcuReaders);
    private readonly List<WeakReference<RcuReader>> _readers = [];
    private int _sweepAt = ReadersSweptMin;
    private readonly ConcurrentQueue<Callback> _queue = new();
    private readonly RankedLock _lock = new(LockRank.GracePeriod);
    private Callback[]? _batch;
    private long _batchTarget;
    private long _sequence = 1;

    internal RcuDomain(KernelCore core, string name)
    {
        _core = core;
        Name = name;
        _reader = new(AddReader);
    }

    /// <summary>The flavour's name.</summary>
    public string Name { get; }

    /// <summary>Whether this thread is inside a reader.</summary>
    public bool IsReader => _reader.Value!.State.Depth > 0;

    /// <summary>Callbacks that wait for a grace period.</summary>
    public int PendingCount => _queue.Count + (_batch?.Length ?? 0);

    /// <summary>How many grace periods have begun.</summary>
    public long Sequence => Interlocked.Read(ref _sequence) - 1;

    /// <summary>Begins a reader (<c>rcu_read_lock</c>); readers nest.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public RcuReadScope ReadLock() => new(Enter());

    /// <summary>The same for who has this thread's state at hand, where its part in this flavour is kept.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal RcuReadScope ReadLock(ref RcuReader? part) => new(Enter(part ??= _reader.Value!));

    /// <summary>Waits until every reader that is open now has ended (<c>synchronize_rcu</c>). Sleeps.</summary>
    /// <remarks>Inside a reader, or where sleeping is forbidden, it is a reported fault and does not wait.</remarks>
    public void Synchronize()
    {
        if (IsReader)
        {
            _core.Report(new(DiagCode.WaitInsideReader, $"waits for a {Name} grace period inside a {Name} reader"));
        }
        else if (_core.MightSleep($"synchronize_{Name}"))
        {
            WaitForReaders();
        }
    }

    /// <summary>Flavour and state.</summary>
    public override string ToString() => $"{Name}: {Sequence} grace periods, {PendingCount} callbacks wait";

    /// <summary>
    /// Ends one grace period, if no reader holds it up, and runs the callbacks that were waiting for it.
    /// </summary>
    /// <returns>How many callbacks ran; 0 also when nothing waits or a reader holds the grace period up.</returns>
    public int Step()
    {
        Callback[] batch;
        using (_lock.Enter())
        {
            if (_batch is null)
            {
                if (_queue.IsEmpty)
                {
                    return 0;
                }

                Volatile.Write(ref _batch, TakeQueue());
                _batchTarget = BeginGracePeriod();
            }

            if (AnyReaderBefore(_batchTarget))
            {
                return 0;
            }

            batch = _batch;
            Volatile.Write(ref _batch, null);
        }

        KernelLog.GracePeriodEnded(_core.Log, Name, _batchTarget, batch.Length);
        RunAll(batch);
        return batch.Length;
    }

    /// <summary>
    /// Runs <paramref name="run"/> once, after every reader that is open now has ended (<c>call_rcu</c>).
    /// </summary>
    internal void Call(Action<object> run, object state, string name) =>
        _core.Deferred.Add(_queue, new(run, state, name));

    /// <summary>The callbacks that wait: in which queue, what they are about, what they are called.</summary>
    internal IEnumerable<(string Queue, object State, string Name)> Waiting() =>
        (Volatile.Read(ref _batch) ?? []).Concat(_queue).Select(c => (Name, c.State, c.Name));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal RcuReader Enter()
    {
        return Enter(_reader.Value!);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private RcuReader Enter(RcuReader reader)
    {
        if (reader.State.Depth++ == 0)
        {
            Volatile.Write(ref reader.State.Since, Volatile.Read(ref _sequence));
        }

        return reader;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Leave(RcuReader reader)
    {
        var depth = reader.State.Depth - 1;
        if (depth > 0)
        {
            reader.State.Depth = depth;
            return;
        }

        if (depth < 0)
        {
            throw new InvalidOperationException("a reader is ended that is not open: its scope was disposed before");
        }

        reader.State.Depth = 0;
        Volatile.Write(ref reader.State.Since, 0);
    }

    /// <summary>Ends the innermost reader of this thread; false, and a report, when there is none.</summary>
    internal bool TryLeave()
    {
        if (!IsReader)
        {
            _core.Report(new(DiagCode.UnbalancedUnlock, $"{Name} read unlock without a reader"));
            return false;
        }

        Leave(_reader.Value!);
        return true;
    }

    /// <summary>Spins until all readers that are open now have ended; the caller is no reader.</summary>
    internal void WaitForReaders()
    {
        var target = BeginGracePeriod();
        var spin = default(SpinWait);
        while (AnyReaderBefore(target))
        {
            spin.SpinOnce();
        }
    }

    private long BeginGracePeriod()
    {
        // The barriers are the readers' share of the bargain: after the second one every thread has either published
        // its reader or will see all that the updater did before.
        Interlocked.MemoryBarrierProcessWide();
        var target = Interlocked.Increment(ref _sequence);
        Interlocked.MemoryBarrierProcessWide();
        return target;
    }

    private bool AnyReaderBefore(long target)
    {
        using (_readersLock.Enter())
        {
            foreach (var weak in _readers)
            {
                // A thread that is gone reads nothing.
                var since = weak.TryGetTarget(out var reader) ? Volatile.Read(ref reader.State.Since) : 0;
                if (since != 0 && since < target)
                {
                    return true;
                }
            }

            return false;
        }
    }

    private Callback[] TakeQueue()
    {
        // Of what comes meanwhile nothing is taken: it waits for the grace period after this one.
        var batch = new Callback[_queue.Count];
        var taken = 0;
        while (taken < batch.Length && _queue.TryDequeue(out batch[taken]))
        {
            taken++;
        }

        return taken == batch.Length ? batch : batch[..taken];
    }

    // One callback that throws must not keep the others from running; the first exception goes on to whoever drives.
    private void RunAll(Callback[] batch)
    {
        var failures = default(Failures);
        foreach (var callback in batch)
        {
            try
            {
                _core.Deferred.Run(callback.Run, callback.State, ExecContext.SoftIrq);
            }
            catch (Exception e)
            {
                failures.Add(_core, e);
            }
        }

        failures.ThrowIfAny();
    }

    private RcuReader AddReader()
    {
        var reader = new RcuReader();
        using (_readersLock.Enter())
        {
            if (_readers.Count >= _sweepAt)
            {
                _readers.RemoveAll(static w => !w.TryGetTarget(out _));
                _sweepAt = Math.Max(ReadersSweptMin, 2 * _readers.Count);
            }

            _readers.Add(new(reader));
        }

        return reader;
    }

    /// <summary>Threads that are or were readers and are not swept up yet.</summary>
    internal int ReaderCount
    {
        get
        {
            using (_readersLock.Enter())
            {
                return _readers.Count;
            }
        }
    }

    private readonly record struct Callback(Action<object> Run, object State, string Name);
}
