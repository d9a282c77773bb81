using Kptr.Diagnostics;
using Kptr.Isa;
using Kptr.Kfuncs;
using Kptr.Objects;

namespace Kptr.Execution;

// Calls that leave the program: helpers, kfuncs, tail calls and exceptions.
internal sealed unsafe partial class ProgRun
{
    private Interpreter? _tail;
    private Unwound? _unwound;

    private Op* CallOut()
    {
        var idx = _m->StopIdx;
        var insn = _code.Insns[idx];
        if (_ctx is null)
        {
            var id = insn.Opcode == OpCode.CallX ? (int)_m->Regs[insn.Dst] : insn.Imm;
            return CallRaw(id, insn) ? _code[idx + 1] : null;
        }

        if (_prog.IsThrowAt(idx))
        {
            _unwound = new Unwound(_m->Regs[1], IsThrown: true);
            return null;
        }

        if (_prog.CallAt(idx) is not { } thunk)
        {
            return Fail(DiagCode.RunNoSuchCall, $"the model has no body for {_prog.Links!.NameOf(insn)}");
        }

        if (!FailsCall(idx) && !TryInvoke(thunk, idx))
        {
            return null;
        }

        ForgetRegions();
        return AfterCall(idx);
    }

    /// <summary>Goes on behind a call, or in the program of a tail call.</summary>
    private Op* AfterCall(int idx)
    {
        if (_tail is null)
        {
            return _code[idx + 1];
        }

        var isBase = _m->Depth == _m->BaseDepth;
        return !RunTail() || isBase || _compiled is not null ? null : Handlers.PopFrame(_m);
    }

    private bool CallRaw(int id, BpfInsn insn)
    {
        if (insn.Src != 0 || _prog.Helpers is not { } helpers || !helpers.TryGetValue(id, out var helper))
        {
            Fail(DiagCode.RunNoSuchCall, $"there is no helper {id}");
            return false;
        }

        try
        {
            var r = _m->Regs;
            r[0] = helper(r[1], r[2], r[3], r[4], r[5]);
            return true;
        }
        catch (Exception e) when (e is not InvariantException)
        {
            Fail(DiagCode.RunCallFailed, $"helper {id}: {e.Message}");
            return false;
        }
    }

    private bool TryInvoke(CallThunk thunk, int idx)
    {
        var ctx = _ctx!;
        var outerIdx = ctx.InsnIdx;
        ctx.InsnIdx = idx;
        try
        {
            var r = _m->Regs;
            var r0 = thunk(ctx, r[1], r[2], r[3], r[4], r[5]);
            _m->Regs[0] = r0;
            return true;
        }
        catch (Exception e) when (e is not InvariantException)
        {
            FailBy(e);
        }
        finally
        {
            ctx.InsnIdx = outerIdx;
            _m->StopIdx = idx;
        }

        return false;
    }

    /// <summary>Ends the run by what the body of a call threw.</summary>
    private void FailBy(Exception thrown)
    {
        switch (thrown)
        {
            case RunAbortedException:
                // A callback further in has ended the whole run and left the reason.
                break;
            case ProgramFaultException e:
                Fail(e.Code, e.Message);
                break;
            case KernelFaultException e:
                Fail(e.Faults.Count > 0 ? e.Faults[0].Code : DiagCode.RunCallFailed, e.Message);
                break;
            default:
                Fail(DiagCode.RunCallFailed, _ctx is null
                    ? $"helper {_code.Insns[_m->StopIdx].Imm}: {thrown.Message}"
                    : $"{thrown.GetType().Name}: {thrown.Message}");
                break;
        }
    }

    /// <summary>Runs the program of a tail call in this frame's place; the frame is then to be left.</summary>
    /// <returns>False where the whole run is over.</returns>
    private bool RunTail()
    {
        var (outer, outerCode, outerCompiled) = (_prog, _code, _compiled);
        var outerSpec = _ctx!.Prog;
        _ctx.Keep(); // nobody asked whether that program calls kfuncs of a user's
        _prog = _tail!;
        _code = _prog.Code;
        _compiled = CompiledOf(_prog);
        if (_code.UsesStack)
        {
            _m->StackDeepest = Math.Min(_m->StackDeepest, _m->StackLow);
        }

        _ctx.Prog = _prog.Prog;
        _tail = null;
        var isDone = _m->Depth == 0 ? RunToItsEnd() : RunOnOwnStack();
        GC.KeepAlive(_prog);
        (_prog, _code, _compiled) = (outer, outerCode, outerCompiled);
        _ctx.Prog = outerSpec;
        return isDone && _unwound is null;
    }

    /// <summary>
    /// Runs the program from its start with as many frames as any program has, however many its caller has open: each
    /// of 33 tail calls may come from a subprogram.
    /// </summary>
    private bool RunOnOwnStack()
    {
        var prog = _prog;
        var caller = _m;
        var memory = prog.RentMachine();
        memory.Reset(usesStack: true);
        _m = memory.Machine;
        _remembers = true;
        new ReadOnlySpan<ulong>(caller->Regs + 1, 5).CopyTo(new Span<ulong>(_m->Regs + 1, 5));
        _m->Fuel = caller->Fuel;
        ForgetRegions();
        var isDone = RunToItsEnd();
        (caller->Fuel, caller->Regs[0]) = (_m->Fuel, _m->Regs[0]);
        _m = caller;
        _remembers = true;
        ForgetRegions();
        prog.ReturnMachine(memory);
        return isDone;
    }

    /// <summary>Runs the program from its start; an exception in it ends it, and nobody who called it
    /// (<c>exception_boundary</c>).</summary>
    private bool RunToItsEnd() => RunAt(0) && (_unwound is not { } unwound || Land(unwound));

    /// <summary>After an exception: what its callback makes of it, or its cookie where there is none.</summary>
    private bool Land(Unwound unwound)
    {
        _unwound = null;
        _m->BaseDepth = 0;
        while (_m->Depth > 0)
        {
            Handlers.PopFrame(_m);
        }

        _m->Regs[0] = unwound.R0;
        var handler = unwound.IsThrown ? _prog.ExceptionSlot : -1;
        if (handler < 0)
        {
            return true;
        }

        _m->Regs[1] = unwound.R0;
        ForgetRegions();
        return RunAt(handler);
    }

    /// <summary>The whole run is over, however many frames are open.</summary>
    /// <param name="R0">Its value, or the exception's cookie.</param>
    /// <param name="IsThrown">Whether the program's exception callback is to be asked.</param>
    private sealed record Unwound(ulong R0, bool IsThrown);

    /// <summary>Takes the end of a run through the kfunc or helper that called back into the program.</summary>
    private sealed class RunAbortedException : Exception
    {
    }
}
