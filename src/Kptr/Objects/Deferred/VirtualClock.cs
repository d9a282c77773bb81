using Kptr.Diagnostics;

namespace Kptr.Objects;

/// <summary>A clock that stands still until somebody advances it.</summary>
/// <remarks>Timers fire on the advancing thread, in the order they are due, each at its own time.</remarks>
public sealed class VirtualClock : TimeProvider
{
    private readonly RankedLock _lock = new(LockRank.Clock);
    private readonly SortedSet<VirtualTimer> _timers = new(Comparer<VirtualTimer>.Create(
        static (a, b) => (a.DueTicks, a.Id).CompareTo((b.DueTicks, b.Id))));

    private readonly DateTimeOffset _start;
    private long _ticks;
    private long _lastTimerId;

    /// <summary>A clock that begins at midnight, 1 January 2025, UTC.</summary>
    public VirtualClock()
        : this(new DateTimeOffset(2025, 1, 1, 0, 0, 0, TimeSpan.Zero))
    {
    }

    /// <summary>A clock that begins at a given time.</summary>
    public VirtualClock(DateTimeOffset start)
    {
        _start = start;
    }

    /// <inheritdoc/>
    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    /// <inheritdoc/>
    public override DateTimeOffset GetUtcNow() => _start + TimeSpan.FromTicks(GetTimestamp());

    /// <inheritdoc/>
    public override long GetTimestamp() => Interlocked.Read(ref _ticks);

    /// <summary>Lets time pass, and runs every timer that becomes due on the way.</summary>
    /// <remarks>A timer with a period runs once for each: much time takes long.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">Less than nothing, or beyond the last of all times.</exception>
    public void Advance(TimeSpan by)
    {
        CheckIsLeft(by);
        var end = GetTimestamp() + by.Ticks;
        while (TakeDue(end) is { } timer)
        {
            timer.Fire();
        }

        using (_lock.Enter())
        {
            _ticks = Math.Max(_ticks, end);
        }
    }

    /// <summary>
    /// Lets time pass in which nothing runs, as while a machine sleeps: timers are due later by as much.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">Less than nothing, or beyond the last of all times.</exception>
    public void Skip(TimeSpan by)
    {
        CheckIsLeft(by);
        using (_lock.Enter())
        {
            _ticks += by.Ticks;

            // Their order stays.
            foreach (var timer in _timers)
            {
                timer.DueTicks = Later(timer.DueTicks, by.Ticks);
            }
        }
    }

    private void CheckIsLeft(TimeSpan by)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(by, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(by, DateTimeOffset.MaxValue - GetUtcNow());
    }

    /// <summary>The time.</summary>
    public override string ToString() => $"virtual clock at {GetUtcNow():O}";

    /// <inheritdoc/>
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        ArgumentNullException.ThrowIfNull(callback);
        var timer = new VirtualTimer(this, Interlocked.Increment(ref _lastTimerId), () => callback(state));
        timer.Change(dueTime, period);
        return timer;
    }

    private VirtualTimer? TakeDue(long end)
    {
        using (_lock.Enter())
        {
            if (_timers.Min is not { } timer || timer.DueTicks > end)
            {
                return null;
            }

            _timers.Remove(timer);
            _ticks = Math.Max(_ticks, timer.DueTicks);
            if (timer.PeriodTicks > 0)
            {
                timer.DueTicks = Later(timer.DueTicks, timer.PeriodTicks);
                _timers.Add(timer);
            }

            return timer;
        }
    }

    // A timer may be asked for in more time than there is: then it is never due.
    private static long Later(long ticks, long by) => by > long.MaxValue - ticks ? long.MaxValue : ticks + by;

    private sealed class VirtualTimer(VirtualClock clock, long id, Action fire) : ITimer
    {
        internal long Id { get; } = id;

        internal long DueTicks { get; set; }

        internal long PeriodTicks { get; private set; }

        internal void Fire() => fire();

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            using (clock._lock.Enter())
            {
                clock._timers.Remove(this);
                PeriodTicks = period > TimeSpan.Zero ? period.Ticks : 0;
                if (dueTime >= TimeSpan.Zero)
                {
                    DueTicks = Later(clock._ticks, dueTime.Ticks);
                    clock._timers.Add(this);
                }

                return true;
            }
        }

        public void Dispose() => Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
