using Kptr.Diagnostics;

namespace Kptr.Verifier;

/// <content>Callbacks that no path enters.</content>
internal sealed partial class VerifierRun
{
    /// <summary>
    /// Refuses an address of a callback that is removed as dead code, where no function is left
    /// behind it to be taken for it.
    /// </summary>
    /// <remarks>
    /// <c>bpf_loop</c> of no rounds does not enter its callback. Linux then fails to prepare the program's functions,
    /// and says so in its own log only. Kernel: <c>jit_subprogs</c> (kernel/bpf/verifier.c, 6.12), which looks at
    /// programs of more than one function. The exception callback that it adds to programs without one of their own
    /// is such a function, and stands behind the address: <c>add_hidden_subprog</c> moves that by what it adds.
    /// </remarks>
    private void CheckDeadCallbacks()
    {
        var lastLive = Subprogs.Count - 1;
        while (lastLive >= 0 && !Aux[Subprogs[lastLive].Start].Seen)
        {
            lastLive--;
        }

        var getsExceptionCallback = SeenException && Subprogs.ExceptionCallback == 0;
        if (lastLive <= 0 && !getsExceptionCallback)
        {
            return;
        }

        for (var i = 0; i < Insns.Length; i++)
        {
            if (Insns[i].IsFuncAddress && Aux[i].Seen
                && Subprogs.Find(i + Insns[i].Imm + 1) > lastLive)
            {
                InsnIdx = i;
                Reject(DiagCode.SubprogInvalid, "the callback is never entered and removed", errno: Errno.EFAULT);
            }
        }
    }
}
