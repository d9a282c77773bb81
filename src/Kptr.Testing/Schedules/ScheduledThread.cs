namespace Kptr.Testing.Schedules;

/// <summary>What a thread of the scenario may do next.</summary>
internal enum ThreadState : byte
{
    Ready,
    Blocked,
    Spinning,
    Done,
}

/// <summary>
/// A thread of the scenario: a real thread that runs only while it has the baton. The first is the one that explores:
/// one hand-over less at the start, at the end, and for each set-up.
/// </summary>
internal sealed class ScheduledThread
{
    internal const int ThreadsMax = 16;
    private readonly Baton _turn = new();
    private Thread? _worker;

    internal ScheduledThread(Scheduler scheduler, int id)
    {
        Scheduler = scheduler;
        Id = id;
    }

    internal int Id { get; }

    internal Scheduler Scheduler { get; }

    internal Action? Body { get; set; }

    internal ThreadState State { get; set; }

    /// <summary>What it waits for while blocked.</summary>
    internal object? WaitsFor { get; set; }

    /// <summary>A pulse reached it.</summary>
    internal bool IsPulsed { get; set; }

    /// <summary>Its wait has an end.</summary>
    internal bool IsTimed { get; set; }

    /// <summary>Passes through sites so far; the first is 1.</summary>
    internal int Step { get; set; }

    /// <summary>The site it passed last.</summary>
    internal int LastSite { get; set; }

    /// <summary>
    /// Where it was going to access memory when it gave way, as long as nobody did anything there that its access could
    /// tell; null for nowhere.
    /// </summary>
    internal object? AsleepBefore { get; set; }

    /// <summary>The site of that access.</summary>
    internal int AsleepAt { get; set; }

    /// <summary>Threads that run before it, where they can: a bit each.</summary>
    internal int RunsAfter { get; set; }

    /// <summary>Threads that ran since it spun last; all where it never did.</summary>
    internal int RanSinceSpin { get; set; }

    internal bool IsInInterrupt { get; set; }

    /// <summary>How many locks of Kptr's own it holds or waits for.</summary>
    internal int LocksOfKptr { get; set; }

    /// <summary>The rank of the first of them.</summary>
    internal int RankOfKptr { get; set; }

    /// <summary>How often interrupts were turned off.</summary>
    internal int HeldOffCount { get; set; }

    /// <summary>
    /// Whether an interrupt can come in here: not on top of another, and not under a lock of Kptr's own. Linux has its
    /// interrupts off there, or takes no lock at all.
    /// </summary>
    internal bool IsInterruptible => !IsInInterrupt && LocksOfKptr == 0 && HeldOffCount == 0;

    internal bool IsUnwinding { get; set; }

    /// <summary>Hash of its last event and all that came before it.</summary>
    internal ulong LastHash { get; set; }

    internal int[] Clock { get; } = new int[ThreadsMax];

    /// <summary>Stores that others do not see yet, oldest first.</summary>
    internal List<HeldStore> Held { get; } = [];

    /// <summary>Whether a store to some of these words waits in the buffer.</summary>
    internal bool Holds(nint address, int bytes)
    {
        foreach (var held in Held)
        {
            if (address < Align(held.Address + held.SizeBytes + Scheduler.WordBytes - 1)
                && Align(held.Address) < address + bytes)
            {
                return true;
            }
        }

        return false;

        static nint Align(nint at) => at & ~(Scheduler.WordBytes - 1);
    }

    internal Stack<object> Scopes { get; } = [];

    internal (object? Holder, nint Offset) Noted { get; set; }

    internal void Reset(Action body)
    {
        Body = body;
        State = ThreadState.Ready;
        WaitsFor = AsleepBefore = null;
        IsPulsed = IsInInterrupt = IsUnwinding = false;
        Step = LocksOfKptr = HeldOffCount = 0;
        LastSite = RanSinceSpin = -1;
        RunsAfter = 0;
        LastHash = (ulong)(Id + 1) * 0x9E3779B97F4A7C15;
        Array.Clear(Clock);
        Held.Clear();
        Scopes.Clear();
        Noted = default;
        if (_worker is null && Id > 0)
        {
            _worker = new(Work) { IsBackground = true, Name = $"scenario thread {Id}" };
            _worker.Start();
        }
    }

    internal void Resume() => _turn.Give();

    internal void AwaitTurn() => _turn.Take();

    /// <summary>Runs the body to its end, on the calling thread.</summary>
    internal void RunBody()
    {
        Points.Enter(this);
        Exception? thrown = null;
        try
        {
            if (!Scheduler.IsAborting)
            {
                Body!();
                Scheduler.LastMoment(this);
                Scheduler.Flush(this);
            }
        }
        catch (Exception e)
        {
            thrown = e;
        }

        Points.Leave();
        Scheduler.Ended(this, thrown);
    }

    private void Work()
    {
        while (true)
        {
            _turn.Take();
            if (Body is null)
            {
                return;
            }

            RunBody();
        }
    }

    /// <summary>Ends the real thread, which must wait for its turn.</summary>
    internal void Dismiss()
    {
        Body = null;
        if (_worker is not null)
        {
            _turn.Give();
            _worker.Join();
        }
    }
}

/// <summary>Unwinds a thread whose schedule is over.</summary>
internal sealed class ScheduleEndedException : Exception;
