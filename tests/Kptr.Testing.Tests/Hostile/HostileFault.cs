namespace Kptr.Testing.Tests.Hostile;

/// <summary>Faults of maps whose authors meant well: each is there for a reason that sounds good.</summary>
public enum HostileFault
{
    None,

    /// <summary>"Under the recycle policy nothing dies": a value is not handed over, and its timer rings.</summary>
    LeavesTimersRunning,

    /// <summary>"Not while somebody walks": updates during a visit are refused.</summary>
    BusyInCallback,

    /// <summary>"Two bytes tell keys apart": the first and the last are compared.</summary>
    ComparesEndsOfKeys,

    /// <summary>"A cursor is faster": a walk goes on from the last step of whoever walked last.</summary>
    SharesItsCursor,

    /// <summary>"No holes": a delete moves the last element into the place that is free, and walks miss it.</summary>
    FillsHoles,

    /// <summary>"One counter more": taken elements stay counted.</summary>
    CountsTaken,

    /// <summary>"Nothing changed": an update with the bytes that are there is no update.</summary>
    SkipsEqualUpdates,

    /// <summary>"Whoever takes has it": memory of taken elements is free at once.</summary>
    TakesUnderReaders,

    /// <summary>"Not in place": an update moves the value, and the old memory is free at once.</summary>
    ReplacesUnderReaders,

    /// <summary>"They asked for all": a visit does not stop where its callback says so.</summary>
    VisitsToTheEnd,

    /// <summary>"Deletes can wait": what a callback deletes goes when the visit is over.</summary>
    DeletesAfterVisit,

    /// <summary>"For reports only": the ledger is told another key.</summary>
    NamesAnotherKey,

    /// <summary>"For reports only": the census counts what was there at its birth.</summary>
    CensusOfBirth,

    /// <summary>"Not in an NMI": an update there is put off, and answers 0.</summary>
    PutsOffInNmi,

    /// <summary>"The caller runs here": values of the CPU that the thread plays, not of the one asked for.</summary>
    UsesCurrentCpu,

    /// <summary>"Clean memory": a new tenant's value is zeroed, with the kptr that rode along.</summary>
    ZeroesAll,

    /// <summary>"Readers are safe": a reader is opened in an update, and left open where that fails.</summary>
    LeavesReaderOpen,

    /// <summary>"Destructors can wait": they run in the work queue, under the map's lock.</summary>
    DestroysLaterUnderLock,

    /// <summary>"Room is room": an element more is taken when the first was just deleted.</summary>
    TakesOneMore,
}
