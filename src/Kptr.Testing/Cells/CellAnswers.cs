using Kptr.Diagnostics;
using Kptr.Maps;
using static Kptr.Diagnostics.Errno;

namespace Kptr.Testing.Cells;

/// <summary>
/// What Linux answers, written down from its sources (kernel/bpf/*.c of 6.12 and 7.2) and not from Kptr's.
/// </summary>
internal static class CellAnswers
{
    private const MapUpdateFlags Lock = MapUpdateFlags.Lock;
    private const MapUpdateFlags CpuFlags = MapUpdateFlags.Cpu | MapUpdateFlags.AllCpus;

    /// <summary>What the operation returns.</summary>
    internal static Errno ErrnoOf(this Cell c) => c.Op switch
    {
        CellOp.Lookup => c.IsUser ? Syscall(c, Lock | MapUpdateFlags.Cpu) : None,
        CellOp.Insert =>
            c.Context == CellContext.ExitingOwner ? ENOMEM : First(UpdateSyscall(c), Write(c, exists: false)),
        CellOp.Update => First(UpdateSyscall(c), Write(c, exists: true)),
        CellOp.Delete or CellOp.DeleteAndWriteLate => CannotDelete(c) ? EINVAL : None,
        CellOp.DeleteMissing => CannotDelete(c) ? EINVAL : ENOENT,
        CellOp.LookupAndDelete => First(TakeSyscall(c), c.Map.Can.CanTake ? None : ENOTSUPP),
        CellOp.LookupBatch => !Has(c, MapBatchOps.Lookup) ? ENOTSUPP
            : First(Syscall(c, Lock | MapUpdateFlags.Cpu), ENOENT),
        CellOp.UpdateBatch => !Has(c, MapBatchOps.Update) ? ENOTSUPP
            : First(Syscall(c, Lock | CpuFlags), Write(c, exists: true)),
        CellOp.DeleteBatch => !Has(c, MapBatchOps.Delete) ? ENOTSUPP : Syscall(c, Lock),
        CellOp.LookupAndDeleteBatch => !Has(c, MapBatchOps.LookupAndDelete) ? ENOTSUPP
            : First(Syscall(c, Lock), ENOENT),
        CellOp.GetNextKey => c.Map.Can.CanIterate ? None : ENOTSUPP,
        CellOp.Freeze => c.Map.IsOuter || c.Record.Fields.Length == 0 ? None : ENOTSUPP,
        CellOp.Fill => c.Map.IsIndexed || c.Map.IsEvicting ? None : c.Map.Can.FullErrno,
        CellOp.InsertNoMemory => c.Map.Can.NoMemoryErrno ?? ENOMEM,
        CellOp.InsertBusy or CellOp.UpdateBusy or CellOp.DeleteBusy => EBUSY,
        _ => None,
    };

    // Arrays keep what they have; an array of maps lets its map go.
    private static bool CannotDelete(Cell c) => !c.Map.Can.CanDelete;

    private static bool Has(Cell c, MapBatchOps op) => (c.Map.Can.Batches & op) != 0;

    private static Errno First(Errno first, Errno then) => first == None ? then : first;

    private static bool LacksLock(Cell c) => (c.Flags & Lock) != 0 && !c.HasLock;

    // bpf_map_check_op_flags of 7.2; before, every call looked for itself, at all 64 bits.
    private static Errno Syscall(Cell c, MapUpdateFlags allowed)
    {
        if (!c.IsNew)
        {
            return (c.Flags & ~(allowed & Lock)) != 0 || LacksLock(c) ? EINVAL : None;
        }

        var low = (MapUpdateFlags)(uint)c.Flags;
        var cpu = (ulong)c.Flags >> 32;
        return (low & ~allowed) != 0 || LacksLock(c) ? EINVAL
            : (low & MapUpdateFlags.Cpu) == 0 && cpu != 0 ? EINVAL
            : (low & CpuFlags) == 0 ? None
            : !c.Map.IsPercpu || (low & CpuFlags) == CpuFlags ? EINVAL
            : (low & MapUpdateFlags.Cpu) != 0 && cpu >= Cell.CpuCount ? ERANGE : None;
    }

    private static Errno UpdateSyscall(Cell c) =>
        !c.IsUser ? None : c.IsNew ? Syscall(c, (MapUpdateFlags)uint.MaxValue) : LacksLock(c) ? EINVAL : None;

    private static Errno TakeSyscall(Cell c) => (c.Flags & ~Lock) != 0 || LacksLock(c) ? EINVAL : None;

    // Each type's map_update_elem.
    private static Errno Write(Cell c, bool exists)
    {
        if (c.Map.IsOuter && c.Map.IsIndexed)
        {
            return c.Flags != MapUpdateFlags.Any ? EINVAL : exists ? None : E2BIG;
        }

        if (c.Map.IsPercpu && c.IsUser)
        {
            return WritePercpu(c, exists);
        }

        var plain = c.Flags & ~Lock;
        if ((c.HasLock || c.Map.IsArray ? plain : c.Flags) > MapUpdateFlags.Exist)
        {
            return EINVAL;
        }

        if (c.Map.IsArray)
        {
            return !exists ? E2BIG : (c.Flags & MapUpdateFlags.NoExist) != 0 ? EEXIST : LacksLock(c) ? EINVAL : None;
        }

        return Existence(plain, exists);
    }

    // bpf_percpu_array_update and __htab_percpu_map_update_elem, for all CPUs. 7.2 compares the whole word with
    // BPF_NOEXIST and BPF_EXIST.
    private static Errno WritePercpu(Cell c, bool exists)
    {
        var isUnknown = c.IsNew
            ? (c.Flags & Lock) != 0 || (uint)c.Flags > (uint)MapUpdateFlags.AllCpus
            : c.Flags > MapUpdateFlags.Exist;
        return isUnknown ? EINVAL
            : !c.Map.IsArray ? Existence(c.Flags, exists)
            : !exists ? E2BIG
            : c.Flags == MapUpdateFlags.NoExist ? EEXIST : None;
    }

    private static Errno Existence(MapUpdateFlags flags, bool exists) =>
        exists && flags == MapUpdateFlags.NoExist ? EEXIST : !exists && flags == MapUpdateFlags.Exist ? ENOENT : None;
}
