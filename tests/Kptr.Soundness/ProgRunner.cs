using System.Collections.Immutable;
using System.Globalization;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Execution;
using Kptr.Isa;
using Kptr.Kfuncs;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Verifier;

namespace Kptr.Soundness;

/// <summary>
/// Runs an accepted program many times in a kernel of its own, every access checked, under random contexts, map
/// contents, failing calls and a user space that interferes.
/// </summary>
internal sealed class ProgRunner
{
    /// <summary>Why a program is left out that spends its fuel.</summary>
    internal const string TooLong = "runs too long";

    private const int ContextBytes = 8192;
    private const int ContextBytesMax = 64;
    private const int InnerSlots = 2;
    private const uint PageBytes = 4096;

    // What the model has objects of to go over; others get a context of random bytes.
    private static readonly string[] s_walked =
        ["task", "task_vma", "task_file", "cgroup", "bpf_map", "bpf_map_elem", "tcp", "udp"];

    private readonly VerifiedProgram _verified;
    private readonly RegBeliefs? _beliefs;
    private readonly ProgFailures _failures;
    private readonly Random _random;
    private readonly long _fuel;
    private readonly List<BpfMap> _inner = [];
    private int _runCount;
    private long _checkedCount;

    /// <summary>Prepares the runs.</summary>
    /// <param name="program">The program.</param>
    /// <param name="seed">Decides everything.</param>
    /// <param name="fuel">Instructions that loops may repeat in one run.</param>
    internal ProgRunner(AcceptedProgram program, int seed, long fuel)
    {
        _verified = program.Verified;
        _beliefs = program.Beliefs;
        _failures = new ProgFailures(_verified.Spec.Insns, _verified.Kernel);
        _random = new Random(seed);
        _fuel = fuel;
    }

    /// <summary>Where the kfuncs' bodies are.</summary>
    internal KfuncRegistry Kfuncs { get; init; } = KfuncRegistry.Builtin;

    /// <summary>Makes objects of a user's own kinds, by the name of their struct; null for none.</summary>
    internal Func<KernelModel, string, KernelObject?> ObjectOf { get; init; } = static (_, _) => null;

    /// <summary>Runs it so many times, or until something is wrong; an exception is an outcome too.</summary>
    internal RunOutcome Run(int count)
    {
        try
        {
            return RunInKernel(count);
        }
#pragma warning disable CA1031 // whatever it is, it is said of this program, and the next program runs all the same
        catch (Exception e)
#pragma warning restore CA1031
        {
            return Outcome(RunKind.Failed, e.ToString());
        }
    }

    /// <summary>
    /// What a user sees of so many runs that nobody looks on: results, faults, maps and references, line by line.
    /// </summary>
    /// <param name="count">How many.</param>
    /// <param name="engine">In which engine.</param>
    internal IReadOnlyList<string> Transcribe(int count, ExecEngine engine)
    {
        using var kernel = NewKernel();
        if (!TryCreateMaps(kernel, out var maps, out var refused))
        {
            return [refused];
        }

        var program = new BpfProgram(kernel, _verified, maps);
        var transcript = new Transcript(kernel, program, [.. maps.Concat(_inner).OfType<BpfMap>()]);
        var user = new UserSpace(kernel, [.. maps.OfType<BpfMap>()], _random);
        user.Fill();
        for (; _runCount < count; _runCount++)
        {
            using (kernel.Tasks.Run(user.AnyTask()))
            {
                transcript.Add(Start(program, user, new ExecOptions { Engine = engine }));
            }

            kernel.VirtualClock.Advance(TimeSpan.FromMilliseconds(1));
            kernel.Quiesce();
            transcript.AddState();
            user.Disturb();
        }

        program.Unload();
        foreach (var map in maps.Concat(_inner))
        {
            map?.Dispose();
        }

        kernel.Quiesce();
        transcript.AddReferences();
        return transcript.Lines;
    }

    private KernelModel NewKernel() => new(new()
    {
        Kernel = _verified.Kernel, Kfuncs = Kfuncs, LedgerLevel = LedgerLevel.Sites, Driver = DeferredDriver.Manual,
        Seed = _random.Next(),
    });

    private RunOutcome RunInKernel(int count)
    {
        using var kernel = NewKernel();
        return TryCreateMaps(kernel, out var maps, out var refused)
            ? RunWith(kernel, maps, count)
            : Outcome(RunKind.LeftOut, refused);
    }

