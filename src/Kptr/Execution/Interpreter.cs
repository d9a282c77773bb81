using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using Kptr.Isa;
using Kptr.Kfuncs;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Execution;

/// <summary>
/// Runs one program, every access checked. Takes any instructions at all: what they do wrong ends the run with a fault,
/// never with an exception or a crash.
/// </summary>
/// <remarks>
/// Any number of threads may run it at once; each run has its own registers and stack. For programs of a
/// <see cref="KernelCore"/> see <c>KernelModel</c>; this public face runs raw instructions over memory of the caller's.
/// </remarks>
public sealed class Interpreter : IDisposable
{
    private const byte CallOp = (byte)InsnClass.Jmp | BpfOp.Call;
    private readonly CallThunk?[] _calls;
    private readonly bool[] _throws;
    private readonly bool[] _plainCalls;
    private readonly RawHelper?[] _rawCalls;
    private MachineMemory? _spare;
    private ProgRun? _ownRun;
    private int _isOwnRunLent;
    private bool _isDisposed;
    private readonly Lazy<OpCode> _hotCode;
    private readonly CompiledOnce _compiled;
    private readonly Lazy<CompiledCode?> _trusted;

    private Interpreter(
        ProgSpec prog, IProgLinks? links, IReadOnlyDictionary<int, RawHelper>? helpers, ImmutableArray<bool> probed,
        ArenaCode? arena, Func<NeedlessChecks?>? needless = null)
    {
        Prog = prog;
        Links = links;
        Helpers = helpers;
        Probed = probed;
        ExceptionSlot = ExceptionCallback.SlotIn(prog);
        var insns = prog.Insns;
        Code = new OpCode(insns, links is null ? null : i => links.AddressOf(insns[i], insns[i + 1]), arena);
        _hotCode = new(Code.Fused);
        _compiled = new(this, isRaw: links is null);
        _trusted = new(() => needless?.Invoke() is { } unneeded
            ? CompiledOnce.Make(this, isRaw: false, unneeded) : null);
        _calls = new CallThunk?[insns.Length];
        _throws = new bool[insns.Length];
        _plainCalls = new bool[insns.Length];
        _rawCalls = helpers is null ? [] : [.. insns.Select(i =>
            i is { Opcode: CallOp, Src: 0 } ? helpers.GetValueOrDefault(i.Imm) : null)];
        for (var i = 0; links is not null && i < insns.Length; i++)
        {
            _calls[i] = Resolve(insns[i], links);
            _throws[i] = insns[i].Opcode == CallOp && links.IsThrow(insns[i]);
            _plainCalls[i] = _calls[i] is not null && !_throws[i] && !links.IsTailCall(insns[i]);
        }
    }

    internal ProgSpec Prog { get; }

    internal OpCode Code { get; }

    /// <summary>The same, with common sequences fused: for runs that have shown to be long.</summary>
    internal OpCode HotCode => _hotCode.Value;

    /// <summary>Where the program's exception callback starts, or -1.</summary>
    internal int ExceptionSlot { get; }

    internal IProgLinks? Links { get; }

    internal IReadOnlyDictionary<int, RawHelper>? Helpers { get; }

    /// <summary>Slots whose load reads zero where its pointer is stale; empty for none.</summary>
    internal ImmutableArray<bool> Probed { get; }

    /// <summary>Prepares raw instructions.</summary>
    /// <param name="insns">Any slots; those that are no instruction fault when control gets there.</param>
    /// <param name="helpers">Helpers they may call, by number, as they are now.</param>
    /// <exception cref="ArgumentException">The array is the default.</exception>
    public static Interpreter ForRaw(
        ImmutableArray<BpfInsn> insns, IReadOnlyDictionary<int, RawHelper>? helpers = null) =>
            insns.IsDefault ? throw new ArgumentException("no instructions, not even none", nameof(insns))
            : new(new ProgSpec("raw", ProgType.Unspec, insns), null, helpers, [], null);

    /// <summary>Prepares a linked program for one kernel.</summary>
    /// <param name="linked">The program.</param>
    /// <param name="links">What its numbers mean there.</param>
    /// <param name="probedLoads">By slot, whether a load reads zero where its pointer is stale; empty for none.</param>
    /// <param name="arena">What of it goes to its arena; null where it has none.</param>
    /// <param name="needless">Finds out which checks can be left out, if it is asked to; null for none.</param>
    internal static Interpreter ForLinked(
        ProgSpec linked, IProgLinks links, ImmutableArray<bool> probedLoads = default, ArenaCode? arena = null,
        Func<NeedlessChecks?>? needless = null) =>
            new(linked, links, null, probedLoads.IsDefault ? [] : probedLoads, arena, needless);

