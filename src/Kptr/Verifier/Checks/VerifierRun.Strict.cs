using Kptr.Diagnostics;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>What Linux accepts although it may go wrong.</content>
internal sealed partial class VerifierRun
{
    private readonly Dictionary<(DiagCode Code, int InsnIdx), Diagnostic> _warnings = [];

    /// <summary>Refuses the program if asked to be strict; else notes a warning, once an instruction.</summary>
    private void Doubt(DiagCode code, string message)
    {
        if (Options.Strict)
        {
            Reject(code, message);
        }

        _warnings.TryAdd((code, InsnIdx), MakeDiagnostic(code, message, -1));
    }

    /// <summary>
    /// Doubts a state that is taken to be safe where a callback of <c>bpf_loop</c> has more rounds to go than the one
    /// that was explored.
    /// </summary>
    /// <remarks>
    /// The number of rounds is in a register that the call clobbers, so that <c>states_equal</c> does not compare it
    /// (kernel/bpf/verifier.c, 6.12).
    /// </remarks>
    private void CheckRoundsSeen(VerifierState seen, VerifierState cur)
    {
        for (var i = 0; i < cur.CurFrame; i++)
        {
            var (seenLeft, left) = (seen.Frames[i]!.RoundsLeft, cur.Frames[i]!.RoundsLeft);
            if (cur.Frames[i + 1]!.InCallback && seenLeft < left)
            {
                Doubt(DiagCode.StrictLoopRounds,
                    $"the callback may have {left} more rounds here, and is left since it was safe with "
                    + $"{seenLeft}");
            }
        }
    }

    /// <summary>Doubts an exception callback whose number among the functions changes after the verification.</summary>
    /// <remarks>
    /// Kernel: <c>adjust_subprog_starts_after_remove</c> counts the other functions anew, and
    /// <c>exception_callback_subprog</c> not (kernel/bpf/verifier.c, 6.12).
    /// </remarks>
    private void CheckExceptionCallbackStays()
    {
        var dead = Subprogs.Take(Subprogs.ExceptionCallback).FirstOrDefault(s => !Aux[s.Start].Seen);
        if (Options.Privileged && dead is not null)
        {
            InsnIdx = dead.Start;
            Doubt(DiagCode.StrictExceptionCallback,
                $"the function at insn {InsnIdx} is never entered and removed, and the exception callback behind it "
                + "not found");
        }
    }
}
