using Kptr.Diagnostics;
using Kptr.Maps;

namespace Kptr.Tests.Maps;

/// <summary>What Linux destroys, and when.</summary>
internal static class SweepDeaths
{
    /// <summary>
    /// References of the value that are given back once everything deferred has run, before the map is freed.
    /// </summary>
    internal static int DestroyedBy(this SweepCell c)
    {
        var err = c.ErrnoOf();
        var all = c.OwnedPerValue * (c.IsPercpu ? SweepCell.CpuCount : 1);
        if (c.Context == SweepContext.ExitingOwner || c.Op is SweepOp.OwnerExit or SweepOp.MapFree)
        {
            return c.Op == SweepOp.Insert ? 0 : all;
        }

        if (err is not (Errno.None or Errno.ENOENT))
        {
            return 0;
        }

        // Local storage, and inner maps whose last reference goes, end under every policy.
        var isSure = c.IsStorage || c.IsOuter;
        var isEager = !c.IsNew || isSure;
        return c.Op switch
        {
            SweepOp.Update or SweepOp.UpdateBatch when err == Errno.None => isEager && !KeepsAll(c) ? Written(c) : 0,
            SweepOp.Delete or SweepOp.DeleteAndWriteLate or SweepOp.LookupAndDelete or SweepOp.DeleteBatch
                when err == Errno.None => isEager ? all : 0,
            SweepOp.LookupAndDeleteBatch => isEager ? all : 0,

            // Keys enough to push the first one out, though it was marked; of a CPU's own four, the marked one stays.
            SweepOp.Fill when c.IsLru => isEager && !c.HasOwnLists ? all : 0,
            SweepOp.Fill when c.Map == SweepMap.ArrayOfMaps => all,
            _ => 0,
        };
    }

    /// <summary>References still in the value after a late write, beside those of <see cref="DestroyedBy"/>.</summary>
    internal static bool EndsLateWrite(this SweepCell c) => c.IsStorage;

    /// <summary>Timers and work that the operation itself cancels; null where that is not one number.</summary>
    internal static int? CancelledBy(this SweepCell c)
    {
        var isDone = c.ErrnoOf() == Errno.None;
        return c.Op switch
        {
            _ when c.IsOuter || c.Context == SweepContext.ExitingOwner => null,

            // An LRU map takes an element first and empties it when it turns out not to be needed.
            SweepOp.Update or SweepOp.UpdateBatch when c.IsLru && !isDone => null,
            SweepOp.Update or SweepOp.UpdateBatch => isDone && !KeepsAll(c) ? c.AsyncPerValue : 0,
            SweepOp.Delete or SweepOp.DeleteAndWriteLate or SweepOp.LookupAndDelete or SweepOp.DeleteBatch =>
                isDone ? c.AsyncPerValue : 0,
            SweepOp.Lookup or SweepOp.LookupBatch or SweepOp.GetNextKey or SweepOp.ForEach or SweepOp.UpdateBusy
            or SweepOp.DeleteBusy when !c.IsLru => 0,
            _ => null,
        };
    }

    // BPF_F_LOCK on an existing element of a hash or storage writes in place and frees nothing.
    private static bool KeepsAll(SweepCell c) =>
        (c.Flags & MapUpdateFlags.Lock) != 0 && !c.IsArray && c.Map != SweepMap.Rhash;

    private static int Written(SweepCell c) =>
        c.OwnedPerValue * (c.IsPercpu && c.IsUser && (c.Flags & MapUpdateFlags.Cpu) == 0 ? SweepCell.CpuCount : 1);
}
