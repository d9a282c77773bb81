using Kptr.Verifier.State;

namespace Kptr.Verifier.Precision;

/// <summary>Told how precision is tracked back, line by line as the kernel logs it.</summary>
internal interface IPrecisionLog
{
    /// <summary>A stretch begins: from its last instruction back to its first.</summary>
    void Stretch(int frame, int last, int first, int subseq);

    /// <summary>What is looked for before an instruction.</summary>
    void Before(in BacktrackSet set, int insnIdx);

    /// <summary>What is still looked for in an earlier state's frame, and that frame.</summary>
    void InState(in BacktrackSet set, VerifierState state, int frame);

    /// <summary>What an equal state needs precisely in one frame.</summary>
    void Propagated(in BacktrackSet set, int frame);

    /// <summary>It cannot be told: all scalars of all earlier states are marked.</summary>
    void AllMarked(int frame);
}
