namespace Kptr.Testing.Tests.History;

/// <summary>
/// Mistakes that Linux's map types were made with, planted in <see cref="ChainMap"/>; README.md says where each was.
/// </summary>
public enum OldBug
{
    None,

    // Hashes.
    ReplaceForgetsOld,
    SpareIsRoom,
    ReplaceNeedsRoom,
    CountLostOnFailure,
    CountRaisedOnReplace,
    CountKeptOnDelete,
    FlagsIgnored,
    WalkSkipsFromMissing,
    WalkNeverEnds,
    VisitEndsAtEmptyBucket,
    VisitMiscounts,
    VisitFollowsDeleted,
    OldGoneBeforeNew,
    TakeReadsTooLate,
    TakeForgetsFields,
    DestroysUnderLock,
    KeyMissingWhileReplaced,
    LinkedBeforeWritten,
    CopiedWithoutLock,
    LookedUpOutsideLock,
    HeadReadOutsideLock,
    DeleteFoundOutsideLock,
    UnlinkBreaksChain,
    GrowLosesTail,
    KeyComparedInPart,
    HashComparedOnly,
    LockedUpdateForgets,
    LockedUpdateIgnoresFlags,

    // LRU hashes.
    EvictForgets,
    NodeLostOnRefusal,
    EvictsTheNewKey,
    EvictedStaysLinked,
    DeletedStaysInOrder,

    // A value per CPU.
    PercpuOverwriteForgets,
    PercpuOverwriteEndsOne,
    PercpuNewShowsOthers,
    PercpuIndexedById,
    PercpuReadsOne,
    PercpuProgramWritesAll,
    PercpuDeleteEndsOne,
    PercpuTakeForgetsOthers,
}
