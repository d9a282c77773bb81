using Kptr.Btf;
using Kptr.Maps;

namespace Kptr.Tests.Maps;

/// <summary>Which points of the product cannot be, and why.</summary>
internal static class SweepReasons
{
    /// <summary>Why a cell cannot be, or null.</summary>
    internal static string? WhyImpossible(this SweepCell cell) =>
        WhyNoSuchMap(cell) ?? WhyNoSuchCall(cell) ?? WhyNoSuchCase(cell);

    /// <summary>
    /// Whether such a map is refused (<c>-EOPNOTSUPP</c>): that is all there is to try then. User
    /// pages (uptr) are not modelled.
    /// </summary>
    internal static bool IsRefused(this SweepCell cell) =>
        cell.Fields == SweepFields.Uptr
        || cell.Record().Fields.Any(f => !MapRules.TypesThatHold(f.Kind).Contains(cell.ValueType));

    private static string? WhyNoSuchMap(SweepCell cell) =>
        cell.Map == SweepMap.Rhash && !cell.IsNew ? "the resizable hash is newer than 6.12"
        : cell.Fields is SweepFields.ResLockAndKptr or SweepFields.TaskWorkAndKptr && !cell.IsNew
            ? "6.12 does not know this field"
        : null;

    private static string? WhyNoSuchCall(SweepCell cell)
    {
        var byKey = cell.Op is SweepOp.Lookup or SweepOp.Insert or SweepOp.Update or SweepOp.Delete
            or SweepOp.DeleteMissing
            or SweepOp.DeleteAndWriteLate or SweepOp.InsertNoMemory or SweepOp.InsertBusy or SweepOp.UpdateBusy
            or SweepOp.DeleteBusy;
        var isProgram = !cell.IsUser;
        if (cell.Context == SweepContext.ExitingOwner && !cell.IsStorage)
        {
            return "nobody owns the values";
        }

        if (isProgram && !byKey && cell.Op != SweepOp.ForEach)
        {
            return "only user space can do this";
        }

        if (isProgram && cell.IsOuter && cell.Op != SweepOp.Lookup)
        {
            return "programs only look inner maps up";
        }

        if (isProgram && cell.Op == SweepOp.Lookup && cell.Flags != MapUpdateFlags.Any)
        {
            return "a program's look-up has no flags";
        }

        if (cell.IsStorage && isProgram && (cell.Op is SweepOp.Update or SweepOp.UpdateBusy
            || (cell.Flags != MapUpdateFlags.Any && cell.Op is (SweepOp.Insert or SweepOp.Lookup))))
        {
            return "the helpers of local storage have no such flag";
        }

        if (cell.Context is (SweepContext.InsideReader or SweepContext.InsideTraceReader or SweepContext.InsideCallback)
            && cell.Flags is not (MapUpdateFlags.Any or MapUpdateFlags.Lock))
        {
            return "flags are judged alike inside and outside of readers and callbacks";
        }

        return cell.Context == SweepContext.InsideCallback || cell.Op == SweepOp.ForEach ? WhyNoCallback(cell) : null;
    }

    private static string? WhyNoCallback(SweepCell cell) =>
        cell.IsStorage || cell.IsOuter ? "no bpf_for_each_map_elem over this type"
        : cell.IsUser ? "only programs iterate with a callback"
        : null;

    private static string? WhyNoSuchCase(SweepCell cell)
    {
        var isLocked = cell.Op is SweepOp.InsertBusy or SweepOp.UpdateBusy or SweepOp.DeleteBusy;
        if (isLocked && (cell.IsArray || cell.IsStorage || cell.Map == SweepMap.ArrayOfMaps))
        {
            return "no bucket to lock";
        }

        if (cell.Op == SweepOp.InsertNoMemory && (cell.IsArray || cell.Map == SweepMap.ArrayOfMaps))
        {
            return "arrays never allocate";
        }

        if (cell.Op == SweepOp.OwnerExit && !cell.IsStorage)
        {
            return "nobody owns the values";
        }

        if (cell.Op == SweepOp.DeleteAndWriteLate
            && (cell.IsArray || cell.IsOuter || !cell.Record().Fields.Any(f => f.Kind == BtfFieldKind.KptrRef)))
        {
            return "no kptr to write through a stale pointer";
        }

        if (cell.Context == SweepContext.ExitingOwner
            && cell.Op is not (SweepOp.Lookup or SweepOp.Insert or SweepOp.Delete))
        {
            return "the same as for a living owner";
        }

        var ends = cell.Op is SweepOp.MapFree or SweepOp.LastUserRef or SweepOp.OwnerExit or SweepOp.Fill;
        if (ends && cell.Context is (SweepContext.InsideReader or SweepContext.InsideTraceReader))
        {
            return "the same as outside of a reader";
        }

        if (cell.IsInner && cell.Op == SweepOp.LastUserRef)
        {
            return "an inner map has no user reference";
        }

        return cell.Op == SweepOp.Fill && cell.IsStorage ? "storage has no capacity" : null;
    }
}
