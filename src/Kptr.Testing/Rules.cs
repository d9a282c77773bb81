namespace Kptr.Testing;

/// <summary>The checks, in the order they run.</summary>
internal static class Rules
{
    internal static readonly ConformanceCheck Contents = new(
        "Contents", "what a look-up finds is what was put there last",
        """
        A plain dictionary goes through the same random operations; after each of them every key is looked up, by user
        space and as a program would, and must give the dictionary's bytes. This is what a map is for, and finds swapped
        keys, half-written values and a slot that two keys share.
        """);

    internal static readonly ConformanceCheck Errnos = new(
        "Errnos", "each operation answers what Linux's maps answer",
        """
        Programs branch on errnos: create only (BPF_NOEXIST) on a key that is there is -EEXIST, replace only (BPF_EXIST)
        on one that is not -ENOENT, unknown flags are -EINVAL before anything else, a delete of a missing key is
        -ENOENT, a full map answers what its capabilities say. A map that answers 0 instead, or another number, sends
        programs down the wrong branch.
        """);

    internal static readonly ConformanceCheck FailedMovesNothing = new(
        "FailedMovesNothing", "an operation that fails changes nothing",
        """
        An update that finds no room, or is not allowed by its flags, may have done half of its work by then: taken a
        slot, unlinked an entry, emptied a field. After each operation that failed, also of those that an injected
        allocation failure made fail, contents and references must be as before.
        """);

    internal static readonly ConformanceCheck StaleKeys = new(
        "StaleKeys", "a key that was deleted is not found any more",
        """
        A cache, an index or a second table that the delete forgot still leads to the element, whose memory soon has
        another key: the program reads a stranger's value, or a kptr that is gone.
        """);

    internal static readonly ConformanceCheck SlotsApart = new(
        "SlotsApart", "two keys never share a value's memory",
        """
        A slot that goes back to a free list twice is handed out twice: two keys then write each other's value, and one
        delete destroys the other's kptr. The addresses of all live values are compared after each step, and a pool that
        is handed a slot it has already says so.
        """);

    internal static readonly ConformanceCheck Iteration = new(
        "Iteration", "a walk sees each key once, and ends",
        """
        GetNextKey from the empty key must lead through all keys, each once, and then answer -ENOENT; from a key that is
        not there it starts over; ForEachElem visits the same and says how many. A walk that repeats hangs user space,
        one that skips loses what was to be cleaned up. Elements may be deleted by the callback that visits them.
        """);

    internal static readonly ConformanceCheck Order = new(
        "Order", "values leave in the order that the map says, and each once",
        """
        A queue gives what came first, a stack what came last, and a push that makes room (BPF_EXIST) drops the oldest
        of either. Values are pushed, popped and peeked at by programs and user space, past the end of whatever the map
        keeps them in, and compared with a plain list.
        """);

    internal static readonly ConformanceCheck Opaque = new(
        "Opaque", "special fields are neither shown to user space nor written by it",
        """
        A kptr's bytes are a kernel address: shown, they leak it; written, user space chooses what the kernel will free.
        The values that the check writes have garbage where special fields lie, and all that it reads must have zeros
        there.
        """);

    internal static readonly ConformanceCheck DestroyOnOverwrite = new(
        "DestroyOnOverwrite", "what an overwritten value owned is given back, where the policy says so",
        """
        Under the eager policy an update of a key that is there ends the old value: its references must be given back
        once everything deferred has run. The per-CPU hash of Linux forgot it for two years. Hand the old value to
        DyingFields with InPlaceUpdate or Replace.
        """);

    internal static readonly ConformanceCheck DestroyOnDelete = new(
        "DestroyOnDelete", "what a deleted or evicted value owned is given back, where the policy says so",
        """
        Under the eager policy a delete, an eviction and a look-up that deletes end the value. A reference that stays in
        memory to which no key leads pins its object until the map is freed, and the slot's next tenant finds it.
        """);

    internal static readonly ConformanceCheck DestroyWithOwner = new(
        "DestroyWithOwner", "what a value held is given back when its owner goes",
        """
        Local storage belongs to a task, cgroup, socket or file, and ends with it, under both policies. A map that does
        not hear of that keeps references on behalf of nobody, and gives the next owner of the same number a stranger's
        value. Owners go in the middle of scripts, and others come in their place.
        """);

    internal static readonly ConformanceCheck DestroyAtMapFree = new(
        "DestroyAtMapFree", "a map that is freed gives everything back",
        """
        Whatever the policy let ride along, the end of the map is the last chance: after it and a quiesce each object
        must have the count it had before the map was made. Values outside of the pools, or references that the map
        took for itself, are forgotten most easily.
        """);

    internal static readonly ConformanceCheck DestroyOnce = new(
        "DestroyOnce", "nothing is given back twice, or before its end",
        """
        A reference that is released by the delete and again by the free takes away somebody else's: the object is freed
        under a holder. After each step no object may have fewer references than the reference model counts, and the
        kernel may have reported no fault.
        """);

