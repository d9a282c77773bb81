namespace Kptr.Verifier.Pruning;

/// <summary>Where a path stands when it is held against the states explored before.</summary>
/// <param name="InsnIdx">The instruction.</param>
/// <param name="IsCheckpoint">Whether a state is always remembered there.</param>
/// <param name="Loop">How the instruction may come back to itself.</param>
/// <param name="InsnsProcessed">Instructions that the run has processed.</param>
/// <param name="JmpsProcessed">Jumps that the run has processed.</param>
/// <param name="IdGen">The highest id that the run has given.</param>
internal readonly record struct VisitPoint(
    int InsnIdx, bool IsCheckpoint, LoopKind Loop, int InsnsProcessed, int JmpsProcessed, int IdGen);

/// <summary>Instructions that may be met again on one path without that being a loop that never ends.</summary>
internal enum LoopKind
{
    None,

    /// <summary>The next element of an open-coded iterator.</summary>
    IterNext,
    MayGoto,

    /// <summary>A call that enters a callback of the program again and again.</summary>
    Callback,
}

/// <summary>What the explored states say of a path.</summary>
internal enum Visit
{
    /// <summary>It goes on; the state may have been remembered.</summary>
    GoesOn,

    /// <summary>An earlier state stands for it.</summary>
    Safe,

    /// <summary>An earlier state stands for it, and rounds of their loop may still say more of both.</summary>
    SafeInLoop,

    /// <summary>It came back to where it was and nothing has changed.</summary>
    NeverEnds,
}
