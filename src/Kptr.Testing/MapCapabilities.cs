using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;

namespace Kptr.Testing;

/// <summary>Which keys a map takes.</summary>
public enum MapKeys
{
    /// <summary>Any bytes; elements come by updates and go by deletes.</summary>
    Any,

    /// <summary>32-bit indexes below the capacity; all elements are there from the start and stay.</summary>
    Index,

    /// <summary>
    /// The number of an object that owns the value, which ends with it, as in local storage: a task's pid, a cgroup's
    /// id, the low 32 bits of a socket's or file's address.
    /// </summary>
    Owner,

    /// <summary>
    /// Prefixes as in tries: 32 bits with their length, then the bits in network order. A look-up finds the longest
    /// that contains what is looked up.
    /// </summary>
    Prefix,

    /// <summary>None: values are pushed and popped, as in queues and stacks.</summary>
    None,
}

/// <summary>What a map does with a new key when it is full.</summary>
public enum WhenFull
{
    /// <summary>It refuses it, and nothing changes.</summary>
    Refuse,

    /// <summary>It pushes out other elements, as LRU maps do, when and which it likes.</summary>
    Evict,
}

/// <summary>What a map type says of itself. What it does not claim is not asked of it.</summary>
public sealed record MapCapabilities
{
    /// <summary>A hash: any keys, refuses with <c>-E2BIG</c> when full.</summary>
    public static MapCapabilities Hash { get; } = new();

    /// <summary>An array: indexes, nothing is deleted.</summary>
    public static MapCapabilities Array { get; } = new() { Keys = MapKeys.Index, CanDelete = false };

    /// <summary>An LRU map: any keys, makes room for new ones.</summary>
    public static MapCapabilities Lru { get; } = new() { WhenFull = WhenFull.Evict };

    /// <summary>A trie of prefixes: refuses with <c>-ENOSPC</c> when full, visits nothing.</summary>
    public static MapCapabilities Trie { get; } = new()
    {
        Keys = MapKeys.Prefix, FullErrno = Errno.ENOSPC, CanVisit = false,
    };

    /// <summary>A queue: first in, first out; refuses with <c>-E2BIG</c> when full.</summary>
    public static MapCapabilities Queue { get; } = new()
    {
        Keys = MapKeys.None, CanDelete = false, CanIterate = false, CanVisit = false, CanTake = true,
    };

    /// <summary>A stack: last in, first out.</summary>
    public static MapCapabilities Stack { get; } = Queue with { IsLifo = true };

    /// <summary>Local storage: a value an owner, made and deleted by helpers.</summary>
    public static MapCapabilities LocalStorage { get; } = new()
    {
        Keys = MapKeys.Owner, CanIterate = false, CanVisit = false, LockKeepsFields = true, IsCapacityExact = false,
        NoMemoryErrno = Errno.ENOMEM,
    };

    /// <summary>Which keys it takes.</summary>
    public MapKeys Keys { get; init; } = MapKeys.Any;

    /// <summary>What it does when full.</summary>
    public WhenFull WhenFull { get; init; } = WhenFull.Refuse;

    /// <summary>What a refused new key answers.</summary>
    public Errno FullErrno { get; init; } = Errno.E2BIG;

    /// <summary>What a new key answers for which there is no memory; null where the check is not to ask.</summary>
    public Errno? NoMemoryErrno { get; init; }

    /// <summary>
    /// Whether it asks the fault plan at <see cref="FaultPoint.LockBucket"/>, and answers <c>-EBUSY</c> then.
    /// </summary>
    public bool CanBeBusy { get; init; }

    /// <summary>
    /// Of maps that make room: whether what a program looked up lately stays while one CPU fills the map. Null where
    /// that is the map's own business.
    /// </summary>
    public bool? KeepsMarked { get; init; }

    /// <summary>Whether the table of answers is tried on a map that only an outer map holds.</summary>
    public bool IsHeldByOuter { get; init; }

    /// <summary>
    /// Of <see cref="MapKeys.Owner"/>: what programs' helpers do. Null where they do what look-ups, updates and deletes
    /// by key do.
    /// </summary>
    public StorageHelpers? Storage { get; init; }

    /// <summary>Of maps without keys: whether the last that came leaves first.</summary>
    public bool IsLifo { get; init; }

    /// <summary>Whether elements can be deleted; else <see cref="BpfMap.DeleteElem"/> answers <c>-EINVAL</c>.</summary>
    public bool CanDelete { get; init; } = true;

    /// <summary>Whether <see cref="BpfMap.GetNextKey"/> walks the keys.</summary>
    public bool CanIterate { get; init; } = true;

    /// <summary>Whether <see cref="BpfMap.ForEachElem"/> visits the elements.</summary>
    public bool CanVisit { get; init; } = true;

    /// <summary>
    /// Whether <see cref="BpfMap.LookupAndDeleteElem"/> takes elements; else it answers <c>-ENOTSUPP</c>.
    /// </summary>
    public bool CanTake { get; init; }

    /// <summary>Which batches it has; the others answer <c>-ENOTSUPP</c>.</summary>
    public MapBatchOps Batches { get; init; } = MapBatchOps.None;

    /// <summary>
    /// Whose readers keep a deleted element whole. <see cref="GracePeriods.None"/>: nobody's, its memory may get
    /// another key at once, as in Linux's preallocated hashes.
    /// </summary>
    public GracePeriods KeptFor { get; init; } = GracePeriods.None;

    /// <summary>
    /// Whether the capacity holds also while threads fill the map. Linux's hashes without preallocation may take a few
    /// elements more then, as they look at the count before they raise it.
    /// </summary>
    public bool IsCapacityExact { get; init; } = true;

    /// <summary>
    /// Whether what user space reads is a value as one writer wrote it, also while others write. Linux's maps do not
    /// promise it: a copy may be half of an old and half of a new value.
    /// </summary>
    public bool ReadsWhole { get; init; }

    /// <summary>
    /// Whether an update with <see cref="MapUpdateFlags.Lock"/> of a key that is there writes the plain bytes only, and
    /// what its kptrs own stays, as in Linux's hashes (<see cref="DeathPath.LockedUpdate"/>). Otherwise it ends the old
    /// value like any other update, as in Linux's arrays.
    /// </summary>
    public bool LockKeepsFields { get; init; }

    /// <summary>Whether threads may use the map at once, as programs on several CPUs do.</summary>
    public bool IsThreadSafe { get; init; } = true;
}