    private bool TryCreateMaps(KernelModel kernel, out ImmutableArray<BpfMap?> maps, out string refused)
    {
        var made = ImmutableArray.CreateBuilder<BpfMap?>();
        refused = "";
        foreach (var spec in _verified.Spec.Maps)
        {
            try
            {
                var map = spec.Autocreate ? MapFactory.Create(kernel, Sized(BpfObject.Sized(spec, kernel))) : null;
                made.Add(map);
                AddInner(kernel, map);
            }
            catch (MapCreateException e)
            {
                refused = $"no {spec.Type} map: {e.Errno}";
                break;
            }
        }

        maps = made.ToImmutable();
        return refused.Length == 0;
    }

    /// <summary>What user space sets before it loads: programs do not depend on it.</summary>
    private static MapSpec Sized(MapSpec spec) => spec.MaxEntries != 0 ? spec : spec.Type switch
    {
        BpfMapType.Ringbuf or BpfMapType.UserRingbuf => spec with { MaxEntries = PageBytes },
        BpfMapType.Hash or BpfMapType.ArrayOfMaps or BpfMapType.HashOfMaps => spec with { MaxEntries = PageBytes },
        _ => spec,
    };

    /// <summary>A map of maps gets one map of its kind, in its first slots.</summary>
    private void AddInner(KernelModel kernel, BpfMap? outer)
    {
        if (outer?.Spec.InnerMap is not { } spec)
        {
            return;
        }

        var inner = MapFactory.Create(kernel, spec with { Name = "inner" });
        _inner.Add(inner);
        for (var slot = 0; slot < InnerSlots; slot++)
        {
            var key = new byte[outer.KeySize];
            key[0] = (byte)slot;
            outer.UpdateElem(key, BitConverter.GetBytes(inner.Id));
        }
    }

    private RunOutcome RunWith(KernelModel kernel, ImmutableArray<BpfMap?> maps, int count)
    {
        RunOutcome? bad = null;
        var user = new UserSpace(kernel, [.. maps.OfType<BpfMap>()], _random);
        var program = new BpfProgram(kernel, _verified, maps);
        user.Fill();
        for (; _runCount < count && bad is null; _runCount++)
        {
            bad = RunOnce(kernel, program, maps, user) ?? Settle(kernel);
        }

        program.Unload();
        foreach (var map in maps.Concat(_inner))
        {
            map?.Dispose();
        }

        kernel.Quiesce();
        return bad ?? FaultsOf(kernel) ?? Unreturned(kernel) ?? Outcome(RunKind.Sound, "");
    }

    private RunOutcome? RunOnce(
        KernelModel kernel, BpfProgram program, ImmutableArray<BpfMap?> maps, UserSpace user)
    {
        using var contexts = new ContextModel(kernel, _beliefs, user, _random)
        {
            IsReal = IsWalked(program, user), ObjectOf = ObjectOf,
        };
        var beliefs = _beliefs is null ? null : new BeliefCheck(_beliefs);
        var watcher = new RunWatcher(beliefs, new(kernel, program, maps), _failures, contexts, user, _random);
        using var task = kernel.Tasks.Run(user.AnyTask());
        var runFault = Start(program, user, new ExecOptions { Fuel = _fuel, Observer = watcher }).Fault;
        _checkedCount += beliefs?.CheckedCount ?? 0;
        if (runFault is { } fault)
        {
            kernel.TakeFaults();
            return OutcomeOf(fault, contexts.HasStandIns);
        }

        return FaultsOf(kernel);
    }

    private ProgramResult Start(BpfProgram program, UserSpace user, ExecOptions options)
    {
        if (IsWalked(program, user))
        {
            var walked = program.Iterate(new() { Map = user.MapToWalk(program) }, options);
            return new(walked.RunCount, walked.Fault);
        }

        if (_verified.Spec.Type == ProgType.CgroupSysctl)
        {
            var asked = new TestInput { Sysctl = user.AnySysctl() };
            var answer = program.TestRun(asked, options);
            return new(answer.ReturnValue, answer.Fault);
        }

        if (ContextLayout.Of(_verified.Spec.Type) is null)
        {
            return program.TestRun(user.AnyBytes(ContextBytes), options);
        }

        var input = new TestInput { Packet = user.AnyPacket(), Context = user.AnyBytes(_random.Next(ContextBytesMax)) };
        var output = program.TestRun(input, options);
        return new(output.ReturnValue, output.Fault);
    }

