using System.Runtime.CompilerServices;

namespace Kptr.Execution;

/// <summary>A program's compiled form, made when it is worth it or asked for, and once.</summary>
internal sealed class CompiledOnce(Interpreter prog, bool isRaw)
{
    /// <summary>Runs after which a program is compiled: enough to pay for it, soon enough to be felt.</summary>
    private const int HotRuns = 512;

    private readonly Lazy<CompiledCode?> _code = new(() => Make(prog, isRaw));
    private int _isBegun;
    private int _runs;

    /// <summary>Compiles it if nobody has yet.</summary>
    internal CompiledCode? Now() => _code.Value;

    /// <summary>The compiled form if it is there. Counts a run, and begins to compile where that makes
    /// enough.</summary>
    internal CompiledCode? IfHot()
    {
        if (_code.IsValueCreated)
        {
            return _code.Value;
        }

        // Runs that race count less, which only makes it later.
        if (++_runs >= HotRuns)
        {
            Begin();
        }

        return null;
    }

    /// <summary>Compiles it on a thread of the pool.</summary>
    internal void Begin()
    {
        if (!_code.IsValueCreated && Interlocked.Exchange(ref _isBegun, 1) == 0)
        {
            ThreadPool.UnsafeQueueUserWorkItem(static once => once.TryNow(), this, preferLocal: false);
        }
    }

    /// <summary>As <see cref="Now"/>; where the host has no memory for it, the program stays interpreted.</summary>
    private void TryNow()
    {
        try
        {
            Now();
        }
        catch (OutOfMemoryException)
        {
            // Nobody waits for this, and nobody can be told.
        }
    }

    /// <summary>Compiles a program; null where it is of no shape that can be, or the host makes no code.</summary>
    /// <param name="prog">The program.</param>
    /// <param name="isRaw">Whether no verifier has seen it.</param>
    /// <param name="needless">Checks to leave out; null for none.</param>
    internal static CompiledCode? Make(Interpreter prog, bool isRaw, NeedlessChecks? needless = null) =>
        RuntimeFeature.IsDynamicCodeCompiled
            ? CompiledCode.TryCompile(prog.Prog.Name, prog.Code, prog.ExceptionSlot, isRaw, needless)
            : null;
}
