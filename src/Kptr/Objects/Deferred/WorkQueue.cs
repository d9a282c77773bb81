using System.Collections.Concurrent;

namespace Kptr.Objects;

/// <summary>Work that runs later, in a given context, in the order it was queued.</summary>
public sealed class WorkQueue
{
    private readonly KernelCore _core;
    private readonly ExecContext _context;
    private readonly ConcurrentQueue<(Action<object> Run, object State, string Name)> _queue = new();

    internal WorkQueue(KernelCore core, string name, ExecContext context)
    {
        _core = core;
        _context = context;
        Name = name;
    }

    /// <summary>The queue's name.</summary>
    public string Name { get; }

    /// <summary>Items that wait.</summary>
    public int PendingCount => _queue.Count;

    /// <summary>Name and what waits.</summary>
    public override string ToString() => $"{Name}: {PendingCount} items wait";

    /// <summary>Runs the oldest item.</summary>
    /// <returns>False when there was none.</returns>
    public bool Step()
    {
        if (!_queue.TryDequeue(out var item))
        {
            return false;
        }

        _core.Deferred.Run(item.Run, item.State, _context);
        return true;
    }

    /// <summary>Queues an item. May be called in any context.</summary>
    internal void Enqueue(Action<object> run, object state, string name) =>
        _core.Deferred.Add(_queue, (run, state, name));

    /// <summary>The items that wait: in which queue, what they are about, what they are called.</summary>
    internal IEnumerable<(string Queue, object State, string Name)> Waiting() =>
        _queue.Select(i => (Name, i.State, i.Name));
}
