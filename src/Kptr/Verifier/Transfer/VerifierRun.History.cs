using System.Diagnostics.CodeAnalysis;
using Kptr.Verifier.Precision;

namespace Kptr.Verifier;

/// <content>What the run says of its path, and of numbers whose exact value decided something.</content>
internal sealed partial class VerifierRun
{
    private readonly PathHistory _history = new();
    private PrecisionMarks _precision;

    /// <summary>The functions are known: from here on precision can be tracked back.</summary>
    [MemberNotNull(nameof(_precision))]
    private void TrackPrecision()
    {
        var log = Log.IsFull && Kernel.Profile.LogsPrecision ? new PrecisionLog(this) : null;
        _precision = new(new Backtracker(Insns, Subprogs, _callees, log), _history, BpfCapable, log);
    }

    /// <summary>Records the current instruction, or adds to its record.</summary>
    private void PushInsnHistory(int flags, ulong linkedRegs) =>
        _history.Push(Cur, InsnIdx, PrevInsnIdx, flags, linkedRegs);

    /// <summary>The value of a scalar register mattered.</summary>
    private void MarkChainPrecision(int regno) => _precision.MarkReg(Cur, InsnIdx, regno);
}
