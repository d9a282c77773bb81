using Kptr.Diagnostics;

namespace Kptr.Objects;

/// <summary>A one-shot timer on the kernel's clock; its callback runs in soft interrupt context.</summary>
/// <remarks>
/// The clock may be a user's, so it is called with no lock held: one thread at a time tells it when to call back,
/// and goes on until what it told is what was asked last. A call that comes while something else is being told is
/// out of date and does nothing. What the callback throws is thrown by the next <see cref="KernelCore.Quiesce"/>,
/// as from all deferred work.
/// </remarks>
internal sealed class KernelTimer
{
    // Real clocks take no more than 49 days at once; a timer further off is told again on the way.
    private const long AheadNsMax = 40L * 24 * 3600 * 1_000_000_000;
    private const long EarlyNsMax = 1_000_000_000;
    private readonly KernelCore _core;
    private readonly Action _callback;
    private readonly ITimer _timer;
    private readonly RankedLock _lock = new(LockRank.Timer);
    private bool _isArmed;
    private bool _isFreed;
    private bool _isTelling;
    private long _dueNs;
    private long _asked;
    private long _told;
    private int _runningOn;

    internal KernelTimer(KernelCore core, Action callback)
    {
        _core = core;
        _callback = callback;
        _timer = core.Clock.CreateTimer(
            static t => ((KernelTimer)t!).Fire(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Whether it is going to fire.</summary>
    internal bool IsArmed
    {
        get
        {
            using (_lock.Enter())
            {
                return _isArmed;
            }
        }
    }

    /// <summary>Arms it, again if it was armed.</summary>
    /// <param name="ns">Nanoseconds from now, or since boot where <paramref name="isAbsolute"/>.</param>
    /// <param name="isAbsolute">Which of the two.</param>
    /// <returns><see cref="Errno.EINVAL"/> once it is freed.</returns>
    internal Errno Start(long ns, bool isAbsolute)
    {
        var nowNs = _core.NowNs;
        var dueNs = isAbsolute ? Math.Max(nowNs, ns) : nowNs + Math.Clamp(ns, 0, long.MaxValue - nowNs);
        using (_lock.Enter())
        {
            if (_isFreed)
            {
                return Errno.EINVAL;
            }

            _isArmed = true;
            _dueNs = dueNs;
            _asked++;
        }

        TellClock();
        return Errno.None;
    }

    /// <summary>Disarms it, and waits for a callback that runs on another thread.</summary>
    /// <returns>1 if it was armed, 0 if not, <see cref="Errno.EDEADLK"/> from inside its own callback.</returns>
    internal int Cancel()
    {
        int wasArmed;
        using (_lock.Enter())
        {
            if (_runningOn == Environment.CurrentManagedThreadId)
            {
                return (int)Errno.EDEADLK;
            }

            wasArmed = DisarmLocked();
        }

        TellClock();
        var spin = default(SpinWait);
        while (Volatile.Read(ref _runningOn) != 0)
        {
            spin.SpinOnce();
        }

        return wasArmed;
    }

    /// <summary>
    /// Disarms it for ever, without calling the clock: for callers with locks. <see cref="Free"/> must follow.
    /// </summary>
    internal void Kill()
    {
        using (_lock.Enter())
        {
            _isFreed = true;
            DisarmLocked();
        }
    }

    /// <summary>Disarms it for ever, without waiting. A callback that runs now ends by itself.</summary>
    internal void Free()
    {
        Kill();
        LockOrder.CallingOut("the clock");
        _timer.Dispose();
    }

    private int DisarmLocked()
    {
        var wasArmed = _isArmed ? 1 : 0;
        _isArmed = false;
        _asked++;
        return wasArmed;
    }

    private void TellClock()
    {
        while (TryBeginTelling(out var dueNs))
        {
            LockOrder.CallingOut("the clock");
            try
            {
                _timer.Change(dueNs < 0 ? Timeout.InfiniteTimeSpan : TimeUntil(dueNs), Timeout.InfiniteTimeSpan);
            }
            finally
            {
                using (_lock.Enter())
                {
                    _isTelling = false;
                }
            }
        }
    }

    // False when the clock knows what was asked last, or another thread is telling it and will go on until it does.
    private bool TryBeginTelling(out long dueNs)
    {
        using (_lock.Enter())
        {
            dueNs = _isArmed ? _dueNs : -1;
            if (_isTelling || _told == _asked || _isFreed)
            {
                return false;
            }

            _isTelling = true;
            _told = _asked;
            return true;
        }
    }

    private TimeSpan TimeUntil(long dueNs)
    {
        var ns = Math.Clamp(dueNs - _core.NowNs, 0, AheadNsMax);
        return TimeSpan.FromTicks((ns / 100) + (ns % 100 == 0 ? 0 : 1));
    }

    private void Fire()
    {
        var nowNs = _core.NowNs;
        bool isEarly;
        using (_lock.Enter())
        {
            if (!_isArmed || _isFreed || _told != _asked)
            {
                return;
            }

            isEarly = _dueNs - nowNs > EarlyNsMax;
            _asked += isEarly ? 1 : 0;
            if (!isEarly)
            {
                _isArmed = false;
                Volatile.Write(ref _runningOn, Environment.CurrentManagedThreadId);
            }
        }

        if (isEarly)
        {
            TellClock();
        }
        else
        {
            Call();
        }
    }

    private void Call()
    {
        LockOrder.CallingOut("a timer");
        try
        {
            using var context = _core.EnterContext(ExecContext.SoftIrq);
            _callback();
        }
        catch (Exception e)
        {
            // On a real clock nobody is above us on this thread.
            _core.Deferred.Fail(e);
        }
        finally
        {
            Volatile.Write(ref _runningOn, 0);
        }
    }
}
