using Kptr.Diagnostics;

namespace Kptr.Objects;

/// <summary>The way of references between C# and a program's registers, where they are plain addresses.</summary>
internal static class ProgramRefs
{
    /// <summary>Hands a reference to the program: the value for its register, 0 for null.</summary>
    internal static ulong ToRegister<T>(KernelRef<T>? reference, IProgramRun run)
        where T : KernelObject
    {
        if (reference is not { Object: { } obj } owned)
        {
            return 0;
        }

        if (owned.Token is { } token)
        {
            if (!token.TrySpend(run.Site, "moved"))
            {
                return 0;
            }

            obj.Ledger.MoveOn(token.Record, HolderKey.Run(run), run.Site);
        }
        else
        {
            obj.Ledger.AcquiredByRun(obj, run);
        }

        return obj.Address;
    }

    /// <summary>Takes a reference that the program gives up; the caller owns it now.</summary>
    /// <returns>Null for a zero register; null and a report for an address that is no live object.</returns>
    internal static KernelRef<T>? FromRegister<T>(KernelCore core, ulong address, IProgramRun run)
        where T : KernelObject
    {
        if (address == 0 || Find<T>(core, address, run) is not { } obj)
        {
            return null;
        }

        return new(obj, obj.Ledger.HandToCSharp(obj, HolderKey.Run(run), run.Site));
    }

    /// <summary>The object that a register points to, without a reference.</summary>
    internal static T? Find<T>(KernelCore core, ulong address, IProgramRun run)
        where T : KernelObject
    {
        if (core.Heap.FindObject(address) is T obj)
        {
            return obj;
        }

        core.Report(new(DiagCode.RefUseAfterFree, $"{address:x} is no live {typeof(T).Name}") { Site = run.Site });
        return null;
    }

    /// <summary>Releases a reference that the program holds.</summary>
    internal static void Release(KernelObject obj, IProgramRun run)
    {
        obj.Ledger.Forget(obj, HolderKey.Run(run));
        obj.ReleaseCount(run.Site);
    }
}
