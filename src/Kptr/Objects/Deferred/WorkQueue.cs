using System.Collections.Concurrent;

namespace Kptr.Objects;

/// <summary>Work that runs later, in a given context, in the order it was queued.</summary>
public sealed class WorkQueue
{
    private readonly KernelCore _core;
    private readonly ExecContext _context;
    private readonly ConcurrentQueue<(Action<object> Run, object State, string Name)> _queue = new();
    private int _runningCount;

    internal WorkQueue(KernelCore core, string name, ExecContext context)
    {
        _core = core;
        _context = context;
        Name = name;
    }

    /// <summary>The queue's name.</summary>
    public string Name { get; }

    /// <summary>Items that wait or run.</summary>
    public int PendingCount => _queue.Count + Volatile.Read(ref _runningCount);

    /// <summary>Runs the oldest item.</summary>
    /// <returns>False when there was none.</returns>
    public bool Step()
    {
        Interlocked.Increment(ref _runningCount);
        try
        {
            if (!_queue.TryDequeue(out var item))
            {
                return false;
            }

            using var context = _core.EnterContext(_context);
            item.Run(item.State);
            return true;
        }
        finally
        {
            Interlocked.Decrement(ref _runningCount);
        }
    }

    /// <summary>Queues an item. May be called in any context.</summary>
    internal void Enqueue(Action<object> run, object state, string name)
    {
        _queue.Enqueue((run, state, name));
        _core.Deferred.Kick();
    }

    internal IReadOnlyList<string> PendingNames() => [.. _queue.Select(i => i.Name)];
}
