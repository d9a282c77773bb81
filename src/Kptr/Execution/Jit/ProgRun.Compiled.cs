using System.Runtime.CompilerServices;
using Kptr.Diagnostics;
using Kptr.Kfuncs;

namespace Kptr.Execution;

// Compiled programs: how they are entered, and what they ask.
internal sealed unsafe partial class ProgRun
{
    private CompiledCode? _compiled;
    private int _outerIdx; // the context's instruction while compiled code runs and calls nothing

    /// <summary>Answers a stop of compiled code, which goes on where it is.</summary>
    /// <returns>False where the function is to return: the run is over, or a tail call has taken its place.</returns>
    internal bool Answer(StopKind kind, int idx, ulong address)
    {
        (_m->Stop, _m->StopIdx, _m->StopAddress) = (kind, idx, address);
        return GoesOn(Answer());
    }

    /// <summary>Finds live memory for compiled code, which does the access itself.</summary>
    /// <returns>Where it is; 0 where there is none: the run is over.</returns>
    internal ulong Find(ulong address, int idx)
    {
        var insn = _code.Insns[idx];
        var sizeBytes = (ulong)insn.AccessBytes;
        if (address - _m->StackLow <= _m->StackLen - sizeBytes && !insn.IsAtomic)
        {
            return address;
        }

        (_m->Stop, _m->StopIdx, _m->StopAddress) = (StopKind.Memory, idx, address);
        var found = FindSlow(insn, idx, address);
        _m->IsEnded = found == 0;
        return found;
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
        var outerIdx = _outerIdx;
        _outerIdx = _ctx?.InsnIdx ?? 0;
        _m->IsEnded = false;
        try
        {
            r[0] = func(this, _m, r[1], r[2], r[3], r[4], r[5]);
        }
        catch (Exception e) when (e is not InvariantException)
        {
            // What a body throws, through all functions of the program: CallFromCode has no handler of its own.
            FailBy(e);
            _ctx?.InsnIdx = _outerIdx;
        }

        _outerIdx = outerIdx;
        return _fault is null;
    }

    internal RawHelper RawHelperAt(int idx) => _prog.RawCallAt(idx)!;

    /// <summary>A call that leaves the program, as <see cref="CallOut"/>, of what is no plain call of a body.</summary>
    /// <returns>False where the function is to return: the run is over, or a tail call has taken its place.</returns>
    internal bool CallFromCode(int idx)
    {
        if (_ctx is null || _prog.CallAt(idx) is not { } thunk || _prog.IsThrowAt(idx))
        {
            return Answer(StopKind.Call, idx, 0);
        }

        var r = _m->Regs;
        r[0] = Invoke(thunk, r[1], r[2], r[3], r[4], r[5], idx);
        return _tail is null || GoesOn(AfterCall(idx));
    }

    /// <summary>A plain call of a body.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ulong InvokeFromCode(ulong r1, ulong r2, ulong r3, ulong r4, ulong r5, int idx) =>
        Invoke(_prog.CallAt(idx)!, r1, r2, r3, r4, r5, idx);

    // A callback runs on the same machine meanwhile, and puts its places back when it returns.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ulong Invoke(CallThunk thunk, ulong r1, ulong r2, ulong r3, ulong r4, ulong r5, int idx)
    {
        var ctx = _ctx!;
        ctx.InsnIdx = _m->StopIdx = idx;
        var r0 = thunk(ctx, r1, r2, r3, r4, r5);
        _ctx!.InsnIdx = _outerIdx;
        ForgetRegions();
        return r0;
    }
}
