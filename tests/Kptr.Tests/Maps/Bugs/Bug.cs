namespace Kptr.Tests.Maps;

/// <summary>What a <see cref="BuggyMap"/> does wrong.</summary>
public enum Bug
{
    None,

    /// <summary>An element that was taken is not put back when its bucket cannot be locked.</summary>
    LosesElementOnBusy,

    /// <summary>
    /// An element that was pushed out is not put back when the bucket of the new key cannot be locked.
    /// </summary>
    LosesEvictedElement,

    /// <summary>A program that creates a per-CPU element leaves the other CPUs' values as they were.</summary>
    LeavesOtherCpus,

    /// <summary>User space's buffers of per-CPU values are indexed by CPU id.</summary>
    IndexesByCpuId,

    /// <summary>The element size is zero: all indexes lead to the first element.</summary>
    HasNoElementSize,

    /// <summary>Memory of a deleted element is used again while readers stand on it.</summary>
    ReusesUnderReaders,

    /// <summary>What waits for a grace period touches the map after it was freed.</summary>
    CallsBackAfterFree,

    /// <summary>Operations insist on a classic RCU reader.</summary>
    KnowsOneReaderFlavour,

    /// <summary>Destructors run with the map's lock held.</summary>
    DestroysUnderLock,

    /// <summary>The replaced element is the spare already when its fields are freed, one by one.</summary>
    FreesFieldsOfTheSpare,

    /// <summary>Fields are freed before the key is unlinked.</summary>
    UnlinksLast,

    /// <summary>Dropping the last user reference sleeps.</summary>
    SleepsInReleaseUref,

    /// <summary>A copied owner shares its parent's element.</summary>
    SharesOnClone,
}
