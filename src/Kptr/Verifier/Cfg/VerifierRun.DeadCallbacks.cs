using Kptr.Diagnostics;
using Kptr.Isa;

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
    /// programs of more than one function.
    /// </remarks>
    private void CheckDeadCallbacks()
    {
        var lastLive = Subprogs.FindLastIndex(s => Aux[s.Start].Seen);
        if (lastLive <= 0)
        {
            return;
        }

        for (var i = 0; i < Insns.Length; i++)
        {
            if (Insns[i].Opcode == BpfOp.LdImm64 && Insns[i].Src == BpfOp.PseudoFunc && Aux[i].Seen
                && FindSubprog(i + Insns[i].Imm + 1) > lastLive)
            {
                InsnIdx = i;
                Reject(DiagCode.SubprogInvalid, "the callback is never entered and removed", errno: Errno.EFAULT);
            }
        }
    }
}
