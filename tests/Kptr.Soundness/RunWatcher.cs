using System.Collections.Immutable;
using Kptr.Diagnostics;
using Kptr.Execution;
using Kptr.Isa;
using Kptr.Specs;

namespace Kptr.Soundness;

/// <summary>
/// Looks at every instruction of a run: what the verifier believed must hold, calls fail, user space interferes.
/// </summary>
internal sealed class RunWatcher(
    BeliefCheck? beliefs, ProofCheck proof, ProgFailures failures, ContextModel contexts, UserSpace user, Random random)
    : IRunObserver
{
    private readonly int _disturbOneIn = random.Next(3) == 0 ? 8 : 64;
    private readonly int _failOneIn = random.Next(3) switch { 0 => 2, 1 => 8, _ => int.MaxValue };
    private ImmutableArray<BpfInsn> _main;
    private bool _isLocked;

    /// <summary>What the verifier was wrong about, or null.</summary>
    internal string? Violation { get; private set; }

    /// <summary>Calls made to fail.</summary>
    internal int FailedCount { get; private set; }

    public RunFault? Before(in RunPoint at)
    {
        if (_main.IsDefault)
        {
            _main = at.Insns;
        }

        if (at.Insns != _main)
        {
            return null; // a tail call: nothing is known of that program here
        }

        contexts.Supply(at);
        if (!_isLocked && random.Next(_disturbOneIn) == 0)
        {
            user.Disturb();
        }

        FollowLock(at.Insns[at.InsnIdx]);

        Violation ??= beliefs?.Check(at) ?? proof.Check(at);
        return Violation is null
            ? null
            : new RunFault(DiagCode.RunCancelled, $"the verifier is wrong: {Violation}", at.InsnIdx);
    }

    public bool TryFail(in RunPoint at, out ulong r0)
    {
        r0 = 0;
        if (at.Insns != _main || !failures.TryFind(at.InsnIdx, out r0) || random.Next(_failOneIn) != 0)
        {
            return false;
        }

        FailedCount++;
        return true;
    }

    // User space would wait for the lock, on this very thread.
    private void FollowLock(BpfInsn insn)
    {
        if (insn.Opcode == ((byte)InsnClass.Jmp | BpfOp.Call) && insn.Src == 0)
        {
            _isLocked = insn.Imm == (int)HelperId.SpinLock || (_isLocked && insn.Imm != (int)HelperId.SpinUnlock);
        }
    }
}
