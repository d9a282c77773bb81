using System.Collections.Immutable;
using Kptr.Execution;
using Kptr.Kfuncs;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Verifier;

namespace Kptr;

/// <summary>A loaded program: verified, bound to live maps, ready to attach and to run.</summary>
/// <remarks>Any number of threads may run it at once.</remarks>
public sealed class BpfProgram
{
    private const int ArgsMax = 12;
    private readonly ImmutableArray<BpfMap?> _maps;
    private readonly Interpreter _interpreter;
    private readonly HeapSlab _contexts;
    private int _refs = 1;
    private long _runCount;

    internal BpfProgram(KernelModel kernel, VerifiedProgram verified, ImmutableArray<BpfMap?> maps)
    {
        Kernel = kernel;
        Verified = verified;
        _maps = maps;
        _interpreter = Interpreter.ForLinked(
            ContextRewriter.Apply(verified, kernel), new ProgLinks(kernel, verified.Spec, maps), verified.ProbedLoads);
        _contexts = kernel.Heap.CreateSlab($"context of {verified.Spec.Name}", ArgsMax * sizeof(ulong));
        foreach (var map in maps)
        {
            map?.Hold();
        }
    }

    /// <summary>The kernel it is loaded into.</summary>
    public KernelModel Kernel { get; }

    /// <summary>What the verifier found out about it.</summary>
    public VerifiedProgram Verified { get; }

    /// <summary>The linked program.</summary>
    public ProgSpec Spec => Verified.Spec;

    /// <summary>Its name.</summary>
    public string Name => Spec.Name;

    /// <summary>How often it has run.</summary>
    public long RunCount => Interlocked.Read(ref _runCount);

    /// <summary>Attaches it where its section says.</summary>
    /// <returns>The attachment; dispose it to detach.</returns>
    /// <exception cref="NotSupportedException">Its kind of program has no place in the model to attach to.</exception>
    public BpfLink Attach() => Spec.AttachTarget is { Length: > 0 } target && IsHooked(Spec)
        ? new BpfLink(this, target)
        : throw new NotSupportedException($"program \"{Name}\" ({Spec.SectionName}) cannot be attached in the model; use TestRun");

    /// <summary>Attaches it to a tracepoint or function of the caller's choice.</summary>
    /// <param name="hook">A name that <see cref="KernelModel.Raise"/> or the model itself passes.</param>
    public BpfLink AttachTo(string hook)
    {
        ArgumentException.ThrowIfNullOrEmpty(hook);
        return new(this, hook);
    }

    /// <summary>Runs it once with a context of bytes (<c>BPF_PROG_TEST_RUN</c>): what a <c>syscall</c> program is run with.</summary>
    /// <param name="context">The context; the program's writes are copied back. Empty gives a null context.</param>
    /// <param name="options">Limits of the run; null for the defaults.</param>
    public ProgramResult TestRun(Span<byte> context = default, ExecOptions? options = null)
    {
        if (context.IsEmpty)
        {
            return Run(default, options: options);
        }

        var block = Kernel.Heap.AllocateBlock($"context of {Name}", context.Length);
        try
        {
            context.CopyTo(BytesAt(block, context.Length));
            var result = Run(new Region(block, (ulong)context.Length, IsWritable: true), options: options);
            BytesAt(block, context.Length).CopyTo(context);
            return result;
        }
        finally
        {
            Kernel.Heap.TryFree(block);
        }
    }

    /// <summary>Runs it once with a packet, a socket or an option value (<c>BPF_PROG_TEST_RUN</c>), as its program type has it.</summary>
    /// <param name="input">What to run it with.</param>
    /// <param name="options">Limits of the run; null for the defaults.</param>
    /// <exception cref="ArgumentException">A packet is too short for its Ethernet header.</exception>
    public TestOutput TestRun(TestInput input, ExecOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(input);
        using var context = new TestContext(this, input);
        return context.Output(Run(new Region(context.Address, (ulong)context.SizeBytes, IsWritable: true), packet: context.Packet, options: options));
    }

    /// <summary>Runs it once with arguments in an array of 64-bit words: what tracing programs are run with.</summary>
    /// <param name="args">At most twelve; objects by <see cref="KernelObject.Address"/>.</param>
    public ProgramResult RunWithArgs(params ReadOnlySpan<ulong> args) => RunWithArgs(args, null);

    /// <summary>Runs it once with arguments in an array of 64-bit words, within limits.</summary>
    /// <param name="args">At most twelve; objects by <see cref="KernelObject.Address"/>.</param>
    /// <param name="options">Limits of the run; null for the defaults.</param>
    public ProgramResult RunWithArgs(ReadOnlySpan<ulong> args, ExecOptions? options)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(args.Length, ArgsMax, nameof(args));
        var block = _contexts.Allocate();
        try
        {
            args.CopyTo(System.Runtime.InteropServices.MemoryMarshal.Cast<byte, ulong>(BytesAt(block, ArgsMax * sizeof(ulong))));
            return Run(new Region(block, ArgsMax * sizeof(ulong), IsWritable: false), args.Length, options: options);
        }
        finally
        {
            _contexts.TryFree(block);
        }
    }

    internal Interpreter Interpreter => _interpreter;

    internal void RunHook(ReadOnlySpan<ulong> args) => RunWithArgs(args);

    internal void Hold() => Interlocked.Increment(ref _refs);

    internal void Put()
    {
        if (Interlocked.Decrement(ref _refs) == 0)
        {
            foreach (var map in _maps)
            {
                map?.Put();
            }
        }
    }

    private static bool IsHooked(ProgSpec spec) => spec.Type is ProgType.RawTracepoint or ProgType.Lsm
        || (spec.Type == ProgType.Tracing && spec.ExpectedAttachType != AttachType.TraceIter);

    private static unsafe Span<byte> BytesAt(ulong address, int length) => new((void*)address, length);

    private ProgramResult Run(Region context, int argCount = 0, RunPacket? packet = null, ExecOptions? options = null)
    {
        Interlocked.Increment(ref _runCount);
        var ctx = new ProgContext(Kernel, Spec, Kernel.CurrentCpu, Kernel.Host) { Maps = _maps, ArgCount = argCount, Packet = packet };
        using var reader = (Spec.IsSleepable ? Kernel.RcuTrace : Kernel.Rcu).ReadLock();
        try
        {
            var result = _interpreter.Run(ctx, context, options);
            if (result.Fault is { } fault)
            {
                Kernel.Report(new KernelFault(fault.Code, fault.Message) { Object = $"program \"{Name}\"", Site = ctx.SiteOf(fault.InsnIdx) });
            }

            return new((long)result.R0, result.Fault);
        }
        finally
        {
            ctx.End();
        }
    }
}

/// <summary>How one run of a program ended.</summary>
/// <param name="ReturnValue">What it returned; 0 after a fault.</param>
/// <param name="Fault">What it did that it must not, also reported to the kernel; null for a verified program, unless Kptr is wrong
/// or the program asked for something that the model has no body for.</param>
public readonly record struct ProgramResult(long ReturnValue, RunFault? Fault);
