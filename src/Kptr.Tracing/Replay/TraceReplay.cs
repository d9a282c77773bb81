using Kptr.Objects;
using Kptr.Tracing.Replay;

namespace Kptr.Tracing;

/// <summary>Lets a trace happen in a model: its tasks, switches, CPU time and cgroups, on its clock.</summary>
/// <remarks>
/// <para>
/// Programs attached to the model run as if they had been attached while the trace was recorded, on the thread that
/// replays; <see cref="KernelCore.CurrentCpu"/> and the current task are those of the event. A task is in the model
/// once, from the trace's first word about it to its last; what the trace does not say, or says wrongly, is repaired
/// and counted (<see cref="TraceIssueKind"/>).
/// </para>
/// <para>Not safe for several threads; the model stays safe for others meanwhile.</para>
/// </remarks>
public sealed class TraceReplay
{
    private readonly KernelModel _kernel;
    private readonly TraceReplayOptions _options;
    private readonly PriorityQueue<TraceEvent, (long Ns, long Order)> _waiting = new();
    private readonly IssueLog _issues = new();
    private readonly ReplayEvents _events;
    private readonly ReplayClock _clock;
    private readonly ReplayRecords _records;
    private long _order;
    private bool _isFinished;

    /// <summary>Prepares a replay. Nothing happens yet.</summary>
    /// <param name="kernel">The model, on a virtual clock. It may have tasks; those of the trace's pids are the
    /// trace's.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <exception cref="InvalidOperationException">The model runs on a clock of the user's own.</exception>
    public TraceReplay(KernelModel kernel, TraceReplayOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        _kernel = kernel;
        _options = options ?? new();
        ArgumentOutOfRangeException.ThrowIfNegative(_options.ReorderWindow, "options.ReorderWindow");
        ArgumentOutOfRangeException.ThrowIfLessThan(_options.GracePeriod, TimeSpan.Zero, "options.GracePeriod");
        ArgumentOutOfRangeException.ThrowIfLessThan(_options.GapMax, TimeSpan.Zero, "options.GapMax");
        _clock = new(kernel, _options);
        _records = new(kernel, _options);
        _events = new(kernel, _issues, _records);
    }

    /// <summary>How it stands; a copy.</summary>
    public TraceReplayReport Report => new()
    {
        Applied = _events.Applied,
        LeftOut = _events.LeftOut,
        Unknown = _events.Unknown.ToDictionary(),
        RecordsRaised = _records.Raised,
        FirstNs = _clock.FirstNs,
        LastNs = _clock.LastNs,
        TasksAlive = _events.Tasks.AliveCount,
        Issues = _issues.Snapshot(),
    };

    /// <summary>Replays a whole trace, and finishes.</summary>
    /// <param name="events">The trace: a <see cref="TraceReader"/>, or events from anywhere.</param>
    /// <param name="cancellation">Asked before each event.</param>
    /// <returns>What it did, and what the trace left open.</returns>
    /// <exception cref="TraceFormatException">The trace is not what its format says.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled. What has happened stays.</exception>
    public TraceReplayReport Run(IEnumerable<TraceEvent> events, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(events);
        foreach (var next in events)
        {
            cancellation.ThrowIfCancellationRequested();
            Apply(next);
        }

        return Finish();
    }

    /// <summary>Takes the next event. It happens once as many others have come as the reorder window holds.</summary>
    /// <exception cref="InvalidOperationException">The replay is finished.</exception>
    public void Apply(TraceEvent next)
    {
        ArgumentNullException.ThrowIfNull(next);
        if (_isFinished)
        {
            throw new InvalidOperationException("the replay is finished");
        }

        if (_options.ReorderWindow == 0)
        {
            Happen(next);
            return;
        }

        _waiting.Enqueue(next, (next.TimestampNs, _order++));
        if (_waiting.Count > _options.ReorderWindow)
        {
            Happen(_waiting.Dequeue());
        }
    }

    /// <summary>Lets everything held back happen, accounts what still runs, and drains deferred work.</summary>
    /// <returns>What it did, and what the trace left open.</returns>
    public TraceReplayReport Finish()
    {
        if (!_isFinished)
        {
            while (_waiting.TryDequeue(out var next, out _))
            {
                Happen(next);
            }

            _isFinished = true;
            _events.End(_clock.LastNs);
            _kernel.Quiesce();
        }

        return Report;
    }

    /// <summary>How it stands.</summary>
    public override string ToString() =>
        $"replay: {_events.Applied} events, {_events.LeftOut} left out{(_isFinished ? ", finished" : "")}";

    private void Happen(TraceEvent next)
    {
        if (next.TimestampNs < 0)
        {
            _issues.Add(TraceIssueKind.BadFields, next, "has a time before the clock's start");
            _events.LeaveOut();
            return;
        }

        var before = _clock.LastNs;
        var issue = _clock.Advance(next.TimestampNs);
        if (issue is { } kind)
        {
            var by = Math.Abs(next.TimestampNs - before);
            var gap = TimeSpan.FromTicks(by / TimeSpan.NanosecondsPerTick);
            _issues.Add(kind, next, kind == TraceIssueKind.OutOfOrder
                ? $"comes {by} ns late" : $"comes {gap} after the one before; timers wait as long");
        }

        if (_clock.ReapBeforeNs(_events.Tasks.HasFrees) is { } reapBefore)
        {
            _events.Tasks.ReapBefore(reapBefore, next);
        }

        _events.Happen(next, isLate: issue == TraceIssueKind.OutOfOrder);
    }
}
