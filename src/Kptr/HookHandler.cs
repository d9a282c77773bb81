using Kptr.Diagnostics;
using Kptr.Objects;

namespace Kptr;

/// <summary>A handler in C# that is told when the kernel passes a hook, until it is disposed of.</summary>
internal sealed class HookHandler : IDisposable
{
    private const int DepthMax = 32;
    private readonly HookTable _table;
    private readonly int _arity;
    private readonly HookCall _call;
    private volatile bool _isRemoved;

    internal HookHandler(HookTable table, string hook, HookKinds kinds, int arity, HookCall call)
    {
        (_table, Hook, Kinds, _arity, _call) = (table, hook, kinds, arity, call);
    }

    internal delegate void HookCall(ReadOnlySpan<ulong> args);

    internal string Hook { get; }

    internal HookKinds Kinds { get; }

    /// <summary>Its hook.</summary>
    public override string ToString() => $"handler of {Hook}{(_isRemoved ? " (removed)" : "")}";

    /// <summary>
    /// Removes it: no call begins from here on. One that has begun on another thread ends in its own time.
    /// </summary>
    public void Dispose()
    {
        _isRemoved = true;
        _table.Remove(this);
    }

    /// <summary>Tells it. What it throws is the next <see cref="KernelCore.Quiesce"/>'s.</summary>
    internal void Tell(KernelCore core, ReadOnlySpan<ulong> args)
    {
        if (_isRemoved)
        {
            return;
        }

        LockOrder.CallingOut("a handler of a hook");
        var thread = core.Thread;
        if (thread.HandlerDepth >= DepthMax || args.Length < _arity)
        {
            core.Deferred.Fail(new InvalidOperationException(args.Length < _arity
                ? $"{Hook} was raised with {args.Length} arguments, and a handler takes {_arity}"
                : $"handlers raise {Hook} inside each other {DepthMax} deep; the next one is not called"));
            return;
        }

        thread.HandlerDepth++;
        try
        {
            _call(args);
        }
        catch (Exception e)
        {
            core.Deferred.Fail(e);
        }
        finally
        {
            thread.HandlerDepth--;
        }
    }
}
