using System.Runtime.CompilerServices;

namespace Kptr.Execution;

/// <summary>A program's compiled form, made when it is worth it or asked for, and once.</summary>
internal sealed class CompiledOnce(Interpreter prog, bool isRaw)
{
    /// <summary>Runs after which a program is compiled: enough to pay for it, soon enough to be felt.</summary>
    private const int HotRuns = 512;

    // For contexts as long as that of the run that came first, and for all others.
    private readonly Form _code = new(prog, isRaw);
    private readonly Form _anyContext = new(prog, isRaw);
    private int _runs;

    /// <summary>Compiles it if nobody has yet.</summary>
    /// <param name="contextBytes">How long the context is that <c>r1</c> points to; 0 where it does not.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal CompiledCode? Now(ulong contextBytes) =>
        _code.Made is { } made && made.ContextBytes <= contextBytes ? made : NowSlow(contextBytes);

    private CompiledCode? NowSlow(ulong contextBytes) =>
        _code.Now(contextBytes) is { } code && code.ContextBytes > contextBytes ? _anyContext.Now(0)
        : _code.Made;

    /// <summary>The compiled form if it is there. Counts a run, and begins to compile where that makes
    /// enough.</summary>
    internal CompiledCode? IfHot(ulong contextBytes)
    {
        if (_code.IsMade)
        {
            return _code.Made is not { } code || code.ContextBytes <= contextBytes ? _code.Made
                : _anyContext.IsMade ? _anyContext.Made
                : Begin(_anyContext, 0);
        }

        // Runs that race count less, which only makes it later.
        return ++_runs >= HotRuns ? Begin(_code, contextBytes) : null;
    }

    /// <summary>Compiles it on a thread of the pool.</summary>
    internal void Begin(ulong contextBytes) => Begin(_code, contextBytes);

    private static CompiledCode? Begin(Form form, ulong contextBytes)
    {
        if (form.TryBegin())
        {
            ThreadPool.UnsafeQueueUserWorkItem(
                static work => work.Form.TryNow(work.ContextBytes), (Form: form, ContextBytes: contextBytes),
                preferLocal: false);
        }

        return null;
    }

    /// <summary>Compiles a program; null where it is of no shape that can be, or the host makes no code.</summary>
    /// <param name="prog">The program.</param>
    /// <param name="isRaw">Whether no verifier has seen it.</param>
    /// <param name="needless">Checks to leave out; null for none.</param>
    /// <param name="contextBytes">How long the context is that <c>r1</c> points to at its start; 0 where it may
    /// not.</param>
    internal static CompiledCode? Make(
        Interpreter prog, bool isRaw, NeedlessChecks? needless = null, ulong contextBytes = 0) =>
        RuntimeFeature.IsDynamicCodeCompiled
            ? CompiledCode.TryCompile(prog, isRaw, needless, contextBytes)
            : null;

    /// <summary>One form of the program.</summary>
    private sealed class Form
    {
        private readonly Lazy<CompiledCode?> _code;
        private long _contextBytes = -1;
        private int _isBegun;
        private bool _isMade;

        internal Form(Interpreter prog, bool isRaw) =>
            _code = new(() => CompiledOnce.Make(prog, isRaw, contextBytes: (ulong)Volatile.Read(ref _contextBytes)));

        // Beside the lazy value, which takes a while to ask: every run asks.
        internal bool IsMade => Volatile.Read(ref _isMade);

        /// <summary>The code, once it is made.</summary>
        internal CompiledCode? Made { get; private set; }

        internal bool TryBegin() => !IsMade && Interlocked.Exchange(ref _isBegun, 1) == 0;

        /// <summary>Compiles it if nobody has yet, for contexts of the length that comes first.</summary>
        internal CompiledCode? Now(ulong contextBytes)
        {
            if (!IsMade)
            {
                Made = Make(contextBytes);
                Volatile.Write(ref _isMade, true);
            }

            return Made;
        }

        private CompiledCode? Make(ulong contextBytes)
        {
            Interlocked.CompareExchange(ref _contextBytes, (long)contextBytes, -1);
            return _code.Value;
        }

        /// <summary>As <see cref="Now"/>, and the next run waits for nothing; where the host has no memory for it, the
        /// program stays interpreted.</summary>
        internal void TryNow(ulong contextBytes)
        {
            try
            {
                Make(contextBytes)?.Prepare();
                Now(contextBytes);
            }
            catch (OutOfMemoryException)
            {
                // Nobody waits for this, and nobody can be told.
            }
        }
    }
}
