namespace Kptr.Objects;

/// <summary>This thread runs on behalf of a task. Dispose it on the same thread.</summary>
public readonly ref struct CurrentTaskScope
{
    private readonly ThreadState _thread;
    private readonly TaskStruct? _before;

    internal CurrentTaskScope(ThreadState thread, TaskStruct task)
    {
        ArgumentNullException.ThrowIfNull(task);
        _thread = thread;
        _before = thread.CurrentTask;
        thread.CurrentTask = task;
    }

    /// <summary>Goes back to the task before; a default scope does nothing.</summary>
    public void Dispose()
    {
        if (_thread is not null)
        {
            _thread.CurrentTask = _before;
        }
    }
}
