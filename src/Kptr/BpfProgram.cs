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
public sealed partial class BpfProgram
{
    private const string Loader = "loaded object";
    private readonly ImmutableArray<BpfMap?> _maps;
    private readonly Interpreter _interpreter;
    private readonly HeapSlab _contexts;
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

        Object = new(kernel, Name, Loader, LetMapsGo);
    }

    /// <summary>The kernel it is loaded into.</summary>
    public KernelModel Kernel { get; }

    /// <summary>The program as an object of the kernel: who pins it, its object, links, timers.</summary>
    public ProgObject Object { get; }

    /// <summary>What the verifier found out about it.</summary>
    public VerifiedProgram Verified { get; }

    /// <summary>The linked program.</summary>
    public ProgSpec Spec => Verified.Spec;

    /// <summary>Its name.</summary>
    public string Name => Spec.Name;

    /// <summary>How often it has run.</summary>
    public long RunCount => Interlocked.Read(ref _runCount);

    /// <summary>Attaches it where its section says.</summary>
    /// <param name="cookie">What it gets from <c>bpf_get_attach_cookie</c>.</param>
    /// <returns>The attachment; dispose it to detach.</returns>
    /// <exception cref="NotSupportedException">Its kind of program has no place in the model to attach to.</exception>
    public BpfLink Attach(ulong cookie = 0) => Spec.AttachTarget is { Length: > 0 } target && IsHooked(Spec)
        ? new BpfLink(this, target, cookie)
        : throw new NotSupportedException(
            $"program \"{Name}\" ({Spec.SectionName}) cannot be attached in the model; use TestRun or Iterate");

    /// <summary>Attaches it to a tracepoint, function or event of the caller's choice.</summary>
    /// <param name="hook">A name that <see cref="KernelModel.Raise"/>, <see cref="KernelModel.Call"/> or the
    /// model itself passes.</param>
    /// <param name="cookie">What it gets from <c>bpf_get_attach_cookie</c>.</param>
    public BpfLink AttachTo(string hook, ulong cookie = 0)
    {
        ArgumentException.ThrowIfNullOrEmpty(hook);
        return new(this, hook, cookie);
    }

    internal Interpreter Interpreter => _interpreter;

    /// <summary>The object that loaded it lets go of it.</summary>
    internal void Unload() => Object.Put(Loader);

    private void LetMapsGo()
    {
        foreach (var map in _maps)
        {
            map?.Put();
        }
    }

    private static bool IsHooked(ProgSpec spec) =>
        spec.Type is ProgType.RawTracepoint or ProgType.Lsm or ProgType.Tracepoint or ProgType.Kprobe
            || (spec.Type == ProgType.Tracing && spec.ExpectedAttachType != AttachType.TraceIter);
}
