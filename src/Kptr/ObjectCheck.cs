using Kptr.Diagnostics;
using Kptr.Elf;
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
        return linked.Progs
            .Where(p => options.ProgName is null || p.Name == options.ProgName)
            .Select(p => Judge(p, kernel, options.Verify) with { BtfFault = linked.BtfFault });
    }

    // A program whose references cannot be resolved never reaches the verifier: libbpf refuses it.
    internal static ProgVerdict Judge(ProgSpec linked, KernelSpec kernel, VerifyOptions? options) =>
        new(linked, linked.LinkFault is { } fault
            ? new(Verdict.Reject) { Diagnostics = [fault], Message = fault.Message }
            : BpfVerifier.Verify(linked, kernel, options));
}
