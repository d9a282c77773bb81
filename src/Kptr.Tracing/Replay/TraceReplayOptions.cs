namespace Kptr.Tracing;

/// <summary>How a trace drives a model.</summary>
public sealed record TraceReplayOptions
{
    /// <summary>
    /// How many events are held back to bring those of different CPUs into the order of their time; 0 takes them as
    /// they come.
    /// </summary>
    public int ReorderWindow { get; init; } = 1024;

    /// <summary>
    /// How much time of the trace passes between two drains of deferred work
    /// (<see cref="Objects.KernelCore.Quiesce"/>), which end all grace periods.
    /// </summary>
    public TimeSpan GracePeriod { get; init; } = TimeSpan.FromMilliseconds(10);

    /// <summary>
    /// How much time may pass before an event in which the model's timers run, each for all its periods. More, as
    /// before a trace begins or where a timestamp is broken, is skipped: timers are due later by as much. Between two
    /// events that is reported (<see cref="TraceIssueKind.TimeSkipped"/>).
    /// </summary>
    public TimeSpan GapMax { get; init; } = TimeSpan.FromHours(1);

    /// <summary>
    /// Whether the model's clock is first brought to the trace's first timestamp, so that programs read the trace's own
    /// times. If not, the clock starts where it is. It is not where the clock is past that already.
    /// </summary>
    public bool KeepsTraceTime { get; init; } = true;

    /// <summary>
    /// How long after its exit a task is reaped of which no <c>sched_process_free</c> was seen. Null: a second in
    /// traces without that event; in others, not before its pid begins anew.
    /// </summary>
    public TimeSpan? ReapAfter { get; init; }

    /// <summary>
    /// Whether every event is raised as a record of bytes too, for programs attached to <c>tp/SYSTEM/EVENT</c>. Needs
    /// the events' formats: those of a <c>trace.dat</c> read with <see cref="TraceReaderOptions.KeepsRecords"/>, or
    /// <see cref="Formats"/>.
    /// </summary>
    public bool RaisesRecords { get; init; }

    /// <summary>
    /// How events of text traces are laid out as records. Where <see cref="RaisesRecords"/>, the constructor of
    /// <see cref="TraceReplay"/> declares each as a hook, so that programs can be attached to events that the model's
    /// kernel does not have.
    /// </summary>
    public IReadOnlyCollection<TraceEventFormat> Formats
    {
        get;
        init => field = value ?? throw new ArgumentNullException(nameof(Formats));
    } = [];

    /// <summary>The reordering, the drains, and what is raised besides.</summary>
    public override string ToString() =>
        $"{ReorderWindow} events held back, deferred work every {GracePeriod.TotalMilliseconds:0.###} ms"
        + (RaisesRecords ? $", records of {Formats.Count} formats and the trace's own" : "");
}
