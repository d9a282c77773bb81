using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary><c>bpf_spin_lock</c> in map values and program objects. Kernel: kernel/bpf/helpers.c, 6.12.</summary>
internal static class LockHelpers
{
    [Helper(HelperId.SpinLock)]
    internal static void Lock(ProgContext ctx, ulong address)
    {
        ctx.KernelMemory(address, sizeof(int));
        if (ctx.HeldLock != 0 || !KernelSpinLock.Lock(ctx.Core, address))
        {
            throw new ProgramFaultException(DiagCode.LockRecursion, "bpf_spin_lock under a lock");
        }

        ctx.HeldLock = address;
    }

    [Helper(HelperId.SpinUnlock)]
    internal static void Unlock(ProgContext ctx, ulong address)
    {
        ctx.KernelMemory(address, sizeof(int));
        if (ctx.HeldLock != address || !KernelSpinLock.Unlock(ctx.Core, address))
        {
            throw new ProgramFaultException(
                DiagCode.UnbalancedUnlock, "bpf_spin_unlock of a lock that the program does not hold");
        }

        ctx.HeldLock = 0;
    }
}
