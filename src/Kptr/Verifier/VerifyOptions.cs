namespace Kptr.Verifier;

/// <summary>How to verify. The defaults are those of a privileged loader.</summary>
public sealed record VerifyOptions
{
    /// <summary>The defaults.</summary>
    public static VerifyOptions Default { get; } = new();

    /// <summary>
    /// Log level as the kernel's, bits: 0 nothing but the fault, 1 the path to it, 2 every path and how precision was
    /// traced back, 4 the stack that each function needs. No effect on the verdict.
    /// </summary>
    public int LogLevel { get; init; }

    /// <summary>Whether the loader has CAP_BPF, CAP_PERFMON and CAP_SYS_ADMIN. Affects the verdict.</summary>
    public bool Privileged { get; init; } = true;

    /// <summary>
    /// Whether equal states end a path. Off explores every path: same verdict where it finishes, much slower.
    /// </summary>
    public bool Pruning { get; init; } = true;

    /// <summary>
    /// Remember a state at every pruning point (<c>BPF_F_TEST_STATE_FREQ</c>). No effect on the verdict.
    /// </summary>
    public bool TestStateFreq { get; init; }

    /// <summary>
    /// Most instructions to process over all paths; the kernel's limit is 1,000,000. A smaller one may turn Accept
    /// into Reject, never the other way round.
    /// </summary>
    public int InsnsMax { get; init; } = Limits.ComplexityLimitInsns;

    /// <summary>
    /// Whether to refuse what Linux accepts although it may go wrong when it runs (codes <c>Strict...</c>, 7900 to
    /// 7999). Off, such a program is accepted with a <see cref="VerifyResult.Warnings">warning</see>.
    /// </summary>
    public bool Strict { get; init; }

    /// <summary>Ends the verification with an <see cref="OperationCanceledException"/>.</summary>
    public CancellationToken Cancellation { get; init; }

    /// <summary>
    /// Where to record what is believed of registers; null for nowhere. No effect on the verdict where it finishes.
    /// </summary>
    internal RegBeliefs? Beliefs { get; init; }

    /// <summary>
    /// Whether to prove accesses for code that leaves their checks out (<see cref="AccessProof"/>): then nothing is
    /// believed of numbers that somebody else hands to the program. May turn Accept into Reject.
    /// </summary>
    internal bool ProvesAccesses { get; init; }

    /// <summary>What differs from the kernel's ordinary way.</summary>
    public override string ToString() =>
        $"{(Privileged ? "privileged" : "unprivileged")}{(Strict ? ", strict" : "")}, log level {LogLevel}, "
        + $"at most {InsnsMax} instructions{(Pruning ? "" : ", no pruning")}";

    /// <summary>Where time is read from.</summary>
    public TimeProvider Time
    {
        get;
        init => field = value ?? throw new ArgumentNullException(nameof(Time));
    } = TimeProvider.System;
}
