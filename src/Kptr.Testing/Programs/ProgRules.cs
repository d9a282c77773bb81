namespace Kptr.Testing.Programs;

/// <summary>The checks of programs, in the order they are reported.</summary>
internal static class ProgRules
{
    internal static readonly ConformanceCheck Loads = new(
        "Loads", "each kernel named makes the maps and accepts the programs",
        """
        A kernel that refuses a program runs none of it. The refusal is the verifier's, with the path to the fault; a
        kernel that is not meant is left out with Profiles.
        """);

    internal static readonly ConformanceCheck NoFaults = new(
        "NoFaults", "what the verifier accepts runs without a fault",
        """
        The verifier vouches for every access and every argument of an accepted program. A fault says that it and the
        run disagree: a kfunc whose body is not what its flags say, or a mistake of Kptr's. Contexts and arguments are
        made at random; calls and maps are made to fail where they may.
        """);

    internal static readonly ConformanceCheck NothingLost = new(
        "NothingLost", "a run gives back, or puts into a map, every reference that it took",
        """
        The verifier counts references by the flags of kfuncs, the ledger by what their bodies do. After each step no
        run that has ended, and no C# code that it called, may have a reference: else a kfunc took one that its flags do
        not speak of, or kept one that its caller gave up.
        """);

    internal static readonly ConformanceCheck ReleasedOnce = new(
        "ReleasedOnce", "nothing is given back twice",
        """
        A reference that is released twice takes away somebody else's, and the object is freed under a holder. The
        counts of all tasks and cgroups are held against the ledger's list of holders after each step, and no count may
        have gone below zero.
        """);

    internal static readonly ConformanceCheck NoExceptions = new(
        "NoExceptions", "events, maps and kfuncs answer with errnos, not with exceptions",
        """
        A program that called a kfunc or a map of the user's has no way to catch an exception, and what was begun stays
        half done.
        """);

    internal static readonly ConformanceCheck AllReturned = new(
        "AllReturned", "when the object is unloaded and everything has exited, every reference is back",
        """
        Maps give back what they hold when they are freed; timers, work and grace periods have run by then. What is
        still held leaks until the machine is booted again.
        """);

    internal static readonly ConformanceCheck SamePolicies = new(
        "SamePolicies", "programs answer the same under every destroy policy",
        """
        Linux 6.12 destroys a value when it is deleted; 7.2 leaves its kptrs in the memory, and the next insert that
        gets the memory finds them. A program that takes a new element for empty works in one and not in the other.
        The same script is played under each policy, and return values, output and what user space sees of the maps are
        compared step by step.
        """);

    internal static readonly IReadOnlyList<ConformanceCheck> All =
        [Loads, NoFaults, NothingLost, ReleasedOnce, NoExceptions, AllReturned, SamePolicies];
}
