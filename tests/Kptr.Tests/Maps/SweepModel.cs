using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Specs;

namespace Kptr.Tests.Maps;

public enum SweepMap
{
    Array,
    PercpuArray,
    Hash,
    HashNoPrealloc,
    PercpuHash,
    PercpuHashNoPrealloc,
    Lru,
    LruOwnLists,
    LruPercpu,
    Rhash,
    TaskStorage,
    CgrpStorage,
}

public enum SweepOp
{
    Lookup,
    Insert,
    Update,
    Delete,
    DeleteMissing,
    LookupAndDelete,
    LookupBatch,
    UpdateBatch,
    DeleteBatch,
    LookupAndDeleteBatch,
    GetNextKey,
    ForEach,
    Freeze,
    Fill,
    OwnerExit,
    LastUserRef,
    MapFree,
}

public enum SweepFields
{
    None,
    Kptr,
    TwoKptrs,
    ArrayOfKptrs,
    PercpuKptr,
    UnrefKptr,
    Lock,
    LockAndKptr,
    TimerAndKptr,
}

public enum SweepContext
{
    Program,
    User,
    InsideReader,
    InsideCallback,
}

/// <summary>One point of the product, and what Linux does there, written down from its sources and not from ours.</summary>
public readonly record struct SweepCell(
    SweepMap Map, SweepOp Op, MapUpdateFlags Flags, SweepFields Fields, SweepContext Context, DestroyBehavior Policy)
{
    internal const int ValueBytes = 48;
    internal const int CpuCount = 2;
    private const BtfFieldKind AnyOwned = BtfFieldKind.KptrRef | BtfFieldKind.KptrPercpu;

    internal bool IsStorage => Map is SweepMap.TaskStorage or SweepMap.CgrpStorage;

    internal bool IsArray => Map is SweepMap.Array or SweepMap.PercpuArray;

    internal bool IsLru => Map is SweepMap.Lru or SweepMap.LruOwnLists or SweepMap.LruPercpu;

    internal bool IsPercpu => Map is SweepMap.PercpuArray or SweepMap.PercpuHash or SweepMap.PercpuHashNoPrealloc or SweepMap.LruPercpu;

    internal bool HasLock => Fields is SweepFields.Lock or SweepFields.LockAndKptr;

    internal bool HasTimer => Fields == SweepFields.TimerAndKptr;

    internal bool IsUser => Context is SweepContext.User or SweepContext.InsideReader;

    internal int KptrsPerValue => Record().Fields.Count(f => (f.Kind & AnyOwned) != 0);

    internal MapSpec Spec() => new($"sweep-{Map}", Map switch
    {
        SweepMap.Array => BpfMapType.Array,
        SweepMap.PercpuArray => BpfMapType.PercpuArray,
        SweepMap.Hash or SweepMap.HashNoPrealloc => BpfMapType.Hash,
        SweepMap.PercpuHash or SweepMap.PercpuHashNoPrealloc => BpfMapType.PercpuHash,
        SweepMap.Lru or SweepMap.LruOwnLists => BpfMapType.LruHash,
        SweepMap.LruPercpu => BpfMapType.LruPercpuHash,
        SweepMap.Rhash => BpfMapType.Rhash,
        SweepMap.TaskStorage => BpfMapType.TaskStorage,
        _ => BpfMapType.CgrpStorage,
    })
    {
        KeySize = 4,
        ValueSize = ValueBytes,
        MaxEntries = IsStorage ? 0u : 4,
        Flags = Map switch
        {
            SweepMap.HashNoPrealloc or SweepMap.PercpuHashNoPrealloc or SweepMap.Rhash => MapFlags.NoPrealloc,
            SweepMap.LruOwnLists => MapFlags.NoCommonLru,
            _ => IsStorage ? MapFlags.NoPrealloc : MapFlags.None,
        },
        Record = Record(),
    };

    internal BtfRecord Record() => new(Fields switch
    {
        SweepFields.Kptr => [Field(BtfFieldKind.KptrRef, 8)],
        SweepFields.TwoKptrs => [Field(BtfFieldKind.KptrRef, 8), Field(BtfFieldKind.KptrRef, 32)],
        SweepFields.ArrayOfKptrs => [Field(BtfFieldKind.KptrRef, 0), Field(BtfFieldKind.KptrRef, 8), Field(BtfFieldKind.KptrRef, 16)],
        SweepFields.PercpuKptr => [Field(BtfFieldKind.KptrPercpu, 40)],
        SweepFields.UnrefKptr => [Field(BtfFieldKind.KptrUnref, 8)],
        SweepFields.Lock => [Field(BtfFieldKind.SpinLock, 0, 4)],
        SweepFields.LockAndKptr => [Field(BtfFieldKind.SpinLock, 0, 4), Field(BtfFieldKind.KptrRef, 8)],
        SweepFields.TimerAndKptr => [Field(BtfFieldKind.KptrRef, 8), Field(BtfFieldKind.Timer, 16, 16)],
        _ => [],
    });

    /// <summary>Why the cell cannot be, or null.</summary>
    internal string? WhyImpossible()
    {
        if (Map == SweepMap.Rhash && Policy == DestroyBehavior.Eager)
        {
            return "the resizable hash came with the recycle policy";
        }

        var byKey = Op is SweepOp.Lookup or SweepOp.Insert or SweepOp.Update or SweepOp.Delete or SweepOp.DeleteMissing;
        if (Context is SweepContext.Program or SweepContext.InsideCallback && !byKey && !(Op == SweepOp.ForEach && Context == SweepContext.Program))
        {
            return "only user space can do this";
        }

        if (Context == SweepContext.InsideCallback && IsStorage)
        {
            return "storage has no bpf_for_each_map_elem";
        }

        if (Context == SweepContext.Program && IsStorage && Op == SweepOp.ForEach)
        {
            return "storage has no bpf_for_each_map_elem";
        }

        if (Context == SweepContext.User && Op == SweepOp.ForEach)
        {
            return "only programs iterate with a callback";
        }

        if (Op == SweepOp.OwnerExit && !IsStorage)
        {
            return "nobody owns the values";
        }

        if (Op is SweepOp.MapFree or SweepOp.LastUserRef or SweepOp.OwnerExit or SweepOp.Fill or SweepOp.ForEach && Context == SweepContext.InsideReader)
        {
            return "the same as outside of a reader";
        }

        return Op == SweepOp.Fill && IsStorage ? "storage has no capacity" : null;
    }

    /// <summary>What the operation returns.</summary>
    internal Errno Errno() => Op switch
    {
        SweepOp.Lookup => IsUser ? LockOnly() : Diagnostics.Errno.None,
        SweepOp.Insert => IsArray ? PastTheEnd() : Write(exists: false),
        SweepOp.Update => Write(exists: true),
        SweepOp.Delete => IsArray ? Diagnostics.Errno.EINVAL : Diagnostics.Errno.None,
        SweepOp.DeleteMissing => IsArray ? Diagnostics.Errno.EINVAL : Diagnostics.Errno.ENOENT,
        SweepOp.LookupAndDelete => LockOnly() is var bad and not Diagnostics.Errno.None ? bad
            : IsArray || IsStorage ? Diagnostics.Errno.ENOTSUPP : Diagnostics.Errno.None,
        SweepOp.LookupBatch => IsStorage ? Diagnostics.Errno.ENOTSUPP
            : LockOnly() is var bad and not Diagnostics.Errno.None ? bad : Diagnostics.Errno.ENOENT,
        SweepOp.UpdateBatch => IsStorage ? Diagnostics.Errno.ENOTSUPP
            : LockOnly() is var bad and not Diagnostics.Errno.None ? bad : Write(exists: true),
        SweepOp.DeleteBatch => IsArray || IsStorage ? Diagnostics.Errno.ENOTSUPP : LockOnly(),
        SweepOp.LookupAndDeleteBatch => IsArray || IsStorage ? Diagnostics.Errno.ENOTSUPP
            : LockOnly() is var bad and not Diagnostics.Errno.None ? bad : Diagnostics.Errno.ENOENT,
        SweepOp.GetNextKey => IsStorage ? Diagnostics.Errno.ENOTSUPP : Diagnostics.Errno.None,
        SweepOp.Freeze => Fields == SweepFields.None ? Diagnostics.Errno.None : Diagnostics.Errno.ENOTSUPP,
        SweepOp.Fill => IsArray || IsLru ? Diagnostics.Errno.None : Diagnostics.Errno.E2BIG,
        _ => Diagnostics.Errno.None,
    };

    /// <summary>Kptr destructors that ran once everything deferred has run, before the map is freed.</summary>
    internal int Destroyed()
    {
        if (Errno() is not (Diagnostics.Errno.None or Diagnostics.Errno.ENOENT or Diagnostics.Errno.E2BIG))
        {
            return 0;
        }

        var all = KptrsPerValue * (IsPercpu ? CpuCount : 1);
        var written = KptrsPerValue * (IsPercpu && IsUser ? CpuCount : 1);
        var eager = Policy == DestroyBehavior.Eager;
        switch (Op)
        {
            case SweepOp.Update or SweepOp.UpdateBatch when Errno() == Diagnostics.Errno.None:
                var isInPlaceUnderLock = (Flags & MapUpdateFlags.Lock) != 0 && !IsArray && Map != SweepMap.Rhash;
                return isInPlaceUnderLock ? 0 : eager || IsStorage ? written : 0;
            case SweepOp.Delete or SweepOp.LookupAndDelete or SweepOp.DeleteBatch when Errno() == Diagnostics.Errno.None:
                return eager || IsStorage ? all : 0;
            case SweepOp.LookupAndDeleteBatch when !IsArray && !IsStorage:
                return eager ? all : 0;
            case SweepOp.OwnerExit or SweepOp.MapFree:
                return all;
            case SweepOp.Fill when IsLru:
                // Keys enough to push the first one out, though it was marked; of a CPU's own two, the marked one stays.
                return eager && Map != SweepMap.LruOwnLists ? all : 0;
            default:
                return 0;
        }
    }

    private static BtfField Field(BtfFieldKind kind, int offset, int size = 8) => new(kind, $"f{offset}", offset, size);

    private Errno PastTheEnd()
    {
        var core = Flags & ~MapUpdateFlags.Lock;
        var unknown = IsPercpu && IsUser ? Flags > MapUpdateFlags.Exist : core > MapUpdateFlags.Exist;
        return IsUser && LockMissing() ? Diagnostics.Errno.EINVAL : unknown ? Diagnostics.Errno.EINVAL : Diagnostics.Errno.E2BIG;
    }

    private Errno Write(bool exists)
    {
        if (IsUser && LockMissing())
        {
            return Diagnostics.Errno.EINVAL;
        }

        var core = Flags & ~MapUpdateFlags.Lock;
        var takesLock = Map is SweepMap.Array or SweepMap.Hash or SweepMap.HashNoPrealloc or SweepMap.Rhash || IsStorage
            || (Map == SweepMap.PercpuArray && !IsUser);
        if ((takesLock ? core : Flags) > MapUpdateFlags.Exist)
        {
            return Diagnostics.Errno.EINVAL;
        }

        if (IsArray)
        {
            return (Flags & MapUpdateFlags.NoExist) != 0 ? Diagnostics.Errno.EEXIST : LockMissing() ? Diagnostics.Errno.EINVAL : Diagnostics.Errno.None;
        }

        return LockMissing() ? Diagnostics.Errno.EINVAL
            : exists && core == MapUpdateFlags.NoExist ? Diagnostics.Errno.EEXIST
            : !exists && core == MapUpdateFlags.Exist ? Diagnostics.Errno.ENOENT : Diagnostics.Errno.None;
    }

    private bool LockMissing() => (Flags & MapUpdateFlags.Lock) != 0 && !HasLock;

    private Errno LockOnly() =>
        (Flags & ~MapUpdateFlags.Lock) != 0 || LockMissing() ? Diagnostics.Errno.EINVAL : Diagnostics.Errno.None;
}
