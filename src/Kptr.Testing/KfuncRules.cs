namespace Kptr.Testing;

/// <summary>The checks of kfuncs, in the order they run.</summary>
internal static class KfuncRules
{
    internal static readonly ConformanceCheck Flags = new(
        "Flags", "a program that uses a kfunc as its flags and prototype say is accepted",
        """
        The verifier goes by flags and prototype alone. KF_ACQUIRE on a function that returns no object, KF_RELEASE on
        one that takes none, or a type that the kernel does not know, make a kfunc that no program can use. A program
        is made for each kfunc and loaded; what the verifier says is the report.
        """);

    internal static readonly ConformanceCheck Acquire = new(
        "Acquire", "KF_ACQUIRE returns one new reference, or null",
        """
        The program owns what it got and will give it back once. A body that returns its argument uncounted has the
        object freed under another holder; one that counts twice leaks it. Counts of all objects are compared before
        and after each call; a new object must have one reference.
        """);

    internal static readonly ConformanceCheck Release = new(
        "Release", "KF_RELEASE takes one reference",
        """
        After the call the verifier has forgotten the reference: a body that does not release it leaks the object, one
        that releases twice takes somebody else's. Kfuncs that keep what they take are listed (Keeping).
        """);

    internal static readonly ConformanceCheck Balanced = new(
        "Balanced", "a call moves no count that its flags do not name",
        """
        A kfunc without KF_ACQUIRE hands out no reference and one without KF_RELEASE takes none, so the program cannot
        make up for what the body did: its arguments must have the counts they had, and so must all other objects in
        the kernel, unless the call made an object or ended one.
        """);

    internal static readonly ConformanceCheck RetNull = new(
        "RetNull", "a body that may return null has KF_RET_NULL",
        """
        Without the flag the verifier lets programs follow the pointer at once: the null that comes under rare
        conditions crashes them. Many arguments are tried, and failing allocations (alloc_object): a body that
        allocates may fail.
        """);

    internal static readonly ConformanceCheck GoneIsNull = new(
        "GoneIsNull", "KF_RCU: an object whose last reference is gone gives null, and stays gone",
        """
        An RCU pointer's object may have lost its last reference: its memory is there, its count is zero. A kfunc with
        KF_RCU that acquires must say null then, and any must bear it. Called with such objects inside a reader; the
        count must stay zero and nothing be reported.
        """);

    internal static readonly ConformanceCheck Trusted = new(
        "Trusted", "a body that follows its arguments asks for KF_TRUSTED_ARGS or KF_RCU",
        """
        Before 7.2 a kfunc without these flags may be called with pointers that nobody vouches for, walked from other
        structs: the object may be freed. Kfuncs that take objects without asking are called with one that is; a body
        that looks into it would read freed memory in a kernel. Releases ask by their flag.
        """);

    internal static readonly ConformanceCheck Sleeps = new(
        "Sleeps", "a body that may sleep has KF_SLEEPABLE",
        """
        Without the flag programs call it in interrupts, under locks and inside RCU readers, where waiting for a grace
        period stops the CPU. Such kfuncs are called in each context and inside a reader, and the kernel may report no
        SleepInAtomic.
        """);

    internal static readonly ConformanceCheck Destructor = new(
        "Destructor", "a destructor is called once a slot that dies, and gives its reference back in any context",
        """
        The kfunc named in DestructorOf ends what a kptr slot owns when its value dies, wherever that is: in the program
        that deletes or evicts it, with the map, with the owner of local storage, in the allocator's grace period. It
        must have KF_RELEASE and one argument of that type, and may not sleep. Objects die in slots in all these ways,
        and by a program's own call; each time the body must be called once, and the object be freed.
        """);

    internal static readonly ConformanceCheck Memory = new(
        "Memory", "a body writes only the memory it was given",
        """
        A program passes memory with its size (__sz). A body that writes a whole struct, or an error into a field behind
        the size that was declared, writes over whatever the program has next to it. Words behind the memory must be as
        they were after each call.
        """);

    internal static readonly ConformanceCheck FailedMovesNothing = new(
        "FailedMovesNothing", "a call that fails half way has moved nothing",
        """
        A body that takes a reference and then finds no memory, or finds that another object's last reference just went,
        must give back what it took. The n-th allocation and the n-th acquire of a call fail; whatever it returns then,
        the counts must be as before.
        """);

    internal static readonly ConformanceCheck Conservation = new(
        "Conservation", "once all references are released, everything is as before",
        """
        What objects keep for themselves, what bodies put into tables: after a script has given back all that it holds
        and everything deferred has run, all counts in the kernel must be those from before. A single call may look
        balanced, because it made an object, and still leave a reference behind.
        """);

    internal static readonly ConformanceCheck NoExceptions = new(
        "NoExceptions", "a body throws nothing",
        """
        A program cannot catch anything: the run ends there, and what the program held is lost. A kfunc answers with
        null or an errno whatever its arguments are, and whoever it runs for: tasks that have exited, too.
        """);

    internal static readonly ConformanceCheck Threads = new(
        "Threads", "threads that call at once leave counts as one after the other would",
        """
        Programs run on all CPUs. Threads call each kfunc with a shared object and release what they got: in the end
        all counts must be as before. A count that is read to decide what to do next shows here.
        """);

    internal static readonly ConformanceCheck Ends = new(
        "Ends", "every call ends",
        """
        A body that waits for what only its caller can do waits for ever. Where nothing has moved for a while
        (HangAfter), that is reported with what was going on, whichever check it was in.
        """);

    internal static readonly IReadOnlyList<ConformanceCheck> All =
    [
        Flags, Acquire, Release, Balanced, RetNull, GoneIsNull, Trusted, Sleeps, Destructor, Memory,
        FailedMovesNothing, Conservation, NoExceptions, Threads, Ends,
    ];
}
