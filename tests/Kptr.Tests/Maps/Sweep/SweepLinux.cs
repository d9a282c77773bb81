using Kptr.Diagnostics;
using Kptr.Maps;
using static Kptr.Diagnostics.Errno;

namespace Kptr.Tests.Maps;

/// <summary>
/// What Linux answers, written down from its sources (kernel/bpf/*.c of 6.12 and 7.2) and not from ours.
/// </summary>
internal static class SweepLinux
{
    private const MapUpdateFlags Lock = MapUpdateFlags.Lock;
    private const MapUpdateFlags CpuFlags = MapUpdateFlags.Cpu | MapUpdateFlags.AllCpus;

    /// <summary>What the operation returns.</summary>
    internal static Errno ErrnoOf(this SweepCell c) => c.Op switch
    {
        SweepOp.Lookup => c.IsUser ? Syscall(c, Lock | MapUpdateFlags.Cpu) : None,
        SweepOp.Insert =>
            c.Context == SweepContext.ExitingOwner ? ENOMEM : First(UpdateSyscall(c), Write(c, exists: false)),
        SweepOp.Update => First(UpdateSyscall(c), Write(c, exists: true)),
        SweepOp.Delete or SweepOp.DeleteAndWriteLate => c.IsArray ? EINVAL : None,
        SweepOp.DeleteMissing => c.IsArray ? EINVAL : ENOENT,
        SweepOp.LookupAndDelete => First(TakeSyscall(c), c.IsArray || c.IsStorage || c.IsOuter ? ENOTSUPP : None),
        SweepOp.LookupBatch => c.IsStorage ? ENOTSUPP : First(Syscall(c, Lock | MapUpdateFlags.Cpu), ENOENT),
        SweepOp.UpdateBatch => c.IsStorage ? ENOTSUPP : First(Syscall(c, Lock | CpuFlags), Write(c, exists: true)),
        SweepOp.DeleteBatch => HasNoDeleteBatch(c) ? ENOTSUPP : Syscall(c, Lock),
        SweepOp.LookupAndDeleteBatch => HasNoDeleteBatch(c) ? ENOTSUPP : First(Syscall(c, Lock), ENOENT),
        SweepOp.GetNextKey => c.IsStorage ? ENOTSUPP : None,
        SweepOp.Freeze => c.IsOuter || c.Fields == SweepFields.None ? None : ENOTSUPP,
        SweepOp.Fill => c.IsArray || c.IsLru || c.Map == SweepMap.ArrayOfMaps ? None : E2BIG,
        SweepOp.InsertNoMemory => HasStock(c) ? E2BIG : ENOMEM,
        SweepOp.InsertBusy or SweepOp.UpdateBusy or SweepOp.DeleteBusy => EBUSY,
        _ => None,
    };

    private static bool HasNoDeleteBatch(SweepCell c) => c.IsArray || c.IsStorage || c.Map == SweepMap.ArrayOfMaps;

    // Preallocated elements run out; memory does not.
    private static bool HasStock(SweepCell c) =>
        c.Map is SweepMap.Hash or SweepMap.PercpuHash or SweepMap.InnerHash or SweepMap.HashOfMaps;

    private static Errno First(Errno first, Errno then) => first == None ? then : first;

    private static bool LacksLock(SweepCell c) => (c.Flags & Lock) != 0 && !c.HasLock;

    // bpf_map_check_op_flags of 7.2; before, every call looked for itself, at all 64 bits.
    private static Errno Syscall(SweepCell c, MapUpdateFlags allowed)
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
            : !c.IsPercpu || (low & CpuFlags) == CpuFlags ? EINVAL
            : (low & MapUpdateFlags.Cpu) != 0 && cpu >= SweepCell.CpuCount ? ERANGE : None;
    }

    private static Errno UpdateSyscall(SweepCell c) =>
        !c.IsUser ? None : c.IsNew ? Syscall(c, (MapUpdateFlags)uint.MaxValue) : LacksLock(c) ? EINVAL : None;

    private static Errno TakeSyscall(SweepCell c) => (c.Flags & ~Lock) != 0 || LacksLock(c) ? EINVAL : None;

    // Each type's map_update_elem.
    private static Errno Write(SweepCell c, bool exists)
    {
        var plain = c.Flags & ~Lock;
        if (c.Map == SweepMap.ArrayOfMaps)
        {
            return c.Flags != MapUpdateFlags.Any ? EINVAL : exists ? None : E2BIG;
        }

        if (c.IsPercpu && c.IsUser)
        {
            return WritePercpu(c, exists);
        }

        var takesLock = c.IsArray || c.IsStorage
            || c.Map is SweepMap.Hash or SweepMap.HashNoPrealloc or SweepMap.InnerHash or SweepMap.Rhash;
        if ((takesLock ? plain : c.Flags) > MapUpdateFlags.Exist)
        {
            return EINVAL;
        }

        if (c.IsArray)
        {
            return !exists ? E2BIG : (c.Flags & MapUpdateFlags.NoExist) != 0 ? EEXIST : LacksLock(c) ? EINVAL : None;
        }

        return LacksLock(c) ? EINVAL : Existence(plain, exists);
    }

    // bpf_percpu_array_update and __htab_percpu_map_update_elem, for all CPUs. 7.2 compares the whole word with
    // BPF_NOEXIST and BPF_EXIST.
    private static Errno WritePercpu(SweepCell c, bool exists)
    {
        var isUnknown = c.IsNew
            ? (c.Flags & Lock) != 0 || (uint)c.Flags > (uint)MapUpdateFlags.AllCpus
            : c.Flags > MapUpdateFlags.Exist;
        return isUnknown ? EINVAL
            : !c.IsArray ? Existence(c.Flags, exists)
            : !exists ? E2BIG
            : c.Flags == MapUpdateFlags.NoExist ? EEXIST : None;
    }

    private static Errno Existence(MapUpdateFlags flags, bool exists) =>
        exists && flags == MapUpdateFlags.NoExist ? EEXIST : !exists && flags == MapUpdateFlags.Exist ? ENOENT : None;
}
