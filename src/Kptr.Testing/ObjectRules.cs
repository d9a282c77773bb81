namespace Kptr.Testing;

/// <summary>The checks of kernel objects, in the order they run.</summary>
internal static class ObjectRules
{
    internal static readonly ConformanceCheck Birth = new(
        "Birth", "a new object has one reference, its maker's",
        """
        The constructor of KernelObject sets the count to 1. A derived constructor that takes one more on itself, for a
        table or "to be safe", makes an object that nobody can free: nobody else knows of that reference. Each new
        object's count is read before anything is done with it.
        """);

    internal static readonly ConformanceCheck Counts = new(
        "Counts", "an acquire adds one reference, a release takes one away",
        """
        References are taken and given back in random order, from hands and from a map's slots, and after each step the
        count must be the number of those that there are. Code of the object's own that moves its count, in a work item
        or only to print itself, shows here.
        """);

    internal static readonly ConformanceCheck Alive = new(
        "Alive", "an object lives as long as somebody has a reference",
        """
        Whoever holds a reference follows it without looking. After each step no object that is held may be freed, or
        be on its way: an object that is freed by a count of its own, or by whoever closes it, is gone under its holders.
        """);

    internal static readonly ConformanceCheck Freed = new(
        "Freed", "an object is freed once its last reference went and all that was deferred has run",
        """
        An override of OnLastRelease that forgets to call its base, or queues work that never comes to it, keeps the
        memory for good. Work and grace periods are run until nothing is left, and after that all objects without
        references must be freed.
        """);

    internal static readonly ConformanceCheck DestroyOnce = new(
        "DestroyOnce", "nothing is given back twice, and no fault is reported",
        """
        What OnLastRelease gives back, OnFree must not give back again; a base that is called twice frees twice; a
        holder that IntrinsicHolders still names when the last reference goes was robbed. The references of all other objects in the kernel are counted before the first object is made and after the last is
        freed, and the kernel may have reported nothing meanwhile.
        """);

    internal static readonly ConformanceCheck GivesBack = new(
        "GivesBack", "what an object took for itself it gives back at its end",
        """
        References that the object keeps in fields of C# are its own to release, in OnFree: nobody else knows them. One
        that is forgotten pins a task for ever, and is found by counting the references of all objects in the kernel
        before and after.
        """);

    internal static readonly ConformanceCheck ReaderSafety = new(
        "ReaderSafety", "a dead object stays whole for the readers that found it",
        """
        A program that found the object in a slot looks at it until its RCU reader ends. The last reference is given
        back under a reader, then grace periods and work are run one by one: the object may not be freed, and its
        fields not change (KeepsFields), before the reader ends. FreeNow, and clearing fields at the last release,
        break this.
        """);

    internal static readonly ConformanceCheck Contexts = new(
        "Contexts", "the last release and the destructor sleep nowhere they may not",
        """
        The last reference goes wherever a program drops it, a map's value dies or a grace period ends: in an
        interrupt, inside an RCU reader, in an NMI (LastReleaseIn). OnFree runs in soft interrupt context. To wait for a
        grace period there stops a CPU; the kernel reports it as SleepInAtomic. QueueWork is where one may sleep.
        """);

    internal static readonly ConformanceCheck OverRelease = new(
        "OverRelease", "one release too many is reported, and frees nothing a second time",
        """
        Somebody's mistake must not become the object's: the release after the last is a reported fault
        (RefCountUnderflow), throws nothing, and the object ends once. What the type overrides is called for the report
        (ToString on a freed object), so what it reads there must bear that.
        """);

    internal static readonly ConformanceCheck Slots = new(
        "Slots", "what lies in a map's values is given back with them",
        """
        A reference moved into a kptr slot belongs to the map: a delete, an overwrite and the end of the map give it
        back, as the destroy policy has it, and the object ends by it as by any other last release. Arrays and hashes
        are tried, with one reference in two slots' worth of objects, under both policies. Where the type's kfuncs are
        told (Kfuncs), one must be its destructor, and be called once for each slot.
        """);

    internal static readonly ConformanceCheck Storage = new(
        "Storage", "local storage of the object goes with it",
        """
        Programs hang values on objects (local storage), with kptrs in them. They must be destroyed when the object is
        freed, and not before; a type that never comes to its end keeps them, and whatever they own. Tried with the
        object and with the map ending first.
        """);

    internal static readonly ConformanceCheck FailedBirth = new(
        "FailedBirth", "a birth for which there is no memory leaves nothing behind",
        """
        The constructor of KernelObject throws OutOfMemoryException where a fault plan wants it (alloc_object). What was
        acquired before, as an argument of the base constructor perhaps, nobody gives back then. The n-th allocation of
        a birth fails, for each n, and all counts must be as before.
        """);

    internal static readonly ConformanceCheck NoExceptions = new(
        "NoExceptions", "what an object overrides throws nothing",
        """
        A destructor that throws ends half way; the kernel does the rest without it, and tells whoever quiesces. Nothing
        that is overridden may throw in a script, on an object that is alive, dead or freed.
        """);

    internal static readonly ConformanceCheck Threads = new(
        "Threads", "threads that acquire and release at once leave the count as it should be",
        """
        Threads share an object, take references and give them back, and drop the last one while others try for it: the
        object is freed once. Then each makes objects of its own: what these share besides the kernel's counts, such as
        a count of users that is read and then written, shows by what is left behind.
        """);

    internal static readonly ConformanceCheck Ends = new(
        "Ends", "every operation ends",
        """
        A destructor that waits for a grace period, or for work that comes after it, waits for itself. Where nothing
        has moved for a while (HangAfter), that is reported with what was going on, whichever check it was in.
        """);

    internal static readonly IReadOnlyList<ConformanceCheck> All =
    [
        Birth, Counts, Alive, Freed, DestroyOnce, GivesBack, NoExceptions, Contexts, ReaderSafety, OverRelease,
        Slots, Storage, FailedBirth, Threads, Ends,
    ];
}
