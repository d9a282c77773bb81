using Kptr.Verifier.Precision;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <summary>Prints how precision was tracked back.</summary>
internal sealed class PrecisionLog(VerifierRun run) : IPrecisionLog
{
    public void Stretch(int frame, int last, int first, int subseq) =>
        run.Log.Line($"mark_precise: frame{frame}: last_idx {last} first_idx {first} subseq_idx {subseq} ");

    public void Before(in BacktrackSet set, int insnIdx) => run.Log.Line(
        $"mark_precise: frame{set.Frame}: {PlacesOf(set, set.Frame)} before {insnIdx}: {InsnText.Of(run, insnIdx)}");

    public void InState(in BacktrackSet set, VerifierState state, int frame) => run.Log.Frame(
        run, $"mark_precise: frame{frame}: parent state {PlacesOf(set, frame)}: ", state.Frames[frame]!);

    public void Propagated(in BacktrackSet set, int frame)
    {
        if ((set.RegsOf(frame) | set.SlotsOf(frame)) != 0)
        {
            run.Log.Line($"frame {frame}: propagating "
                + string.Join(',', [.. set.NamesOfRegs(frame), .. set.OffsetsOfSlots(frame).Select(o => $"fp{o}")]));
        }
    }

    public void AllMarked(int frame) =>
        run.Log.Line($"mark_precise: frame{frame}: falling back to forcing all scalars precise");

    private static string PlacesOf(in BacktrackSet set, int frame) =>
        $"regs={string.Join(',', set.NamesOfRegs(frame))} stack={string.Join(',', set.OffsetsOfSlots(frame))}";
}
