namespace Kptr.Execution;

// Compiled programs: how they are entered, and what they ask.
internal sealed unsafe partial class ProgRun
{
    private CompiledCode? _compiled;

    /// <summary>Answers a stop of compiled code, which goes on where it is.</summary>
    /// <returns>False where the function is to return: the run is over, or a tail call has taken its place.</returns>
    internal bool Answer(StopKind kind, int idx, ulong address)
    {
        (_m->Stop, _m->StopIdx, _m->StopAddress) = (kind, idx, address);
        if (Answer() != null)
        {
            return true;
        }

        _m->IsEnded = _fault is not null || _unwound is not null;
        return false;
    }

    private CompiledCode? CompiledOf(Interpreter prog) =>
        _options.Observer is not null ? null
        : (_options.Engine == ExecEngine.Trusted && IsAsTrusted ? prog.TrustedFor(_contextBytes) : null)
            ?? prog.CompiledFor(_options.Engine);

    /// <summary>Whether the run is of the kind that needless checks were found for.</summary>
    private bool IsAsTrusted => !IsDeferred && _ctx is not null && _options.Fuel == ExecOptions.FuelDefault
        && !_options.Cancellation.CanBeCanceled;

    private bool RunCompiled(CompiledFunc func)
    {
        var r = _m->Regs;
        _m->IsEnded = false;
        _m->Regs[0] = func(this, _m, r[1], r[2], r[3], r[4], r[5]);
        return _fault is null;
    }
}
