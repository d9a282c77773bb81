using Kptr.Maps;

namespace Kptr.Testing.Cells;

/// <summary>What is done.</summary>
internal enum CellOp
{
    Lookup,
    Insert,
    Update,
    Delete,
    DeleteMissing,

    /// <summary>Delete, then an exchange through the value pointer that was found before.</summary>
    DeleteAndWriteLate,
    LookupAndDelete,
    LookupBatch,
    UpdateBatch,
    DeleteBatch,
    LookupAndDeleteBatch,
    GetNextKey,
    ForEach,
    Freeze,

    /// <summary>More keys than the map has room for.</summary>
    Fill,

    /// <summary>An insert for which there is no memory.</summary>
    InsertNoMemory,

    /// <summary>An insert whose bucket cannot be locked.</summary>
    InsertBusy,

    /// <summary>An update whose bucket cannot be locked.</summary>
    UpdateBusy,

    /// <summary>A delete whose bucket cannot be locked.</summary>
    DeleteBusy,
    OwnerExit,
    LastUserRef,
    MapFree,
}

/// <summary>Who does it, from where.</summary>
internal enum CellContext
{
    Program,
    User,

    /// <summary>User space's operation while this thread is inside an RCU reader.</summary>
    InsideReader,

    /// <summary>The same, of the sleepable flavour.</summary>
    InsideTraceReader,

    /// <summary>A program, from the callback of <c>bpf_for_each_map_elem</c>.</summary>
    InsideCallback,

    /// <summary>A program, while the value's owner is being freed.</summary>
    ExitingOwner,
}

/// <summary>The flags that each operation is tried with.</summary>
internal static class CellFlags
{
    private static readonly MapUpdateFlags[] Writing =
    [
        MapUpdateFlags.Any, MapUpdateFlags.NoExist, MapUpdateFlags.Exist, (MapUpdateFlags)3, MapUpdateFlags.Lock,
        MapUpdateFlags.Lock | MapUpdateFlags.NoExist, MapUpdateFlags.Lock | MapUpdateFlags.Exist, (MapUpdateFlags)7,
        MapUpdateFlags.Cpu, MapCpu.Only(1), MapCpu.Only(1) | MapUpdateFlags.NoExist, MapCpu.Only(2),
        MapCpu.Only(1) | MapUpdateFlags.Lock,
        MapUpdateFlags.AllCpus, MapUpdateFlags.AllCpus | MapUpdateFlags.Exist, MapCpu.Only(1) | MapUpdateFlags.AllCpus,
        (MapUpdateFlags)32, (MapUpdateFlags)(1UL << 32),
    ];

    private static readonly MapUpdateFlags[] Reading =
    [
        MapUpdateFlags.Any, MapUpdateFlags.Lock, MapUpdateFlags.Exist, MapCpu.Only(1), MapCpu.Only(2),
        MapUpdateFlags.AllCpus,
        (MapUpdateFlags)(1UL << 32),
    ];

    internal static IReadOnlyList<MapUpdateFlags> Of(CellOp op) => op switch
    {
        CellOp.Insert or CellOp.Update => Writing,
        CellOp.Lookup or CellOp.LookupAndDelete or CellOp.LookupBatch or CellOp.UpdateBatch or CellOp.DeleteBatch
            or CellOp.LookupAndDeleteBatch => Reading,
        _ => [MapUpdateFlags.Any],
    };

    internal static string Text(MapUpdateFlags flags)
    {
        var low = (uint)flags;
        string[] names = ["NOEXIST", "EXIST", "F_LOCK", "F_CPU", "F_ALL_CPUS", "0x20"];
        var parts = names.Where((_, bit) => (low >> bit & 1) != 0).ToList();
        var cpu = (ulong)flags >> 32;
        if (cpu != 0 || (flags & MapUpdateFlags.Cpu) != 0)
        {
            parts.Add($"cpu {cpu}");
        }

        return parts.Count == 0 ? "ANY" : string.Join(" ", parts);
    }
}
