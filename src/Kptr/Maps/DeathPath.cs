namespace Kptr.Maps;

/// <summary>The ways a value (or one CPU's part of it) comes to its end or is written over.</summary>
public enum DeathPath
{
    /// <summary>Written over in place: array, per-CPU and resizable hash updates.</summary>
    InPlaceUpdate,

    /// <summary>Written over in place under its own <c>bpf_spin_lock</c> (<c>BPF_F_LOCK</c>).</summary>
    LockedUpdate,

    /// <summary>A hash element was replaced by a new one with the same key.</summary>
    Replace,

    /// <summary>Deleted by key.</summary>
    Delete,

    /// <summary>Looked up and deleted in one step.</summary>
    LookupAndDelete,

    /// <summary>Deleted by a batch.</summary>
    BatchDelete,

    /// <summary>Pushed out of an LRU map by somebody else's key.</summary>
    Evict,

    /// <summary>Taken for an insert that then failed.</summary>
    FailedInsert,

    /// <summary>Local storage that was deleted or replaced.</summary>
    StorageDelete,

    /// <summary>The owner of local storage goes.</summary>
    OwnerExit,

    /// <summary>The allocator lets the memory of a not preallocated element go.</summary>
    AllocatorRelease,

    /// <summary>The map's last user-space reference went; the map itself may live on.</summary>
    LastUserRef,

    /// <summary>The map is freed.</summary>
    MapFree,
}

/// <summary>What happens to the special fields of a value that takes a <see cref="DeathPath"/>.</summary>
public enum DeathAction
{
    /// <summary>Nothing.</summary>
    Keep,

    /// <summary>Timers, work queues and task work are cancelled; kptrs, lists and trees stay where they are.</summary>
    Cancel,

    /// <summary>All fields are emptied and what they owned is destroyed.</summary>
    Destroy,
}

/// <summary>The context in which Linux would run the destructors.</summary>
public enum DeathContext
{
    /// <summary>The caller's own: a system call, or whatever context the program runs in, NMI included.</summary>
    Caller,

    /// <summary>The caller's, with the bucket's raw spin lock held and interrupts off.</summary>
    UnderBucketLock,

    /// <summary>The caller's, with the local storage's raw spin lock held.</summary>
    UnderStorageLock,

    /// <summary>A work queue, in process context.</summary>
    WorkQueue,

    /// <summary>The callback of an RCU grace period.</summary>
    RcuCallback,
}
