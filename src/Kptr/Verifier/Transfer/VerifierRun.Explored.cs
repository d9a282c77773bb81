using Kptr.Diagnostics;
using Kptr.Verifier.Cfg;
using Kptr.Verifier.Pruning;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>Pruning points: what the run does with the answers of its explored states.</content>
internal sealed partial class VerifierRun
{
    private readonly StateComparer _comparer;
    private readonly ExploredStates _explored;

    /// <summary>Whether the current state is safe because an earlier one was.</summary>
    private bool IsStateVisited(int insnIdx)
    {
        var at = new VisitPoint(insnIdx, IsMarked(insnIdx, CodeMarks.ForceCheckpoint), LoopKindOf(insnIdx),
            _insnsProcessed, _jmpsProcessed, _idGen);
        ForgetDead(Cur, insnIdx);
        var visit = _explored.Look(Cur, at, out var seen);
        switch (visit)
        {
            case Visit.Safe or Visit.SafeInLoop:
                CheckRoundsSeen(seen!, Cur);
                TakeHit(seen!, insnIdx);
                if (visit == Visit.SafeInLoop)
                {
                    _rounds!.Add(seen!, Cur, insnIdx);
                }

                return true;
            case Visit.NeverEnds:
                Reject(DiagCode.InfiniteLoop, $"infinite loop detected at insn {insnIdx}");
                return false;
            default:
                return false;
        }
    }

    /// <summary>Whether rounds through an instruction end by comparison with earlier ones, however many there
    /// are.</summary>
    private bool IsRoundEnd(int insnIdx) => LoopKindOf(insnIdx) != LoopKind.None;

    private LoopKind LoopKindOf(int insnIdx) =>
        Aux[insnIdx].IsIterNext ? LoopKind.IterNext
        : Insns[insnIdx].IsMayGoto ? LoopKind.MayGoto
        : IsMarked(insnIdx, CodeMarks.CallsCallback) ? LoopKind.Callback : LoopKind.None;

    /// <summary>
    /// The rest of the path is known to be safe; what it reads and needs precisely is read by this path too.
    /// </summary>
    private void TakeHit(VerifierState seen, int insnIdx)
    {
        seen.HitCount++;
        _ = LiveReads.Propagate(seen, Cur);
        if (IsMarked(insnIdx, CodeMarks.JmpPoint))
        {
            PushInsnHistory(0, 0);
        }

        Cur.InsnIdx = insnIdx;
        _ = _precision.Propagate(seen, Cur);
    }

    private VerifierState? FindPrevEntry(VerifierState? path, int insnIdx) =>
        _explored.FindPrevEntry(Cur, path, insnIdx);

    /// <summary>Forgets imprecise scalars of a loop's next round (<c>widen_imprecise_scalars</c>).</summary>
    private void WidenImpreciseScalars(VerifierState old, VerifierState cur) =>
        _comparer.WidenImpreciseScalars(old, cur, _idGen, AlwaysPrecise);
}
