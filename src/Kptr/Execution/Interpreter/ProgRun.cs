using Kptr.Diagnostics;
using Kptr.Isa;
using Kptr.Kfuncs;
using Kptr.Objects;

namespace Kptr.Execution;

/// <summary>One run: the managed side of a <see cref="Machine"/>, which answers every stop of the loop.</summary>
/// <remarks>
/// Belongs to one thread at a time. Made once and lent to one run after the other, with a machine of its own: a run
/// costs no allocation. One that something was thrown through, which no run does, is not lent again.
/// </remarks>
internal sealed unsafe partial class ProgRun
{
    /// <summary>Fuel between two looks at the caller's wish to cancel: about a millisecond.</summary>
    private const long SliceFuel = 1 << 20;

    /// <summary>The first slice: a run that spends it is long enough for fused code.</summary>
    private const long FirstSliceFuel = 1 << 15;

    private const int TailCallsMax = 33;
    private readonly MemoryRegions _memory = new();
    private readonly MachineMemory _own = new();
    private ProgRun? _nextSpare;
    private ProgContext? _ctx;
    private ExecOptions _options = ExecOptions.Default;
    private Interpreter _prog = null!;
    private OpCode _code = null!;
    private Machine* _m;
    private long _fuelLeft;
    private Region _context;
    private int _tailCalls;
    private RunFault? _fault;

    /// <summary>One that no run has, for a run on this thread; give it back by <see cref="Return"/>.</summary>
    internal static ProgRun Rent(KernelHeap heap, Kptr.Objects.ThreadState thread)
    {
        var run = thread.SpareMachines as ProgRun ?? new();
        thread.SpareMachines = run._nextSpare;
        run._nextSpare = null;
        run._memory.Heap = heap;
        return run;
    }

    /// <summary>The run has ended, and nobody who matters asks this one about it any more.</summary>
    internal void Return(Kptr.Objects.ThreadState thread)
    {
        _memory.Heap = null;
        if (_options.Observer is not null || _options.Cancellation.CanBeCanceled)
        {
            _options = ExecOptions.Default;
        }

        _nextSpare = thread.SpareMachines as ProgRun;
        thread.SpareMachines = this;
    }

    /// <summary>Runs from the first instruction.</summary>
    internal ExecResult Start(
        Interpreter prog, ProgContext? ctx, ExecOptions options, in Region context, ulong r2 = 0)
    {
        Begin(prog, ctx, options);

        // Part by part: a copy of the whole would wait until the stores that made it are through.
        _context = new(context.Address, context.SizeBytes, context.IsWritable);
        return Enter(0, context.Address, r2, 0);
    }

    /// <summary>Runs a callback as a run of its own, some time after the run that left it.</summary>
    internal ExecResult StartAt(
        Interpreter prog, ProgContext ctx, ExecOptions options, int slot, ulong r1, ulong r2, ulong r3)
    {
        Begin(prog, ctx, options);
        _context = default;
        IsDeferred = true;
        return Enter(slot, r1, r2, r3);
    }

    // What is there already is not written again: each reference that is written costs the collector's barrier.
    private void Begin(Interpreter prog, ProgContext? ctx, ExecOptions options)
    {
        if (_prog != prog)
        {
            (_prog, _code) = (prog, prog.Code);
        }

        if (_options != (object)options)
        {
            _options = options;
        }

        if (ctx is not null)
        {
            _ctx = ctx;
        }

        _fuelLeft = options.Fuel;
        ctx?.Callbacks = this;
        ctx?.Packet?.Show(this);
    }

    // What the run leaves behind keeps nothing of it alive. That of raw instructions goes with them.
    private void Forget()
    {
        if (_ctx is not null)
        {
            (_prog, _code, _ctx, _compiled) = (null!, null!, null, null);
        }

        (_fault, _unwound, _tail) = (null, null, null);
        (_tailCalls, IsDeferred) = (0, false);
        _m = null;
        _memory.Clear();
    }

