using Kptr.Diagnostics;

namespace Kptr.Objects;

/// <summary>
/// The spin locks in map values and allocated objects: four bytes of native memory that hold the owner's thread.
/// </summary>
internal static unsafe class KernelSpinLock
{
    /// <summary>Takes the lock; spins while another thread has it.</summary>
    /// <returns>False, and a report, when this thread has it already: Linux would hang.</returns>
    internal static bool Lock(KernelCore core, ulong address) => Lock(core, address, isInside: false);

    /// <summary>
    /// As <see cref="Lock(KernelCore, ulong)"/>, for callers with locks of ours: a fault is made known later.
    /// </summary>
    internal static bool LockInside(KernelCore core, ulong address) => Lock(core, address, isInside: true);

    private static bool Lock(KernelCore core, ulong address, bool isInside)
    {
        var self = Environment.CurrentManagedThreadId;
        var spin = default(SpinWait);
        while (true)
        {
            var owner = Interlocked.CompareExchange(ref *(int*)address, self, 0);
            if (owner == 0)
            {
                core.Thread.LockDepth++;
                return true;
            }

            if (owner == self)
            {
                var fault = new KernelFault(
                    DiagCode.LockRecursion, $"spin lock {address:x} is taken by the thread that holds it");
                (isInside ? (Action<KernelFault>)core.FaultDesk.ReportLate : core.Report)(fault);
                return false;
            }

            spin.SpinOnce();
        }
    }

    /// <summary>Gives the lock back; false, and a report, when this thread does not have it.</summary>
    internal static bool Unlock(KernelCore core, ulong address)
    {
        var self = Environment.CurrentManagedThreadId;
        if (Interlocked.CompareExchange(ref *(int*)address, 0, self) != self)
        {
            core.FaultDesk.ReportLate(new(
                DiagCode.UnbalancedUnlock, $"spin lock {address:x} is given back by a thread that does not hold it"));
            return false;
        }

        core.Thread.LockDepth--;
        return true;
    }
}
