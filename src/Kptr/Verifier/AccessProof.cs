using System.Collections.Immutable;
using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Verifier;

/// <summary>Which loads and stores of a verified program are inside live memory on every path.</summary>
/// <remarks>
/// Found by a verification of its own: under <see cref="VerifyOptions.Strict"/>, and believing nothing of numbers that
/// others hand to the program, since a body or a test may hand over any: what helpers return, what hooks before it
/// returned, what a frozen map holds, that an array has its elements. A program that is refused so has no proof, and
/// runs with every access checked.
/// </remarks>
public sealed class AccessProof
{
    internal AccessProof(ProvenAccess[] accesses, ImmutableArray<bool> roundEnds)
    {
        Accesses = [.. accesses];
        RoundEnds = roundEnds;
    }

    private AccessProof(Diagnostic refusal) => Refusal = refusal;

    /// <summary>Why nothing is proven; null where something may be.</summary>
    public Diagnostic? Refusal { get; }

    /// <summary>Loads, stores and atomics that some path reaches.</summary>
    public int Count => Accesses.Count(a => a.Place != AccessPlace.Unseen);

    /// <summary>
    /// Those of them whose place and bounds are known on every path. Whether the place stays alive depends on the live
    /// maps and the context of a run besides.
    /// </summary>
    public int ProvenCount => Accesses.Count(a => a.Place > AccessPlace.Anywhere);

    /// <summary>How many of how many, or why none.</summary>
    public override string ToString() =>
        Refusal is null ? $"{ProvenCount} of {Count} accesses proven" : $"nothing proven: {Refusal.Message}";

    /// <summary>By slot; empty where nothing is proven.</summary>
    internal ImmutableArray<ProvenAccess> Accesses { get; } = [];

    /// <summary>
    /// By slot, whether paths end there because an earlier round stands for all that follow (iterators, callbacks,
    /// <c>may_goto</c>): rounds that pass none of these are finitely many, as each was explored.
    /// </summary>
    internal ImmutableArray<bool> RoundEnds { get; } = [];

    internal static AccessProof None(Diagnostic refusal) => new(refusal);

    internal static AccessProof Of(ProgSpec prog, KernelSpec kernel, VerifyOptions options) =>
        new VerifierRun(prog, kernel, options with
        {
            Strict = true, ProvesAccesses = true, LogLevel = 0, Beliefs = null, Cancellation = default,
        }).Prove();
}
