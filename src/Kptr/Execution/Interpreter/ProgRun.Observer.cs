namespace Kptr.Execution;

// Runs that somebody looks at: one instruction at a time.
internal sealed unsafe partial class ProgRun
{
    /// <summary>Whether this is a callback that runs on its own.</summary>
    internal bool IsDeferred { get; private set; }

    /// <summary>Shows the run to its observer and runs one instruction.</summary>
    /// <returns>True where the instruction left the loop, so that <see cref="Machine.Stop"/> is
    /// to be answered.</returns>
    private bool Step(ref Op* op)
    {
        var fault = _code.IsSlot(op) ? _options.Observer!.Before(PointAt(op->Idx)) : null;
        if (fault is not null)
        {
            _fault ??= fault;
            op = null;
            return false;
        }

        var next = op->Run(op, _m);
        if (next == null)
        {
            return true;
        }

        op = next;
        return false;
    }

    /// <summary>Whether the observer makes the call fail that is about to leave the program.</summary>
    private bool FailsCall(int idx)
    {
        if (_options.Observer is not { } observer || !observer.TryFail(PointAt(idx), out var r0))
        {
            return false;
        }

        _m->Regs[0] = r0;
        return true;
    }

    private RunPoint PointAt(int idx) =>
        new(_code.Insns, idx, _m->Depth, IsDeferred, new Span<ulong>(_m->Regs, Machine.RegCount));
}
