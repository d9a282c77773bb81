using Kptr.Diagnostics;

namespace Kptr.Objects;

/// <summary>A one-shot timer on the kernel's clock; its callback runs in soft interrupt context.</summary>
internal sealed class KernelTimer
{
    private readonly KernelCore _core;
    private readonly Action _callback;
    private readonly ITimer _timer;
    private readonly RankedLock _lock = new(LockRank.Timer);
    private bool _isArmed;
    private bool _isFreed;
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
        using (_lock.Enter())
        {
            if (_isFreed)
            {
                return Errno.EINVAL;
            }

            var dueNs = Math.Max(0, isAbsolute ? ns - _core.NowNs : ns);
            _isArmed = true;
            _timer.Change(TimeSpan.FromTicks((dueNs / 100) + (dueNs % 100 == 0 ? 0 : 1)), Timeout.InfiniteTimeSpan);
            return Errno.None;
        }
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

        var spin = default(SpinWait);
        while (Volatile.Read(ref _runningOn) != 0)
        {
            spin.SpinOnce();
        }

        return wasArmed;
    }

    /// <summary>Disarms it for ever, without waiting. A callback that runs now ends by itself.</summary>
    internal void Free()
    {
        using (_lock.Enter())
        {
            _isFreed = true;
            DisarmLocked();
        }

        _timer.Dispose();
    }

    private int DisarmLocked()
    {
        var wasArmed = _isArmed ? 1 : 0;
        _isArmed = false;
        _timer.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        return wasArmed;
    }

    private void Fire()
    {
        using (_lock.Enter())
        {
            if (!_isArmed || _isFreed)
            {
                return;
            }

            _isArmed = false;
            Volatile.Write(ref _runningOn, Environment.CurrentManagedThreadId);
        }

        try
        {
            using var context = _core.EnterContext(ExecContext.SoftIrq);
            _callback();
        }
        finally
        {
            Volatile.Write(ref _runningOn, 0);
        }
    }
}
