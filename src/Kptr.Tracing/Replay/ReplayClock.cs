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
    /// <returns>True when the event is before the time that is reached; no time passes then.</returns>
    internal bool Advance(long ns)
    {
        if (!_hasBegun)
        {
            Begin(ns);
        }
        else if (ns < LastNs)
        {
            return true;
        }

        LastNs = ns;

        // The model's clock counts ticks of 100 ns.
        var by = (ns + _shiftNs - _kernel.NowNs) / NsPerTick;
        if (by > 0)
        {
            _clock.Advance(TimeSpan.FromTicks(by));
        }

        if (ns >= _drainAtNs)
        {
            _drainAtNs = ns + _gracePeriodNs;
            _kernel.Quiesce();
        }

        return false;
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
