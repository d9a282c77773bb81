namespace Kptr.Tracing;

/// <summary>What a trace did not say, or said wrongly, and what the replay made of it.</summary>
public enum TraceIssueKind
{
    /// <summary>The trace itself says that events are missing. Counted by events where it says how many.</summary>
    LostEvents,

    /// <summary>
    /// An event came later than the reorder window allows; it happens at the time that the replay has reached.
    /// </summary>
    OutOfOrder,

    /// <summary>
    /// More time passed before an event than <see cref="TraceReplayOptions.GapMax"/>; timers of the model did not run
    /// in it.
    /// </summary>
    TimeSkipped,

    /// <summary>An event came too late, of a task that is gone meanwhile; it is left out.</summary>
    LateForEnded,

    /// <summary>
    /// A task is met that nobody has forked: it was there before the trace began, or the event was lost. It is made
    /// when it is first met, as a child of the first task.
    /// </summary>
    ForkNeverSeen,

    /// <summary>A task is forked that was met just before, as CPUs' clocks differ. It is the same task.</summary>
    ForkSeenLate,

    /// <summary>
    /// Whether a fork made a process or a thread is not known, for want of <c>task_newtask</c>; it made a process.
    /// </summary>
    ForkKindUnknown,

    /// <summary>
    /// A pid begins anew, is freed, or is switched away from for good, and its task was never seen to exit. It
    /// exits then.
    /// </summary>
    ExitNeverSeen,

    /// <summary>A task exits that has exited before. The second time is left out.</summary>
    ExitTwice,

    /// <summary>
    /// A dead task was never seen to be freed: it is reaped when its pid begins anew, or after
    /// <see cref="TraceReplayOptions.ReapAfter"/>.
    /// </summary>
    FreeNeverSeen,

    /// <summary>A task is freed that was never met: it has exited before the trace began.</summary>
    EndedBeforeTrace,

    /// <summary>
    /// A CPU switches away from another task than it has switched to. CPU time of the stretch is not accounted.
    /// </summary>
    SwitchNeverSeen,

    /// <summary>A task has another name than its last exec gave it, and no event said why. It is renamed.</summary>
    NameChanged,

    /// <summary>An event lacks fields that it needs, or they make no sense. It is left out.</summary>
    BadFields,

    /// <summary>An event says what the model cannot do, such as attach to a v1 cgroup. It is left out.</summary>
    Unsupported,
}
