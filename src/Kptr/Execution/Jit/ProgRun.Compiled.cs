using Kptr.Diagnostics;

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
        return GoesOn(Answer());
    }

    private bool GoesOn(Op* next)
    {
        if (next != null)
        {
            return true;
        }

        _m->IsEnded = _fault is not null || _unwound is not null;
        return false;
    }

    private CompiledCode? CompiledOf(Interpreter prog) =>
        _options.Observer is not null ? null
        : (_options.Engine == ExecEngine.Trusted && IsAsTrusted ? prog.TrustedFor(_context.SizeBytes) : null)
            ?? prog.CompiledFor(_options.Engine, _m->Regs[1] == _context.Address ? _context.SizeBytes : 0);

    /// <summary>Whether the run is of the kind that needless checks were found for.</summary>
    private bool IsAsTrusted => !IsDeferred && _ctx is not null && _options.Fuel == ExecOptions.FuelDefault
        && !_options.Cancellation.CanBeCanceled;

    private bool RunCompiled(CompiledFunc func)
    {
        var r = _m->Regs;
        var outerIdx = _ctx?.InsnIdx ?? 0;
        _m->IsEnded = false;
        try
        {
            r[0] = func(this, _m, r[1], r[2], r[3], r[4], r[5]);
        }
        catch (Exception e) when (e is not InvariantException)
        {
            // What a body throws, through all functions of the program: CallFromCode has no handler of its own.
            FailBy(e);
            _ctx?.InsnIdx = outerIdx;
        }

        return _fault is null;
    }

    /// <summary>A call that leaves the program, as <see cref="CallOut"/>; what is rare is left to that.</summary>
    /// <returns>False where the function is to return: the run is over, or a tail call has taken its place.</returns>
    internal bool CallFromCode(int idx)
    {
        var m = _m;
        var r = m->Regs;
        var ctx = _ctx;
        m->StopIdx = idx;
        if (ctx is null)
        {
            if (_prog.RawCallAt(idx) is not { } helper)
            {
                return Answer(StopKind.Call, idx, 0);
            }

            r[0] = helper(r[1], r[2], r[3], r[4], r[5]);
            return true;
        }

        if (_prog.CallAt(idx) is not { } thunk || _prog.IsThrowAt(idx))
        {
            return Answer(StopKind.Call, idx, 0);
        }

        var outerIdx = ctx.InsnIdx;
        ctx.InsnIdx = idx;
        r[0] = thunk(ctx, r[1], r[2], r[3], r[4], r[5]);
        ctx.InsnIdx = outerIdx;
        m->StopIdx = idx;
        ForgetRegions();
        return _tail is null || GoesOn(AfterCall(idx));
    }
}
