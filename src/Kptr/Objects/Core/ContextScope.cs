namespace Kptr.Objects;

/// <summary>A context that this thread is in. Dispose it on the same thread to go back to the one before.</summary>
public readonly ref struct ContextScope
{
    private readonly ThreadState _thread;
    private readonly ExecContext _before;

    internal ContextScope(ThreadState thread, ExecContext context)
    {
        _thread = thread;
        _before = thread.Context;
        thread.Context = context;
    }

    /// <summary>Goes back; a default scope does nothing.</summary>
    public void Dispose()
    {
        if (_thread is not null)
        {
            _thread.Context = _before;
        }
    }
}
