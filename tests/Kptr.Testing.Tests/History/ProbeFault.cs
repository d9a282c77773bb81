namespace Kptr.Testing.Tests.History;

/// <summary>Mistakes that tables with open addressing are made with, planted in <see cref="ProbeMap"/>.</summary>
public enum ProbeFault
{
    None,
    ProbeEndsAtTombstone,
    TombstoneTakenTooSoon,
    TombstonesNeverReused,
    NoWrapAround,
    TableFullNotSeen,
    ShiftForgetsWrap,
    ValuesMoveOnGrow,
    CellReadTwice,
    MissCached,
    ResizedUnderLookup,
    OverwriteIsDeleteThenInsert,
    EndsAnotherSlot,
    CountsTombstones,
    WalkEndsAtTombstone,
}