    // Timers fire, work runs, memory waits out its grace periods.
    private RunOutcome? Settle(KernelModel kernel)
    {
        kernel.VirtualClock.Advance(TimeSpan.FromMicroseconds(_random.Next(2000)));
        kernel.Quiesce();
        return FaultsOf(kernel) ?? LeaksOf(kernel);
    }

    private RunOutcome? FaultsOf(KernelModel kernel)
    {
        var faults = kernel.TakeFaults();
        return faults.Count == 0 ? null
            : faults.Any(f => f.Code is DiagCode.RunNoSuchCall or DiagCode.RunOutOfFuel or DiagCode.CallNotModelled)
                ? Outcome(RunKind.LeftOut, "in a callback: " + faults[0].Message)
            : Outcome(RunKind.Unsound, string.Join("; ", faults));
    }

    // What a program puts into an element that user space has just deleted stays there until the map goes, as in Linux.
    private RunOutcome? LeaksOf(KernelModel kernel)
    {
        var leaks = kernel.Ledger.FindLeaks().Where(e => e.Holder is not UnlinkedHolder).ToList();
        return leaks.Count == 0 ? null
            : leaks.All(e => e.Holder is UnknownHolder) && HasSockMap
                ? Outcome(RunKind.LeftOut, "what a map of sockets holds, the ledger does not know")
            : Outcome(RunKind.Unsound, "not given back: " + string.Join("; ", leaks));
    }

    private RunOutcome? Unreturned(KernelModel kernel)
    {
        var kept = kernel.Ledger.Snapshot().Entries.Where(e => !e.Holder.IsKernel).ToList();
        return kept.Count == 0
            ? null
            : Outcome(RunKind.Unsound, "still held when the maps are gone: " + string.Join("; ", kept));
    }

    private RunOutcome OutcomeOf(RunFault fault, bool hasStandIns) => fault.Code switch
    {
        DiagCode.CallBadObject when hasStandIns =>
            Outcome(RunKind.LeftOut, "an object in the context that the model cannot make"),
        DiagCode.RunBadAccess or DiagCode.RunCancelled or DiagCode.CallBadObject when UsesKernelVariable =>
            Outcome(RunKind.LeftOut, "a kernel variable"),
        DiagCode.RunNoSuchCall =>
            Outcome(RunKind.LeftOut, $"no body for {NameOf(_verified.Spec.Insns[fault.InsnIdx])}"),
        DiagCode.CallNotModelled =>
            Outcome(RunKind.LeftOut, $"not modelled: {NameOf(_verified.Spec.Insns[fault.InsnIdx])}"),
        DiagCode.RunOutOfFuel => Outcome(RunKind.LeftOut, TooLong),
        _ => Outcome(RunKind.Unsound, fault.ToString()),
    };

    // One that reads more than its maps' elements have, which Linux attaches to none, gets buffers of random bytes.
    private bool IsWalked(BpfProgram program, UserSpace user) =>
        _verified.Spec.ExpectedAttachType == AttachType.TraceIter
        && s_walked.Contains(_verified.Spec.AttachTarget)
        && (_verified.Spec.AttachTarget != "bpf_map_elem" || user.MapToWalk(program) is not null);

    private bool HasSockMap => _verified.Spec.Maps.Any(m => m.Type is BpfMapType.Sockmap or BpfMapType.Sockhash);

    private bool UsesKernelVariable =>
        _verified.Spec.Insns.Any(i => i.Opcode == BpfOp.LdImm64 && i.Src == BpfOp.PseudoBtfId);

    private string NameOf(BpfInsn call) => call.Src switch
    {
        0 => HelperTable.Find((HelperId)call.Imm)?.Name ?? $"helper {call.Imm}",
        BpfOp.PseudoKfuncCall => _verified.Kernel.Types[new BtfRef(call.Off, call.Imm)].Name,
        _ => Disassembler.Text(call),
    };

    private RunOutcome Outcome(RunKind kind, string detail) =>
        new(kind, string.Create(CultureInfo.InvariantCulture, $"{detail}"), _runCount, _checkedCount);
}
