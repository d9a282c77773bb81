using System.Collections.Immutable;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Elf;
using Kptr.Maps;
using Kptr.Specs;
using Kptr.Verifier;

namespace Kptr;

/// <summary>One program of an object and what the verifier says of it.</summary>
public sealed record ProgVerdict(ProgSpec Prog, VerifyResult Result)
{
    /// <summary>The verdict.</summary>
    public Verdict Verdict => Result.Verdict;

    /// <summary>Program and verdict.</summary>
    public override string ToString() => $"{Prog}: {Result}";

    /// <inheritdoc cref="ObjectSpec.BtfFault"/>
    public Diagnostic? BtfFault { get; init; }
}

/// <summary>What one kernel says of a program.</summary>
/// <param name="Kernel">The kernel.</param>
/// <param name="Said">The program, linked for it, and the verdict.</param>
public sealed record ProgVerdictOf(KernelSpec Kernel, ProgVerdict Said)
{
    /// <summary>Kernel and verdict.</summary>
    public override string ToString() => $"{Kernel?.Profile.Name}: {Said?.Verdict}";
}

/// <summary>One program of an object and what several kernels say of it, in the order they were given.</summary>
/// <remarks><see cref="ObjectCheck"/> makes these.</remarks>
public sealed record ProgVerdicts
{
    internal ProgVerdicts(ImmutableArray<ProgVerdictOf> kernels) => Kernels = kernels;

    /// <summary>What each kernel says; at least one.</summary>
    public ImmutableArray<ProgVerdictOf> Kernels { get; }

    /// <summary>The program's name.</summary>
    public string Name => Kernels[0].Said.Prog.Name;

    /// <summary>Whether all of them take it, or none.</summary>
    public bool Agree => Kernels.All(k => k.Said.Verdict == Kernels[0].Said.Verdict);

    /// <summary>The program and each verdict.</summary>
    public override string ToString() => $"{Name}: {string.Join(", ", Kernels)}";
}

/// <summary>What <see cref="ObjectCheck"/> judges, and how.</summary>
public sealed record ObjectCheckOptions
{
    /// <summary>Judge only the program of this name; null for all.</summary>
    public string? ProgName { get; init; }

    /// <summary>Which programs.</summary>
    public override string ToString() => ProgName is null ? "all programs" : $"only program \"{ProgName}\"";

    /// <summary>How each program is verified; null for the defaults.</summary>
    public VerifyOptions? Verify { get; init; }
}

/// <summary>Judges the programs of BPF objects without loading them into anything.</summary>
public static class ObjectCheck
{
    /// <summary>Judges every program of a file, in file order, each on its own.</summary>
    /// <param name="path">A BPF object as clang makes it.</param>
    /// <param name="kernel">The kernel it is judged for.</param>
    /// <param name="options">Which programs, and how; null for all and the defaults.</param>
    /// <exception cref="DiagnosticException">The file is no BPF object; says where.</exception>
    public static IEnumerable<ProgVerdict> Run(string path, KernelSpec kernel, ObjectCheckOptions? options = null) =>
        Run(ObjectReader.Read(path), kernel, options);

    /// <summary>Judges every program of an object, in file order, each on its own.</summary>
    public static IEnumerable<ProgVerdict> Run(ObjectSpec spec, KernelSpec kernel, ObjectCheckOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(spec);
        ArgumentNullException.ThrowIfNull(kernel);
        options ??= new();
        var linked = ObjectLinker.Link(spec, kernel, new DiagSink());
        var target = new Target(linked, kernel, MapRefusal(linked, kernel));
        return linked.Progs
            .Where(p => options.ProgName is null || p.Name == options.ProgName)
            .Select(p => Judge(p, target, options));
    }

    /// <summary>Judges every program of a file for several kernels, in file order, each on its own.</summary>
    /// <param name="path">A BPF object as clang makes it; it is read once.</param>
    /// <param name="kernels">The kernels, in the order of the answers; at least one.</param>
    /// <param name="options">Which programs, and how; null for all and the defaults.</param>
    /// <exception cref="DiagnosticException">The file is no BPF object; says where.</exception>
    /// <exception cref="ArgumentException">There is no kernel.</exception>
    public static IEnumerable<ProgVerdicts> Run(
        string path, IReadOnlyList<KernelSpec> kernels, ObjectCheckOptions? options = null) =>
        Run(ObjectReader.Read(path), kernels, options);

