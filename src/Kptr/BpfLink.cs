namespace Kptr;

/// <summary>An attachment of a program to a place in the modelled kernel. Disposing detaches it.</summary>
public sealed class BpfLink : IDisposable
{
    private int _isDetached;

    internal BpfLink(BpfProgram program, string hook)
    {
        Program = program;
        Hook = hook;
        program.Hold();
        program.Kernel.HookTable.Add(this);
    }

    /// <summary>The program, which the link keeps loaded.</summary>
    public BpfProgram Program { get; }

    /// <summary>Where it is attached: the name of the tracepoint or function.</summary>
    public string Hook { get; }

    /// <summary>Detaches the program. A run that has begun on another thread ends in its own time.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _isDetached, 1) == 0)
        {
            Program.Kernel.HookTable.Remove(this);
            Program.Put();
        }
    }
}
