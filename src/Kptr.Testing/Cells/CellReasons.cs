using Kptr.Btf;
using Kptr.Maps;

namespace Kptr.Testing.Cells;

/// <summary>Which points of the product cannot be, and why.</summary>
internal static class CellReasons
{
    /// <summary>Why a cell cannot be, or null.</summary>
    internal static string? WhyImpossible(this Cell cell) =>
        WhyNoSuchMap(cell) ?? WhyNoSuchCall(cell) ?? WhyNoSuchCase(cell);

    /// <summary>
    /// Whether such a map is refused (<c>-EOPNOTSUPP</c>): that is all there is to try then. User
    /// pages (uptr) are not modelled.
    /// </summary>
    internal static bool IsRefused(this Cell cell) => cell.IsKitStruct && HasFieldsThatItsTypeCannotHave(cell);

    private static bool HasFieldsThatItsTypeCannotHave(Cell cell) => cell.Record.Fields.Any(
        f => f.Kind == BtfFieldKind.Uptr || !MapRules.TypesThatHold(f.Kind).Contains(cell.Map.ValueType));

    private static string? WhyNoSuchMap(Cell cell) =>
        cell.Map.Type == Specs.BpfMapType.Rhash && !cell.IsNew ? "the resizable hash is newer than 6.12"
        : cell.Fields.IsNew && !cell.IsNew ? "6.12 does not know this field"
        : !cell.Map.IsBuiltin && cell.IsRefused() ? "maps of the type that it is like have no such field"
        : null;

    private static string? WhyNoSuchCall(Cell cell)
    {
        var byKey = cell.Op is CellOp.Lookup or CellOp.Insert or CellOp.Update or CellOp.Delete
            or CellOp.DeleteMissing
            or CellOp.DeleteAndWriteLate or CellOp.InsertNoMemory or CellOp.InsertBusy or CellOp.UpdateBusy
            or CellOp.DeleteBusy;
        var isProgram = !cell.IsUser;
        if (cell.Context == CellContext.ExitingOwner && !cell.Map.IsStorage)
        {
            return "nobody owns the values";
        }

        if (isProgram && !byKey && cell.Op != CellOp.ForEach)
        {
            return "only user space can do this";
        }

        if (isProgram && cell.Map.IsOuter && cell.Op != CellOp.Lookup)
        {
            return "programs only look inner maps up";
        }

        if (isProgram && cell.Op == CellOp.Lookup && cell.Flags != MapUpdateFlags.Any)
        {
            return "a program's look-up has no flags";
        }

        if (cell.Map.IsStorage && isProgram && (cell.Op is CellOp.Update or CellOp.UpdateBusy
            || (cell.Flags != MapUpdateFlags.Any && cell.Op is (CellOp.Insert or CellOp.Lookup))))
        {
            return "the helpers of local storage have no such flag";
        }

        if (cell.Context is (CellContext.InsideReader or CellContext.InsideTraceReader or CellContext.InsideCallback)
            && cell.Flags is not (MapUpdateFlags.Any or MapUpdateFlags.Lock))
        {
            return "flags are judged alike inside and outside of readers and callbacks";
        }

        return cell.Context == CellContext.InsideCallback || cell.Op == CellOp.ForEach ? WhyNoCallback(cell) : null;
    }

    private static string? WhyNoCallback(Cell cell) =>
        cell.Map.IsStorage || cell.Map.IsOuter ? "no bpf_for_each_map_elem over this type"
        : cell.IsUser ? "only programs iterate with a callback"
        : !cell.Map.Can.CanVisit ? "it says that it visits nothing"
        : null;

    private static string? WhyNoSuchCase(Cell cell)
    {
        var isLocked = cell.Op is CellOp.InsertBusy or CellOp.UpdateBusy or CellOp.DeleteBusy;
        if (isLocked && !cell.Map.Can.CanBeBusy)
        {
            return "no bucket to lock";
        }

        if (cell.Op == CellOp.InsertNoMemory && cell.Map.IsIndexed)
        {
            return "arrays never allocate";
        }

        if (cell.Op == CellOp.OwnerExit && !cell.Map.IsStorage)
        {
            return "nobody owns the values";
        }

        if (cell.Op == CellOp.DeleteAndWriteLate
            && (cell.Map.IsIndexed || cell.Map.IsOuter || !cell.Map.Can.CanDelete
                || !cell.Record.Fields.Any(CellThing.CanMake)))
        {
            return "no kptr to write through a stale pointer";
        }

        if (cell.Context == CellContext.ExitingOwner && !cell.Map.IsBuiltin)
        {
            return "whether a map of one's own hears of an owner's end before another does is nobody's promise";
        }

        if (cell.Context == CellContext.ExitingOwner
            && cell.Op is not (CellOp.Lookup or CellOp.Insert or CellOp.Delete))
        {
            return "the same as for a living owner";
        }

        var ends = cell.Op is CellOp.MapFree or CellOp.LastUserRef or CellOp.OwnerExit or CellOp.Fill;
        if (ends && cell.Context is (CellContext.InsideReader or CellContext.InsideTraceReader))
        {
            return "the same as outside of a reader";
        }

        if (cell.Map.IsInner && cell.Op == CellOp.LastUserRef)
        {
            return "an inner map has no user reference";
        }

        if (cell.Op == CellOp.LastUserRef && !cell.Map.IsBuiltin && (cell.Map.IsStorage || cell.Map.IsOuter))
        {
            return "programs take no maps of one's own of this type";
        }

        return cell.Op != CellOp.Fill ? null
            : cell.Map.IsStorage ? "storage has no capacity"
            : cell.Map.Capacity > CellRun.FilledMax ? "the map is too large to be filled"
            : null;
    }
}
