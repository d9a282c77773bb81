namespace Kptr.Diagnostics;

/// <summary>
/// Every lock of Kptr, in the one order in which a thread may take them: under a lock only locks
/// further down may be taken.
/// </summary>
/// <remarks>The table in this folder's README says what each guards; a test holds the two together.</remarks>
internal enum LockRank
{
    /// <summary>Whether references are followed.</summary>
    Following = 1,

    /// <summary>Freezing of one map.</summary>
    MapFreeze,

    /// <summary>Resizing of one hash.</summary>
    MapResize,

    /// <summary>Owners of one local storage map.</summary>
    LocalStorage,

    /// <summary>The one lock of a map that is no hash: queue, trie, ring buffer, arena; of a keyed map.</summary>
    ThinMap,

    /// <summary>The lists of one LRU map.</summary>
    LruLists,

    /// <summary>A bucket of a hash.</summary>
    Bucket,

    /// <summary>The <c>bpf_spin_lock</c> in a value, taken by the model itself for a copy.</summary>
    ValueSpin,

    /// <summary>The elements of one map that are not preallocated.</summary>
    ElemCache,

    /// <summary>One CPU's stock of free slots.</summary>
    SlotStock,

    /// <summary>The cgroup tree.</summary>
    CgroupTree,

    /// <summary>The tasks and their families.</summary>
    TaskTable,

    /// <summary>Which tasks use which css set.</summary>
    CssSet,

    /// <summary>One address space.</summary>
    AddressSpace,

    /// <summary>The open files of a process.</summary>
    FileTable,

    /// <summary>The sockets that packets can find.</summary>
    SockTable,

    /// <summary>The tracked connections.</summary>
    Conntrack,

    /// <summary>What one timer or work item in a value calls.</summary>
    AsyncField,

    /// <summary>One timer.</summary>
    Timer,

    /// <summary>The virtual clock.</summary>
    Clock,

    /// <summary>The grace period of one RCU flavour.</summary>
    GracePeriod,

    /// <summary>The readers of one RCU flavour.</summary>
    RcuReaders,

    /// <summary>The ledger's records.</summary>
    Ledger,

    /// <summary>One slab.</summary>
    Slab,

    /// <summary>The directory of the heap.</summary>
    Heap,

    /// <summary>The faults reported so far.</summary>
    Faults,

    /// <summary>The trace pipe and the random numbers of programs.</summary>
    ProgHost,
}
