using System.Collections.Immutable;
using Kptr.Specs;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <summary>A program the verifier accepted, with what it found out. Only the verifier makes these.</summary>
public sealed class VerifiedProgram
{
    private readonly Lazy<AccessProof> _proof;

    internal VerifiedProgram(ProgSpec spec, KernelSpec kernel, VerifyOptions? options = null)
    {
        Spec = spec;
        Kernel = kernel;
        _proof = new(() => AccessProof.Of(spec, kernel, options ?? VerifyOptions.Default));
    }

    /// <summary>The linked program.</summary>
    public ProgSpec Spec { get; }

    /// <summary>The kernel it was judged against.</summary>
    public KernelSpec Kernel { get; }

    /// <summary>Starts of its subprograms in rising order; the first is 0.</summary>
    public ImmutableArray<int> SubprogStarts { get; internal init; } = [];

    /// <summary>Deepest stack of each subprogram in bytes, by index.</summary>
    public ImmutableArray<int> StackDepthBytes { get; internal init; } = [];

    /// <summary>For each instruction slot, whether any path reaches it.</summary>
    public ImmutableArray<bool> Reached { get; internal init; } = [];

    /// <summary>
    /// Which of its loads and stores need no check while it runs. Asked for the first time, the program is judged once
    /// more, by stricter rules.
    /// </summary>
    public AccessProof Proof => _proof.Value;

    /// <summary>The program.</summary>
    public override string ToString() => $"verified {Spec}";

    /// <summary>
    /// For each instruction slot, whether its memory access goes through a pointer that may be stale, so that a fault
    /// reads as zero instead of being an error (<c>BPF_PROBE_MEM</c>).
    /// </summary>
    public ImmutableArray<bool> ProbedLoads { get; internal init; } = [];

    /// <summary>
    /// For each instruction slot, through what kind of pointer it loads or stores; what a loader must
    /// know to lead it elsewhere.
    /// </summary>
    internal ImmutableArray<RegType> Accesses { get; init; } = [];

    /// <summary>
    /// For each instruction slot, whether its 64-bit arithmetic is to be done with 32 bits, because it is
    /// done with a pointer into an arena (<c>needs_zext</c>).
    /// </summary>
    internal ImmutableArray<bool> NeedsZext { get; init; } = [];

    /// <summary>Bytes that it reads of the key it is given, of a map that it goes over.</summary>
    internal int MaxRdonlyAccess { get; init; }

    /// <summary>Bytes that it reads or writes of the value.</summary>
    internal int MaxRdwrAccess { get; init; }
}