    private ExecResult Enter(int slot, ulong r1, ulong r2, ulong r3)
    {
        var owner = _prog;
        _own.Reset(_code.UsesStack);
        _m = _own.Machine;
        _m->Regs[1] = r1;
        _m->Regs[2] = r2;
        _m->Regs[3] = r3;
        ForgetRegions();
        var compiled = CompiledOf(owner);
        if (_compiled != compiled)
        {
            _compiled = compiled;
        }

        var isDone = RunAt(slot) && (_unwound is not { } unwound || Land(unwound));
        var result = isDone ? new ExecResult(_m->Regs[0], null) : new ExecResult(0, _fault);
        Forget();
        GC.KeepAlive(owner);
        return result;
    }

    /// <summary>Runs the function at a slot until it returns.</summary>
    /// <returns>False where the run ended with a fault.</returns>
    private bool RunAt(int slot)
    {
        _m->MayGotoLeft = Machine.MayGotoMax;
        return _compiled is null ? RunFrom(_code[slot]) : RunCompiled(_compiled[slot]);
    }

    /// <summary>Interprets until the frame at the machine's base depth returns.</summary>
    /// <returns>False where the run ended with a fault.</returns>
    private bool RunFrom(Op* op)
    {
        while (op != null)
        {
            if (_options.Observer is null)
            {
                Handlers.Loop(op, _m);
            }
            else if (!Step(ref op))
            {
                continue;
            }

            op = Answer();
        }

        return _fault is null;
    }

    /// <summary>Answers the machine's stop.</summary>
    /// <returns>Where to go on; null where the function is left.</returns>
    private Op* Answer() => _m->Stop switch
    {
        StopKind.Return => null,
        StopKind.Memory => AccessSlow(),
        StopKind.Call => CallOut(),
        StopKind.Fuel => Refuel(),
        StopKind.Packet => LoadPacket(),
        StopKind.Depth => Fail(DiagCode.RunCallTooDeep, $"more than {Machine.FramesMax} frames are open"),
        StopKind.BadInsn => Fail(DiagCode.RunBadInsn, BadInsnMessage()),
        _ => Fail(DiagCode.RunBadTarget, "control leaves the program"),
    };

    private Op* Refuel()
    {
        var idx = _m->StopIdx;
        var op = _code[idx];
        if (_options.Cancellation.IsCancellationRequested)
        {
            return Fail(DiagCode.RunCancelled, "the caller cancelled the run");
        }

        if (_fuelLeft <= 0)
        {
            return Fail(DiagCode.RunOutOfFuel, $"loops have repeated {_options.Fuel} instructions");
        }

        var isFirst = _fuelLeft == _options.Fuel;
        var slice = Math.Min(_fuelLeft, isFirst ? FirstSliceFuel : SliceFuel);
        _fuelLeft -= slice;
        _m->Fuel += slice;
        if (_compiled is not null)
        {
            return op;
        }

        // The jump or call that ran dry has paid already and will pay again.
        _m->Fuel += op->Cost;
        if (!isFirst && _options.Observer is null)
        {
            _code = _prog.HotCode;
            if (_options.Engine == ExecEngine.Auto)
            {
                _prog.NoteLongRun(_context.SizeBytes);
            }
        }

        return _code[idx];
    }

    private Op* Fail(DiagCode code, string message, ulong? address = null)
    {
        var idx = _m->StopIdx;
        var line = _ctx is null ? null : LineAt(idx);
        _fault ??= new RunFault(code, message, idx, address) { Source = line };
        return null;
    }

    private string? LineAt(int idx)
    {
        var lines = _prog.Prog.LineInfos;
        var at = -1;
        for (var i = 0; i < lines.Length && lines[i].InsnIdx <= idx; i++)
        {
            at = i;
        }

        return at < 0 ? null : $"{lines[at].File}:{lines[at].Line}";
    }

    private string BadInsnMessage()
    {
        var idx = _m->StopIdx;
        var insns = _code.Insns;
        if (_code.IsSecondHalf(idx))
        {
            return "control enters the middle of a 64-bit load";
        }

        return InsnCheck.EncodingFault(insns[idx], idx + 1 < insns.Length ? insns[idx + 1] : null)
            ?? "frame pointer is read only";
    }
}
