namespace Kptr.Soundness;

/// <summary>How the runs of one accepted program went.</summary>
internal enum RunKind
{
    /// <summary>No fault, and everything given back.</summary>
    Sound,

    /// <summary>It could not be run, or not to its end, for a reason that says nothing about it.</summary>
    LeftOut,

    /// <summary>A fault, a belief that did not hold, or a reference that was not given back.</summary>
    Unsound,

    /// <summary>An exception, of Kptr or of the runner; the detail is its text.</summary>
    Failed,
}

/// <summary>How the runs of one accepted program went.</summary>
/// <param name="Kind">In one word.</param>
/// <param name="Detail">The reason or the fault; empty for sound programs.</param>
/// <param name="RunCount">Runs made.</param>
/// <param name="CheckedCount">Instructions at which registers were held against what the verifier believed.</param>
internal sealed record RunOutcome(RunKind Kind, string Detail, int RunCount, long CheckedCount);
