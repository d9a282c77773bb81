using Kptr.Objects;

namespace Kptr.Tracing.Replay;

/// <summary>Brings the model's clock to the trace's time, and lets grace periods end on the way.</summary>
internal sealed class ReplayClock
{
    private const long NsPerTick = 100;
    private const long ReapAfterDefaultNs = 1_000_000_000;
    private readonly KernelModel _kernel;
    private readonly VirtualClock _clock;
    private readonly TraceReplayOptions _options;
    private readonly long _gracePeriodNs;
    private long _shiftNs;
    private long _drainAtNs;
    private bool _hasBegun;

    internal ReplayClock(KernelModel kernel, TraceReplayOptions options)
    {
        _kernel = kernel;
        _clock = kernel.VirtualClock;
        _options = options;
        _gracePeriodNs = (long)Math.Min(options.GracePeriod.TotalNanoseconds, long.MaxValue / 2);
    }

    internal long FirstNs { get; private set; }

    internal long LastNs { get; private set; }

    /// <summary>Lets time pass until an event.</summary>
    /// <returns>What is to be said of the event's time. No time passes where it is before the time that is
    /// reached.</returns>
    internal TraceIssueKind? Advance(long ns)
    {
        var begins = !_hasBegun;
        if (begins)
        {
            Begin(ns);
        }
        else if (ns < LastNs)
        {
            return TraceIssueKind.OutOfOrder;
        }

        LastNs = ns;

        // The model's clock counts ticks of 100 ns.
        var by = TimeSpan.FromTicks((ns + _shiftNs - _kernel.NowNs) / NsPerTick);
        var skips = by > _options.GapMax;
        if (skips)
        {
            _clock.Skip(by);
        }
        else if (by > TimeSpan.Zero)
        {
            _clock.Advance(by);
        }

        if (ns >= _drainAtNs)
        {
            _drainAtNs = ns + _gracePeriodNs;
            _kernel.Quiesce();
        }

        return skips && !begins ? TraceIssueKind.TimeSkipped : null;
    }

    /// <summary>Dead tasks that died before this are reaped; null where that is left to the trace.</summary>
    internal long? ReapBeforeNs(bool hasFrees) => _options.ReapAfter is { } after
        ? LastNs - (long)Math.Min(after.TotalNanoseconds, long.MaxValue / 2)
        : hasFrees ? null : LastNs - ReapAfterDefaultNs;

    private void Begin(long ns)
    {
        _hasBegun = true;
        FirstNs = ns;
        var now = _kernel.NowNs;
        _shiftNs = _options.KeepsTraceTime && now <= ns ? 0 : now - ns;
        _drainAtNs = ns;
    }
}