    internal static readonly ConformanceCheck Destructors = new(
        "Destructors", "what dies in the map goes through its type's destructor kfunc, once a reference",
        """
        Linux calls the destructor that is registered for a kptr's type (bpf_task_release), and a type of somebody's own
        may do more in its destructor than to release. A map that takes a reference out of a dying value by itself and
        releases it skips that; one that makes a reference more for the way has it called twice, and no count shows it.
        Hand dying values to DyingFields, or leave them in their pool.
        """);

    internal static readonly ConformanceCheck Conservation = new(
        "Conservation", "each reference is in exactly one place, and the ledger can name it",
        """
        The ledger counts what is in the map's slots and compares it with the objects' counts: a reference that is in no
        slot, in two, or in one that TryGetKey does not lead to although its key is live, is reported here.
        """);

    internal static readonly ConformanceCheck Census = new(
        "Census", "slots are neither lost nor counted twice",
        """
        Live, free, spare and waiting slots must add up to the capacity after any history, and an emptied map must count
        as at its creation: a slot that a failing path forgot makes the map smaller for ever.
        """);

    internal static readonly ConformanceCheck LateWrites = new(
        "LateWrites", "what runs later does not touch an element's next tenant",
        """
        A callback or work item that kept the address of a value writes to whoever has the memory after the grace
        period. Grace periods and work items are run step by step between the operations, and no value may change by
        that.
        """);

    internal static readonly ConformanceCheck ReaderSafety = new(
        "ReaderSafety", "a deleted element stays whole for the readers that the map promises it to",
        """
        A program that found a value may use it until its reader ends. A map that promises to keep deleted elements for
        readers (KeptFor) must not give the memory to another key, clear or poison it before. Readers of plain RCU and
        of RCU tasks trace are tried, each alone, as programs that can sleep hold only the second.
        """);

    internal static readonly ConformanceCheck Unlocked = new(
        "Unlocked", "no destructor runs under a lock of the map",
        """
        A destructor may free an object, wait for other threads and call any map, this one too. Linux's hashes ran them
        under a bucket's lock and stopped CPUs by it. While the first destructor of each operation runs, another thread
        uses the map: where it has to wait, the map holds a lock. Dispose of DyingFields after the lock is left.
        """);

    internal static readonly ConformanceCheck Threads = new(
        "Threads", "of several threads that want the same, one gets it, and the capacity stays exact",
        """
        Programs run on all CPUs at once. Threads create one key, delete it, and fill the map: one create and one delete
        must succeed a round, the map must take as many keys as it says and no more, and a key that is only written over
        must be found at every moment. A count that is read, changed and written without a lock, or a test of a flag
        outside of one, shows here. What user space reads must be a value of that key, and whole, where the map promises
        it (ReadsWhole).
        """);

    internal static readonly ConformanceCheck FreeDuringUse = new(
        "FreeDuringUse", "a map may be freed while threads still use it",
        """
        Threads are inside readers and use the map when its owner disposes of it, and leave off soon. The map must be
        freed after them and not under them, no fault may be reported, and every reference must be back once all is
        quiet: what a thread stored a moment before the end, too.
        """);

    internal static readonly ConformanceCheck NoExceptions = new(
        "NoExceptions", "operations answer with errnos, not with exceptions",
        """
        An exception in the middle of an operation leaves its work half done, and a program that called the helper has
        no way to catch it.
        """);

    internal static readonly ConformanceCheck Table = new(
        "Table", "each operation, with each flag and from each place, answers and gives back what Linux's maps do",
        """
        Random scripts meet the usual. Here every operation is carried out with every flag, by programs, user space,
        inside readers of both flavours, inside callbacks and while an owner goes, each on a map of its own: with its
        own values, or, where the map is made from a blueprint, with every kind of field that such values may have
        (kptrs, locks, timers, work, lists, trees). What it answers, how many references it gives back, which timers
        it stops and what is left when the map is freed are held against a table that was written from Linux's sources.
        """);

    internal static readonly ConformanceCheck Ends = new(
        "Ends", "every operation ends, and so does the map",
        """
        Two locks that are taken in one order here and in the other there stop two threads for ever; so does a free that
        waits to be woken and is not. Scripts and threads that create, delete and look up at once are watched: where
        nothing has moved for a while (HangAfter), that is reported with what was going on. Whichever check hangs, the
        report is this one's, and the run ends there.
        """);

    internal static readonly IReadOnlyList<ConformanceCheck> All =
    [
        Contents, Errnos, FailedMovesNothing, StaleKeys, SlotsApart, Iteration, Order, Opaque, DestroyOnOverwrite,
        DestroyOnDelete, DestroyWithOwner, DestroyAtMapFree, DestroyOnce, Destructors, Conservation, Census, LateWrites,
        NoExceptions, Table, ReaderSafety, Unlocked, Threads, FreeDuringUse, Ends,
    ];
}
