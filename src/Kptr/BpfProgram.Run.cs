using System.Diagnostics;
using Kptr.Execution;
using Kptr.Kfuncs;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr;

// Running it.
public sealed partial class BpfProgram
{
    internal const int ArgsMax = 12;
    private long _lastSession;

    /// <summary>
    /// Runs it once with a context of bytes (<c>BPF_PROG_TEST_RUN</c>): what a <c>syscall</c> program is run with.
    /// </summary>
    /// <param name="context">The context; the program's writes are copied back. Empty gives a null context.</param>
    /// <param name="options">Limits of the run; null for the defaults.</param>
    public ProgramResult TestRun(Span<byte> context = default, ExecOptions? options = null) =>
        context.IsEmpty ? Run(default, new() { Options = options }) : RunOn(context, new() { Options = options });

    /// <summary>
    /// Runs it once with a packet, a socket or an option value (<c>BPF_PROG_TEST_RUN</c>), as its program type has it.
    /// </summary>
    /// <param name="input">What to run it with.</param>
    /// <param name="options">Limits of the run; null for the defaults.</param>
    /// <exception cref="ArgumentException">A packet is too short for its Ethernet header, or the socket is another
    /// kernel's.</exception>
    public TestOutput TestRun(TestInput input, ExecOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(input);
        if (input.Socket is { } socket)
        {
            Kernel.CheckOwn(socket, nameof(input));
        }

        using var context = new TestContext(this, input);
        var region = new Region(context.Address, (ulong)context.SizeBytes, IsWritable: true);
        var sysctl = input.Sysctl?.ToAccess();
        var setup = new RunSetup
        {
            Packet = context.Packet, Options = options, Retval = input.Retval, Sysctl = sysctl,
        };
        return context.Output(Run(region, setup, out var retval)) with
        {
            Retval = retval, SysctlValue = sysctl?.New,
        };
    }

    /// <summary>Runs it once with arguments in an array of 64-bit words: what tracing programs are run with.</summary>
    /// <param name="args">At most twelve; objects by <see cref="KernelObject.Address"/>.</param>
    public ProgramResult RunWithArgs(params ReadOnlySpan<ulong> args) => RunWithArgs(args, null);

    /// <summary>Runs it once with arguments in an array of 64-bit words, within limits.</summary>
    /// <param name="args">At most twelve; objects by <see cref="KernelObject.Address"/>.</param>
    /// <param name="options">Limits of the run; null for the defaults.</param>
    public ProgramResult RunWithArgs(ReadOnlySpan<ulong> args, ExecOptions? options) =>
        RunOn(args, new() { Event = new(args.Length), Options = options });

    /// <summary>
    /// Runs an iterator program (<c>SEC("iter/...")</c>) over everything it goes over, and a last time with null.
    /// </summary>
    /// <param name="over">Over what; null for all there is.</param>
    /// <param name="options">Limits of each run; null for the defaults.</param>
    /// <returns>What it wrote.</returns>
    /// <exception cref="NotSupportedException">It is no iterator program, or goes over what the model
    /// does not have.</exception>
    /// <exception cref="ArgumentException">The options do not name the map that it needs, or one whose elements are
    /// smaller than what it reads of them, which Linux does not attach it to either (<c>-EACCES</c>); or they name
    /// what is another kernel's.</exception>
    public IterOutput Iterate(IterOptions? over = null, ExecOptions? options = null)
    {
        if (Spec.ExpectedAttachType != AttachType.TraceIter)
        {
            throw new NotSupportedException($"program \"{Name}\" ({Spec.SectionName}) is no iterator");
        }

        if (Spec.AttachTarget == "bpf_map_elem" && over?.Map is { } map && !FitsElementsOf(map))
        {
            throw new ArgumentException(
                $"\"{map.Name}\" has elements of {map.KeySize} and {map.ValueSize} bytes, of which the program reads "
                    + $"{Verified.MaxRdonlyAccess} and {Verified.MaxRdwrAccess}", nameof(over));
        }

        using var seq = new SeqFile(Kernel, Interlocked.Increment(ref _lastSession));
        var setup = new RunSetup { Seq = seq, Options = options };
        var runs = 0;
        RunFault? fault = null;
        IterWalk.Go(Kernel, Spec.AttachTarget ?? "", over ?? new(), args =>
        {
            seq.SeqNum = runs++;
            fault = RunOn([seq.MetaAddress, .. args], setup).Fault;
            return fault is null;
        });
        return new(seq.ToArray(), runs, fault);
    }

    /// <summary>Whether it reads no more of a map's keys and values than they have.</summary>
    /// <remarks>Kernel: <c>bpf_iter_attach_map</c> (kernel/bpf/map_iter.c, 6.12).</remarks>
    internal bool FitsElementsOf(BpfMap map) =>
        Verified.MaxRdonlyAccess <= map.KeySize && Verified.MaxRdwrAccess <= map.UserValueSize;

    /// <summary>Runs it with arguments for a hook that it is attached to.</summary>
    internal ProgramResult RunHook(ReadOnlySpan<ulong> args, ProgEvent raised)
    {
        using var turn = new Turn(this);
        return turn.IsTaken ? RunOn(args, new() { Event = raised, IsHook = true }) : default;
    }

    /// <summary>Runs it with a record for an event that it is attached to.</summary>
    internal ProgramResult RunEvent(ReadOnlySpan<byte> record, ProgEvent raised)
    {
        using var turn = new Turn(this);
        return turn.IsTaken ? RunOn(record.ToArray(), new() { Event = raised, IsHook = true }) : default;
    }

