using Kptr.Diagnostics;
using Kptr.Verifier.Cfg;
using Kptr.Verifier.Liveness;
using Kptr.Verifier.Pruning;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>Loops by the code's own shape, and what is forgotten so that their rounds are equal.</content>
internal sealed partial class VerifierRun
{
    private LiveRegisters? _liveRegs;
    private LoopRounds? _rounds;
    private Action<VerifierState>? _allPathsEnded;

    // 6.12's own way accepts loops that may go wrong: a strict run does not go it.
    private bool ClosesLoopsByShape => Kernel.Profile.ClosesLoopsByShape || Options.Strict;

    private void FindLoops()
    {
        if (ClosesLoopsByShape)
        {
            _explored.Loops = new(new LoopComponents(Insns, _marks));
            _rounds = new(_explored.Loops, Pool, _history, _precision);
            _allPathsEnded = _rounds.Exit;
            _liveRegs = new LiveRegisters(Insns, calls: _callees);
        }
    }

    /// <summary>
    /// 7.2 fails where a path ends in a loop before a state of it is remembered, as by a throw in its first round.
    /// </summary>
    private void CheckLoopIsEntered()
    {
        if (!Kernel.Profile.ClosesLoopsByShape || Cur.Speculative)
        {
            return;
        }

        Cur.InsnIdx = InsnIdx;
        if (_explored.Loops?.WayToMissedLoop(Cur) is { } way)
        {
            Reject(
                DiagCode.CallNotAllowedHere, $"verifier bug: scc exit: no visit info for call chain ({way})",
                errno: Errno.EFAULT);
        }
    }

    /// <summary>Forgets what nothing reads any more (<c>clean_verifier_state</c>).</summary>
    /// <remarks>
    /// Rounds of a loop that differ in such things alone are then the same. A strict run of another kernel's goes by
    /// registers only.
    /// </remarks>
    private void ForgetDead(VerifierState state, int insnIdx)
    {
        _dead?.Clean(state, insnIdx);
        for (var i = 0; _dead is null && _liveRegs is not null && i <= state.CurFrame; i++)
        {
            DeadPlaces.CleanRegs(state.Frames[i]!, LiveBefore(state, i, insnIdx), AlwaysPrecise);
        }
    }

    /// <summary>The registers of a frame that something still reads, as a mask; all where nobody looked.</summary>
    private int LiveBefore(VerifierState state, int frame, int insnIdx) =>
        _liveRegs?.Before(frame == state.CurFrame ? insnIdx : state.Frames[frame + 1]!.Callsite) ?? -1;
}
