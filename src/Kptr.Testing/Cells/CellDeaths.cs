using Kptr.Diagnostics;
using Kptr.Maps;

namespace Kptr.Testing.Cells;

/// <summary>What Linux destroys, and when.</summary>
internal static class CellDeaths
{
    /// <summary>
    /// References of the value that are given back once everything deferred has run, before the map is freed; null
    /// where that is the map's own business.
    /// </summary>
    internal static int? DestroyedBy(this Cell c)
    {
        var err = c.ErrnoOf();
        var all = c.OwnedPerKey;
        if (c.Context == CellContext.ExitingOwner || c.Op is CellOp.OwnerExit or CellOp.MapFree)
        {
            return c.Op == CellOp.Insert ? 0 : all;
        }

        if (err is not (Errno.None or Errno.ENOENT))
        {
            return 0;
        }

        // Local storage, and inner maps whose last reference goes, end under every policy.
        var isSure = c.Map.IsStorage || c.Map.IsOuter;
        var isEager = !c.IsNew || isSure;
        if (!isEager && c.Map.IsKept)
        {
            // What waits for readers ends when they have gone; whether an update writes over or replaces is the map's.
            return c.Op is CellOp.Update or CellOp.UpdateBatch or CellOp.Fill ? null
                : IsDelete(c, err) ? all : 0;
        }

        return c.Op switch
        {
            CellOp.Update or CellOp.UpdateBatch when err == Errno.None => isEager && !KeepsAll(c) ? Written(c) : 0,
            CellOp.Delete or CellOp.DeleteAndWriteLate or CellOp.LookupAndDelete or CellOp.DeleteBatch
                when err == Errno.None => isEager ? all : 0,
            CellOp.LookupAndDeleteBatch => isEager ? all : 0,

            // Keys enough to push the first one out, though it was marked; of a CPU's own, the marked one may stay.
            CellOp.Fill when c.Map.IsEvicting =>
                !isEager ? 0 : c.Map.Can.KeepsMarked is { } keeps ? keeps ? 0 : all : null,
            CellOp.Fill when c.Map.IsOuter && c.Map.IsIndexed => all,
            CellOp.Fill when c.Map.IsIndexed => 0,
            _ => 0,
        };
    }

    /// <summary>Whether what a late writer stored ends as well, before the map is freed.</summary>
    internal static bool EndsLateWrite(this Cell c) => c.Map.IsStorage || c.Map.IsKept;

    /// <summary>Timers and work that the operation itself stops; null where that is not one number.</summary>
    internal static int? CancelledBy(this Cell c)
    {
        var isDone = c.ErrnoOf() == Errno.None;
        return c.Op switch
        {
            _ when c.Map.IsOuter || c.Context == CellContext.ExitingOwner => null,
            CellOp.MapFree or CellOp.LastUserRef => c.AsyncPerValue,

            // An LRU map takes an element first and empties it when it turns out not to be needed.
            CellOp.Update or CellOp.UpdateBatch when c.Map.IsEvicting && !isDone => null,
            CellOp.Update or CellOp.UpdateBatch => isDone && !KeepsAll(c) ? c.AsyncPerValue : 0,
            CellOp.Delete or CellOp.DeleteAndWriteLate or CellOp.LookupAndDelete or CellOp.DeleteBatch =>
                isDone ? c.AsyncPerValue : 0,
            CellOp.Lookup or CellOp.LookupBatch or CellOp.GetNextKey or CellOp.ForEach or CellOp.UpdateBusy
            or CellOp.DeleteBusy when !c.Map.IsEvicting => 0,
            _ => null,
        };
    }

    private static bool IsDelete(Cell c, Errno err) => c.Op == CellOp.LookupAndDeleteBatch
        || (err == Errno.None && c.Op is CellOp.Delete or CellOp.DeleteAndWriteLate or CellOp.LookupAndDelete
            or CellOp.DeleteBatch);

    // BPF_F_LOCK on an existing element of a hash or storage writes in place and frees nothing.
    private static bool KeepsAll(Cell c) => (c.Flags & MapUpdateFlags.Lock) != 0 && c.Map.Can.LockKeepsFields;

    private static int Written(Cell c) => c.OwnedPerValue
        * (c.Map.IsPercpu && c.IsUser && (c.Flags & MapUpdateFlags.Cpu) == 0 ? Cell.CpuCount : 1);
}