    // On this thread's stack: a region of the run alone, which nobody finds once the run is over.
    private unsafe ProgramResult RunOn(ReadOnlySpan<ulong> args, in RunSetup setup)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(args.Length, ArgsMax, nameof(args));
        var block = stackalloc ulong[ArgsMax];
        var words = new Span<ulong>(block, ArgsMax);
        args.CopyTo(words);
        words[args.Length..].Clear();
        return Run(new Region((ulong)block, ArgsMax * sizeof(ulong), IsWritable: false), setup);
    }

    private ProgramResult RunOn(Span<byte> context, in RunSetup setup)
    {
        var block = Kernel.Heap.AllocateBlock($"context of {Name}", context.Length);
        try
        {
            context.CopyTo(BytesAt(block, context.Length));
            var result = Run(new Region(block, (ulong)context.Length, IsWritable: true), setup);
            BytesAt(block, context.Length).CopyTo(context);
            return result;
        }
        finally
        {
            Kernel.Heap.TryFree(block);
        }
    }

    private ProgramResult Run(in Region context, in RunSetup setup) => Run(in context, setup, out _);

    private ProgramResult Run(in Region context, in RunSetup setup, out int retval)
    {
        var thread = Kernel.Thread;
        using var reader = Spec.IsSleepable
            ? Kernel.RcuTrace.ReadLock(ref thread.TraceReader) : Kernel.Rcu.ReadLock(ref thread.Reader);
        if (_isUnloaded)
        {
            // The event found a link that was detached meanwhile; whoever calls it directly has a program that is gone.
            ObjectDisposedException.ThrowIf(!setup.IsHook, this);
            retval = 0;
            return default;
        }

        Interlocked.Increment(ref _runCount);
        var startedAt = Kernel.IsBpfStatsEnabled ? Stopwatch.GetTimestamp() : 0;
        var ctx = ProgContext.Of(Kernel.Host, thread, Spec);
        (ctx.Maps, ctx.Program, ctx.Event) = (_maps, Object, setup.Event);
        (ctx.Packet, ctx.Seq, ctx.Retval) = (setup.Packet, setup.Seq, setup.Retval);
        ctx.Sysctl = setup.Sysctl;
        if (!_hasOnlyBuiltinBodies.Value)
        {
            ctx.Keep(); // a kfunc of a user's may keep what it is handed
        }

        try
        {
            var result = _interpreter.Run(ctx, context, OptionsOf(setup));
            if (result.Fault is { } fault)
            {
                Kernel.Report(new KernelFault(fault.Code, fault.Message)
                {
                    Object = $"program \"{Name}\"",
                    Site = ctx.SiteOf(fault.InsnIdx),
                });
            }

            return new((long)result.R0, result.Fault);
        }
        finally
        {
            if (startedAt != 0)
            {
                Interlocked.Add(ref _runTimeTicks, Stopwatch.GetTimestamp() - startedAt);
                Interlocked.Increment(ref _timedCount);
            }

            retval = ctx.Retval;
            ctx.EndForGood();
        }
    }

    private ExecOptions OptionsOf(in RunSetup setup) => setup.Options switch
    {
        null => Kernel.ExecDefault,
        { Engine: ExecEngine.Auto } given when Kernel.ExecDefault.Engine != ExecEngine.Auto =>
            given with { Engine = Kernel.ExecDefault.Engine },
        { } given => given,
    };

    private static unsafe Span<byte> BytesAt(ulong address, int length) => new((void*)address, length);

    /// <summary>What a run has besides its context.</summary>
    private readonly record struct RunSetup
    {
        internal ProgEvent Event { get; init; }

        internal RunPacket? Packet { get; init; }

        internal SeqFile? Seq { get; init; }

        internal ExecOptions? Options { get; init; }

        internal SysctlAccess? Sysctl { get; init; }

        internal int Retval { get; init; }

        /// <summary>Whether an event runs it, which passes by a program that is gone.</summary>
        internal bool IsHook { get; init; }
    }

    /// <summary>A program's turn at an event, which it does not have for an event that it causes itself.</summary>
    /// <remarks>
    /// An event that a program causes while it runs does not run it again on the same CPU, here the same thread.
    /// Kernel: <c>bpf_trace_run</c>, <c>__bpf_prog_enter_recur</c>, and <c>bpf_prog_active</c> of
    /// <c>trace_call_bpf</c>, 6.12. LSM programs are not asked.
    /// </remarks>
    private readonly ref struct Turn
    {
        private readonly List<object>? _active;

        internal Turn(BpfProgram program)
        {
            IsTaken = true;
            if (!program._checksRecursion)
            {
                return;
            }

            var active = program.Kernel.Thread.ActivePrograms;
            object mark = program._sharesRecursion ? program.Kernel : program;
            if (active.Contains(mark))
            {
                Interlocked.Increment(ref program._recursionMisses);
                IsTaken = false;
                return;
            }

            active.Add(mark);
            _active = active;
        }

        internal bool IsTaken { get; }

        public void Dispose() => _active?.RemoveAt(_active.Count - 1);
    }
}

/// <summary>How one run of a program ended.</summary>
/// <param name="ReturnValue">What it returned; 0 after a fault.</param>
/// <param name="Fault">What it did that it must not, also reported to the kernel; null for a verified program, unless
/// Kptr is wrong or the program asked for something that the model has no body for.</param>
public readonly record struct ProgramResult(long ReturnValue, RunFault? Fault);
