using System.Collections.Immutable;
using System.Diagnostics;
using Kptr.Execution;
using Kptr.Kfuncs;
using Kptr.Maps;
using Kptr.Specs;
using Kptr.Verifier;

namespace Kptr;

/// <summary>A loaded program: verified, bound to live maps, ready to attach and to run.</summary>
/// <remarks>Any number of threads may run it at once.</remarks>
public sealed partial class BpfProgram : IMapUser
{
    private const string Loader = "loaded object";
    private readonly ImmutableArray<BpfMap?> _maps;
    private readonly MapOwner _owner;
    private readonly bool _tailCalls;
    private readonly Interpreter _interpreter;
    private readonly Lazy<bool> _hasOnlyBuiltinBodies;
    private volatile bool _isUnloaded;
    private readonly bool _sharesRecursion;
    private readonly bool _checksRecursion;
    private long _runCount;
    private long _timedCount;
    private long _runTimeTicks;
    private long _recursionMisses;

    internal BpfProgram(KernelModel kernel, VerifiedProgram verified, ImmutableArray<BpfMap?> maps)
    {
        Kernel = kernel;
        Verified = verified;
        _maps = maps;
        var arena = ArenaRewriter.ArenaOf(verified, maps);
        var linked = ArenaRewriter.Apply(ContextRewriter.Apply(verified, kernel), verified, arena?.Map);
        var links = new ProgLinks(kernel, verified.Spec, maps);
        _hasOnlyBuiltinBodies = new(() => links.HasOnlyBuiltinBodies);
        _interpreter = Interpreter.ForLinked(
            linked, links, verified.ProbedLoads, arena,
            () => kernel.Options.FaultPlan is null && _hasOnlyBuiltinBodies.Value
                ? ProvenLife.Find(verified, linked, maps) : null);
        _sharesRecursion = Spec.Type is ProgType.Kprobe or ProgType.Tracepoint or ProgType.PerfEvent;
        _checksRecursion = _sharesRecursion
            || Spec.Type is ProgType.Tracing or ProgType.RawTracepoint or ProgType.RawTracepointWritable;
        var used = UsedMaps().ToList();
        _owner = MapOwner.Of(
            Spec, kernel.Spec.Types, used.Find(m => m.Type == BpfMapType.CgroupStorage),
            used.Find(m => m.Type == BpfMapType.PercpuCgroupStorage));
        _tailCalls = Spec.Insns.Any(i => i.Calls(HelperId.TailCall));
        HoldMaps();

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

    /// <summary>What its runs cost so far.</summary>
    public ProgStats Stats => new(
        Interlocked.Read(ref _timedCount),
        (long)(Interlocked.Read(ref _runTimeTicks) * (1e9 / Stopwatch.Frequency)),
        Interlocked.Read(ref _recursionMisses));

    /// <summary>Attaches it where its section says.</summary>
    /// <param name="cookie">What it gets from <c>bpf_get_attach_cookie</c>.</param>
    /// <returns>The attachment; dispose it to detach.</returns>
    /// <exception cref="NotSupportedException">Its kind of program has no place in the model to attach to.</exception>
    /// <exception cref="ArgumentException">The kernel has no such hook (the message lists near names), and
    /// <see cref="KernelModel.DeclareHook"/> did not add it.</exception>
    /// <exception cref="ObjectDisposedException">It is unloaded.</exception>
    public BpfLink Attach(ulong cookie = 0) => Spec.AttachTarget is { Length: > 0 } target && IsHooked(Spec)
        ? new BpfLink(this, target, cookie)
        : throw new NotSupportedException(
            $"program \"{Name}\" ({Spec.SectionName}) cannot be attached in the model; use TestRun or Iterate");

    /// <summary>Attaches it to a tracepoint, function or event of the caller's choice.</summary>
    /// <param name="hook">A name that <see cref="KernelModel.Raise"/>, <see cref="KernelModel.Call"/> or the
    /// model itself passes.</param>
    /// <param name="cookie">What it gets from <c>bpf_get_attach_cookie</c>.</param>
    /// <exception cref="ArgumentException">The kernel has no such hook of the program's kind (the message lists near
    /// names), and <see cref="KernelModel.DeclareHook"/> did not add it.</exception>
    /// <exception cref="NotSupportedException">It is a session's, which would run at entry and return.</exception>
    /// <exception cref="ObjectDisposedException">It is unloaded.</exception>
    public BpfLink AttachTo(string hook, ulong cookie = 0)
    {
        ArgumentException.ThrowIfNullOrEmpty(hook);
        return Spec.ExpectedAttachType is AttachType.TraceUprobeSession or AttachType.TraceFsession
            or AttachType.TraceFsessionMulti
                ? throw new NotSupportedException($"program \"{Name}\": sessions are not run by the model")
                : new(this, hook, cookie);
    }

    /// <summary>Name, section and how often it ran.</summary>
    public override string ToString() =>
        $"program \"{Name}\" ({Spec.SectionName}, ran {RunCount} times{(IsUnloaded ? ", unloaded" : "")})";

    /// <summary>Whether nobody has it any more: its object is disposed and all links to it are.</summary>
    /// <remarks>A run that sees this false inside its RCU reader may use the maps until the reader ends.</remarks>
    internal bool IsUnloaded => _isUnloaded;

    internal Interpreter Interpreter => _interpreter;

    /// <summary>The object that loaded it lets go of it.</summary>
    internal void Unload() => Object.Put(Loader);

    /// <summary>Makes the maps that can hold programs those of programs like this one.</summary>
    /// <returns>One that belongs to others, or null.</returns>
    internal BpfMap? OwnMaps() => UsedMaps().FirstOrDefault(m => !((IMapUser)this).TryUse(m));

    Objects.KernelCore IMapUser.Core => Kernel;

    bool IMapUser.TryUse(BpfMap map) => map.TryOwn(_owner, _tailCalls);

    private IEnumerable<BpfMap> UsedMaps() => Spec.Insns
        .Where(i => i.IsMapAddress)
        .Select(i => _maps[i.Imm]).OfType<BpfMap>().Distinct();

    private void HoldMaps()
    {
        for (var i = 0; i < _maps.Length; i++)
        {
            if (_maps[i] is { } map && !map.TryHold())
            {
                foreach (var held in _maps[..i])
                {
                    held?.Put();
                }

                throw new ObjectDisposedException(map.Name);
            }
        }
    }

    // Maps outlive readers of plain RCU by themselves; a sleepable program is a reader of the other flavour.
    private void LetMapsGo()
    {
        _isUnloaded = true;
        if (Spec.IsSleepable)
        {
            Kernel.RcuTrace.Call(static p => ((BpfProgram)p).PutMaps(), this, "__bpf_prog_put_rcu");
        }
        else
        {
            PutMaps();
        }
    }

    private void PutMaps()
    {
        foreach (var map in _maps)
        {
            map?.Put();
        }
    }

    private static bool IsHooked(ProgSpec spec) =>
        spec.Type is ProgType.RawTracepoint or ProgType.Lsm or ProgType.Tracepoint
            || (spec.Type == ProgType.Kprobe && spec.ExpectedAttachType != AttachType.TraceUprobeSession)
            || (spec.Type == ProgType.Tracing && spec.ExpectedAttachType is AttachType.TraceRawTp
                or AttachType.TraceFentry or AttachType.TraceFexit or AttachType.ModifyReturn);
}
