namespace Kptr.Testing.Tests;

/// <summary>Faults that are planted in <see cref="NaiveMap"/>, each a mistake that a map was made with.</summary>
public enum Fault
{
    None,
    NoDestroyOnOverwrite,
    NoDestroyOnDelete,
    NoDestroyAtMapFree,
    NeverFreed,
    DestroyedTwice,
    SlotReturnedTwice,
    PoolSlotReturnedTwice,
    SlotLost,
    StaleKey,
    FreedUnderReader,
    FreedUnderSleepingReader,
    CountRaced,
    FlagTestedOutsideLock,
    LateWrite,
    WrongErrno,
    UnknownFlagsTaken,
    ShowsSpecials,
    WritesSpecials,
    EntryLostOnFull,
    WrittenBeforeRefused,
    WalkSkipsAKey,
    HalfWritten,
    EntryLostOnFlip,
    ThrowsWhenFull,
    LockOrderTurned,
    DestroyedUnderLock,
    WakeLost,
}