    /// <summary>
    /// Runs raw instructions: <c>r1</c> is the address of <paramref name="memory"/> (0 where it is
    /// empty), <c>r2</c> its length.
    /// </summary>
    /// <remarks>Legacy packet loads read from <paramref name="memory"/> too.</remarks>
    public unsafe ExecResult Run(Span<byte> memory, ExecOptions? options = null)
    {
        ObjectDisposedException.ThrowIf(Volatile.Read(ref _isDisposed), this);
        fixed (byte* start = memory)
        {
            var region = new Region((ulong)start, (ulong)memory.Length, IsWritable: true);
            options ??= ExecOptions.Default;
            if (Interlocked.Exchange(ref _isOwnRunLent, 1) != 0)
            {
                return new ProgRun().Start(this, null, options, region, region.SizeBytes);
            }

            var result = (_ownRun ??= new()).Start(this, null, options, region, region.SizeBytes);
            Volatile.Write(ref _isOwnRunLent, 0);
            return result;
        }
    }

    /// <summary>Program and size.</summary>
    public override string ToString() =>
        $"interpreter of \"{Prog.Name}\" ({Prog.Insns.Length} instructions{(_isDisposed ? ", disposed" : "")})";

    /// <summary>
    /// Refuses further runs. Runs that are going on end in their own time; the last of them lets the memory go.
    /// </summary>
    public void Dispose() => Volatile.Write(ref _isDisposed, true);

    /// <summary>Runs the program in its kernel.</summary>
    /// <param name="ctx">Who it is; the run puts itself there as the machine and ends its activity.</param>
    /// <param name="context">What <c>r1</c> points to; an empty region makes <c>r1</c> its address and
    /// nothing accessible.</param>
    /// <param name="options">Limits.</param>
    internal ExecResult Run(ProgContext ctx, in Region context, ExecOptions options)
    {
        var run = ProgRun.Rent(ctx.Core.Heap, ctx.Thread);
        var result = run.Start(this, ctx, options, context);
        ctx.IsActive = false;
        run.Return(ctx.Thread);
        return result;
    }

    /// <summary>The program as native code of the host, where this engine is to run that; null to interpret.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="contextBytes">How long the context is that <c>r1</c> points to; 0 where it does not.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal CompiledCode? CompiledFor(ExecEngine engine, ulong contextBytes = 0) => engine switch
    {
        ExecEngine.Interpreter => null,
        ExecEngine.Jit or ExecEngine.Trusted => _compiled.Now(contextBytes),
        _ => _compiled.IfHot(contextBytes),
    };

    /// <summary>
    /// The program as native code without needless checks; null where none are known, or the context is too short for
    /// what was proven of it.
    /// </summary>
    internal CompiledCode? TrustedFor(ulong contextBytes) =>
        _trusted.Value is { } code && contextBytes >= code.ContextBytes ? code : null;

    /// <summary>Told by a run that has shown to be long.</summary>
    internal void NoteLongRun(ulong contextBytes) => _compiled.Begin(contextBytes);

    internal CallThunk? CallAt(int idx) => _calls[idx];

    /// <summary>The helper that a slot of raw instructions calls; null for none.</summary>
    internal RawHelper? RawCallAt(int idx) => (uint)idx < (uint)_rawCalls.Length ? _rawCalls[idx] : null;

    /// <summary>Whether the slot calls <c>bpf_throw</c>, which ends the program.</summary>
    internal bool IsThrowAt(int idx) => _throws[idx];

    /// <summary>Whether the slot calls a body behind which the program always goes on, unless that throws.</summary>
    internal bool IsPlainCallAt(int idx) => _plainCalls[idx];

    /// <summary>A machine beside that of the run: for tail calls that come from deep inside.</summary>
    internal MachineMemory RentMachine() => Interlocked.Exchange(ref _spare, null) ?? new MachineMemory();

    internal void ReturnMachine(MachineMemory machine) => Volatile.Write(ref _spare, machine);

    private static CallThunk? Resolve(BpfInsn insn, IProgLinks links) =>
        insn.Opcode != CallOp ? null
        : insn.Src == BpfOp.PseudoKfuncCall ? links.Kfunc(insn)
        : insn.Src == 0 ? links.Helper(insn.Imm)
        : null;
}

/// <summary>A helper for raw instructions: registers in, <c>r0</c> out.</summary>
public delegate ulong RawHelper(ulong r1, ulong r2, ulong r3, ulong r4, ulong r5);