    /// <summary>Judges every program of an object for several kernels, in file order, each on its own.</summary>
    /// <remarks>
    /// Kernels that mean the same to the linker (types, special fields, destructors, configuration) share what it
    /// links; that is one and the same object then.
    /// </remarks>
    /// <exception cref="ArgumentException">There is no kernel.</exception>
    public static IEnumerable<ProgVerdicts> Run(
        ObjectSpec spec, IReadOnlyList<KernelSpec> kernels, ObjectCheckOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(spec);
        ArgumentNullException.ThrowIfNull(kernels);
        if (kernels.Count == 0 || kernels.Any(k => k is null))
        {
            throw new ArgumentException("It takes at least one kernel, and each must be there.", nameof(kernels));
        }

        options ??= new();
        var linked = new Dictionary<LinkFacts, ObjectSpec>();
        var targets = kernels.Select(k => (Object: Linked(linked, spec, k), Kernel: k))
            .Select(t => new Target(t.Object, t.Kernel, MapRefusal(t.Object, t.Kernel))).ToImmutableArray();
        var progs = targets[0].Object.Progs;
        return Enumerable.Range(0, progs.Length)
            .Where(i => options.ProgName is null || progs[i].Name == options.ProgName)
            .Select(i => new ProgVerdicts([.. targets.Select(
                t => new ProgVerdictOf(t.Kernel, Judge(t.Object.Progs[i], t, options)))]));
    }

    // No program of an object is loaded where one of its maps is not created.
    private static ProgVerdict Judge(ProgSpec prog, Target target, ObjectCheckOptions options)
    {
        var said = Judge(prog, target.Kernel, options.Verify) with { BtfFault = target.Object.BtfFault };
        return said.Verdict != Verdict.Accept || target.Refused is not { } refused ? said
            : said with
            {
                Result = new(Verdict.Reject)
                {
                    Diagnostics = [new(DiagCode.MapRefused, refused.Message) { File = target.Object.Name }],
                    Message = refused.Message,
                    Errno = refused.Errno,
                },
            };
    }

    private static MapCreateException? MapRefusal(ObjectSpec linked, KernelSpec kernel) => linked.Maps
        .Where(m => m.Autocreate && m.OwnType is null)
        .Select(m => (Spec: m, Errno: ErrnoOf(m, kernel.Profile)))
        .Where(m => m.Errno != Errno.None)
        .Select(m => new MapCreateException(m.Spec, m.Errno))
        .FirstOrDefault();

    private static Errno ErrnoOf(MapSpec map, KernelProfile profile)
    {
        var err = MapRules.Check(map, profile);
        if (err != Errno.None && map.MaxEntries == 0)
        {
            err = MapRules.Check(map with { MaxEntries = 1 }, profile);     // user space sets it before it loads
        }

        return err == Errno.None ? MapRules.CheckMapped(map) : err;
    }

    private static ObjectSpec Linked(Dictionary<LinkFacts, ObjectSpec> linked, ObjectSpec spec, KernelSpec kernel)
    {
        var facts = LinkFacts.Of(kernel);
        if (!linked.TryGetValue(facts, out var found))
        {
            linked.Add(facts, found = ObjectLinker.Link(spec, kernel, new DiagSink()));
        }

        return found;
    }

    /// <summary>An object as a kernel gets it.</summary>
    /// <param name="Object">What linking made of it.</param>
    /// <param name="Kernel">The kernel.</param>
    /// <param name="Refused">Its first map that the kernel does not create; null where it creates all.</param>
    private sealed record Target(ObjectSpec Object, KernelSpec Kernel, MapCreateException? Refused);

    // All that linking asks of a kernel.
    private readonly record struct LinkFacts(
        KernelTypes Types, BtfRecordRules Rules, BpfMapType LastMapType, ImmutableArray<BpfMapType> KptrMaps,
        int Version, object Kconfig, string Dtors)
    {
        public static LinkFacts Of(KernelSpec kernel) => new(
            kernel.Types, kernel.Profile.RecordRules, kernel.Profile.LastMapType, kernel.Profile.MapsWithKptrs,
            kernel.Profile.VersionCode, kernel.Kconfig,
            string.Join(' ', kernel.Dtors.OrderBy(d => d.Key, StringComparer.Ordinal)
                .Select(d => $"{d.Key}:{d.Value}")));
    }

    // A program whose references cannot be resolved never reaches the verifier: libbpf refuses it.
    internal static ProgVerdict Judge(ProgSpec linked, KernelSpec kernel, VerifyOptions? options) =>
        new(linked, linked.LinkFault is { } fault
            ? new(Verdict.Reject) { Diagnostics = [fault], Message = fault.Message }
            : BpfVerifier.Verify(linked, kernel, options));
}
