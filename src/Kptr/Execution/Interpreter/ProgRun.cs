using Kptr.Diagnostics;
using Kptr.Isa;
using Kptr.Kfuncs;

namespace Kptr.Execution;

/// <summary>One run: the managed side of a <see cref="Machine"/>, which answers every stop of the loop.</summary>
/// <remarks>Belongs to one thread.</remarks>
internal sealed unsafe partial class ProgRun
{
    /// <summary>Fuel between two looks at the caller's wish to cancel: about a millisecond.</summary>
    private const long SliceFuel = 1 << 20;

    /// <summary>The first slice: a run that spends it is long enough for fused code.</summary>
    private const long FirstSliceFuel = 1 << 15;

    private const int TailCallsMax = 33;
    private readonly ProgContext? _ctx;
    private readonly MemoryRegions _memory;
    private readonly ExecOptions _options;
    private Interpreter _prog;
    private OpCode _code;
    private MachineMemory? _machine;
    private Machine* _m;
    private long _fuelLeft;
    private ulong _contextBytes;
    private int _tailCalls;
    private RunFault? _fault;

    internal ProgRun(Interpreter prog, ProgContext? ctx, MemoryRegions memory, ExecOptions options)
    {
        _prog = prog;
        _code = prog.Code;
        _ctx = ctx;
        _memory = memory;
        _options = options;
        _fuelLeft = options.Fuel;
    }

    /// <summary>What legacy packet loads of raw instructions read.</summary>
    internal Region RawPacket { get; init; }

    /// <summary>Runs from the first instruction.</summary>
    internal ExecResult Start(Region context, ulong r2)
    {
        _memory.Add(context);
        _contextBytes = context.SizeBytes;
        return Enter(0, context.Address, r2, 0);
    }

    /// <summary>Runs a callback as a run of its own.</summary>
    internal ExecResult StartAt(int slot, ulong r1, ulong r2, ulong r3) => Enter(slot, r1, r2, r3);

    private ExecResult Enter(int slot, ulong r1, ulong r2, ulong r3)
    {
        var machine = _machine = _prog.RentMachine();
        var owner = _prog;
        try
        {
            machine.Reset();
            _m = machine.Machine;
            _m->Regs[1] = r1;
            _m->Regs[2] = r2;
            _m->Regs[3] = r3;
            ForgetRegions();
            _compiled = CompiledOf(_prog);
            var isDone = RunAt(slot) && (_unwound is not { } unwound || Land(unwound));

            return isDone ? new ExecResult(_m->Regs[0], null) : new ExecResult(0, _fault);
        }
        finally
        {
            _m = null;
            _machine = null;
            owner.ReturnMachine(machine);
            GC.KeepAlive(_prog);
        }
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
                _prog.NoteLongRun();
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
