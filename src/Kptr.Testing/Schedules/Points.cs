using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Kptr.Testing.Schedules;

/// <summary>What rewritten code calls. On a thread that is not scheduled, each does what the code did before.</summary>
internal static class Points
{
    [ThreadStatic]
    private static ScheduledThread? t_self;

    /// <summary>The thread of a scenario that calls; null for any other.</summary>
    internal static ScheduledThread? Self => t_self;

    internal static void Enter(ScheduledThread self) => t_self = self;

    internal static void Leave() => t_self = null;

    internal static bool Fault() => t_self is { } self && self.Scheduler.Fault(self);

    /// <summary>A lock of Kptr's own is taken next, of this rank.</summary>
    internal static void EnterLockOfKptr(int rank)
    {
        if (t_self is { } self)
        {
            self.Scheduler.EnterLockOfKptr(self, rank);
        }
    }

    /// <summary>It was given back.</summary>
    internal static void LeaveLockOfKptr(int rank)
    {
        if (t_self is { } self)
        {
            self.LocksOfKptr--;
        }
    }

    /// <summary>What is made once for each thread stands for what Linux has for each CPU, and never makes.</summary>
    internal static void InterruptsOff()
    {
        if (t_self is { } self)
        {
            self.HeldOffCount++;
        }
    }

    internal static void InterruptsOn()
    {
        if (t_self is { } self)
        {
            self.HeldOffCount--;
        }
    }

    // Any load or store whose address is at hand.
    internal static void Access(ref byte at, int site)
    {
        if (t_self is { } self)
        {
            self.Scheduler.Access(self, Memory.AddressOf(ref at), null, site);
        }
    }

    /// <summary>A store of one value whose address is at hand.</summary>
    internal static void Store<T>(ref T at, int site)
    {
        if (t_self is { } self)
        {
            Store(self, null, ref at, site);
        }
    }

    // Of an object's field the object is known; else it may be native memory, or the thread's own stack.
    private static void Store<T>(ScheduledThread self, object? holder, ref T at, int site)
    {
        ref var first = ref Unsafe.As<T, byte>(ref at);
        var (address, bytes) = (Memory.AddressOf(ref first), Unsafe.SizeOf<T>());
        var canHold = holder is not null || (self.Scheduler.MayTakeIn(self) && NativeBlocks.Contains(address, bytes));
        if (self.Scheduler.Access(
            self, address, null, site, canHold, bytes, !RuntimeHelpers.IsReferenceOrContainsReferences<T>()))
        {
            self.Held.Add(new HeldStore<T>(
                holder, holder is null ? address : Unsafe.ByteOffset(ref Memory.StartOf(holder), ref first))
            {
                Address = address, SizeBytes = bytes, Site = site,
            });
        }
    }

    internal static void Overwrite<T>(ref Span<T> span, int site) => CopiedTo(span, site);

    internal static void Copy<T>(ref Span<T> span, int site) => CopiedTo(span, site);

    internal static void CopyReadOnly<T>(ref ReadOnlySpan<T> span, int site) => CopiedTo(
        MemoryMarshal.CreateSpan(ref MemoryMarshal.GetReference(span), span.Length), site);

    /// <summary>A span is read or written: every word of it counts, up to some; a turn comes at the first.</summary>
    internal static void CopiedTo<T>(Span<T> span, int site)
    {
        if (t_self is { } self && !span.IsEmpty)
        {
            var address = Memory.AddressOf(ref Unsafe.As<T, byte>(ref MemoryMarshal.GetReference(span)));
            var bytes = (int)Math.Min((long)span.Length * Unsafe.SizeOf<T>(), int.MaxValue);
            AccessRange(self, address, bytes, site, !RuntimeHelpers.IsReferenceOrContainsReferences<T>());
        }
    }

    /// <summary>Bytes without references are written.</summary>
    internal static void WriteBlock(ref byte at, uint bytes, int site)
    {
        if (t_self is { } self && bytes > 0)
        {
            AccessRange(self, Memory.AddressOf(ref at), (int)Math.Min(bytes, int.MaxValue), site, isPlain: true);
        }
    }

    private static void AccessRange(ScheduledThread self, nint address, int bytes, int site, bool isPlain)
    {
        var canHold = bytes <= Scheduler.RangeBytesMax && self.Scheduler.Sites[site].IsWrite
            && self.Scheduler.MayTakeIn(self) && NativeBlocks.Contains(address, bytes);
        if (self.Scheduler.Access(self, address, null, site, canHold, bytes, isPlain))
        {
            self.Held.Add(new HeldBytes(address, bytes) { Address = address, SizeBytes = bytes, Site = site });
        }
    }

    internal static void AccessObject(object? at, int site)
    {
        if (t_self is { } self && at is not null)
        {
            self.Scheduler.Access(self, 0, at, site);
        }
    }

    internal static void StoreField<T>(object? holder, ref T at, int site)
    {
        if (t_self is { } self)
        {
            Store(self, holder, ref at, site);
        }
    }

    internal static void StoreVolatile<T>(ref T at, int site)
    {
        if (t_self is { } self)
        {
            var (holder, offset) = self.Noted;
            ref var first = ref Unsafe.As<T, byte>(ref at);
            var isKnown = holder is not null
                && Unsafe.AreSame(ref first, ref Unsafe.AddByteOffset(ref Memory.StartOf(holder), offset));
            Store(self, isKnown ? holder : null, ref at, site);
        }
    }

    /// <summary>The address of a field is taken: remembers whose it is.</summary>
    internal static void Note(object? holder, ref byte at)
    {
        if (t_self is { } self && holder is not null)
        {
            self.Noted = (holder, Unsafe.ByteOffset(ref Memory.StartOf(holder), ref at));
        }
    }

    internal static void Fence()
    {
        if (t_self is { } self)
        {
            self.Scheduler.Flush(self);
        }
    }

    internal static void FenceAll()
    {
        if (t_self is { } self)
        {
            self.Scheduler.FlushAll();
        }
    }

    internal static void LockEnter(object gate, int site)
    {
        if (t_self is { } self)
        {
            self.Scheduler.LockEnter(self, gate, site);
        }
    }

    internal static void LockEnterScope(object gate, int site)
    {
        if (t_self is { } self)
        {
            self.Scheduler.LockEnter(self, gate, site);
            self.Scopes.Push(gate);
        }
    }

    internal static void LockExit(object gate, int site)
    {
        if (t_self is { } self)
        {
            self.Scheduler.LockExit(self, gate, site);
        }
    }

    internal static void ScopeExit(int site)
    {
        if (t_self is { } self && self.Scopes.TryPop(out var gate))
        {
            self.Scheduler.LockExit(self, gate, site);
        }
    }

    internal static bool MonitorTryEnter(object gate, int site) => t_self is not { } self
        ? Monitor.TryEnter(gate)
        : self.Scheduler.TryLockEnter(self, gate, site) && Monitor.TryEnter(gate);

    internal static bool MonitorTryEnterFor(object gate, int milliseconds, int site) => t_self is null
        ? Monitor.TryEnter(gate, milliseconds) : MonitorTryEnter(gate, site);

    internal static void MonitorTryEnterTo(object gate, ref bool taken, int site) =>
        taken = MonitorTryEnter(gate, site);

    internal static bool LockTryEnter(Lock gate, int site)
    {
        object name = Unsafe.As<Lock, object>(ref gate);
        return t_self is not { } self
            ? gate.TryEnter()
            : self.Scheduler.TryLockEnter(self, name, site) && gate.TryEnter();
    }

    internal static bool MonitorWait(object gate, int site) => MonitorWaitFor(gate, Timeout.Infinite, site);

    internal static bool MonitorWaitFor(object gate, int milliseconds, int site) => t_self is not { } self
        ? Monitor.Wait(gate, milliseconds)
        : self.Scheduler.MonitorWait(self, gate, milliseconds != Timeout.Infinite, site);

    internal static void MonitorPulse(object gate, int site)
    {
        if (t_self is { } self)
        {
            self.Scheduler.Pulse(self, gate, all: false, site);
        }
        else
        {
            Monitor.Pulse(gate);
        }
    }

    internal static void MonitorPulseAll(object gate, int site)
    {
        if (t_self is { } self)
        {
            self.Scheduler.Pulse(self, gate, all: true, site);
        }
        else
        {
            Monitor.PulseAll(gate);
        }
    }

    internal static void SpinOnce(ref SpinWait spin, int site)
    {
        if (t_self is { } self)
        {
            self.Scheduler.Spin(self, site);
        }
        else
        {
            spin.SpinOnce();
        }
    }

    internal static void SpinOnceSleeping(ref SpinWait spin, int sleep1Threshold, int site)
    {
        if (t_self is { } self)
        {
            self.Scheduler.Spin(self, site);
        }
        else
        {
            spin.SpinOnce(sleep1Threshold);
        }
    }

    internal static void SpinUntil(Func<bool> condition, int site)
    {
        if (t_self is not { } self)
        {
            SpinWait.SpinUntil(condition);
            return;
        }

        while (!condition())
        {
            self.Scheduler.Spin(self, site);
        }
    }

    internal static bool Yield(int site)
    {
        if (t_self is { } self)
        {
            self.Scheduler.Spin(self, site);
            return true;
        }

        return Thread.Yield();
    }

    internal static void Sleep(int milliseconds, int site)
    {
        if (t_self is { } self)
        {
            self.Scheduler.Spin(self, site);
        }
        else
        {
            Thread.Sleep(milliseconds);
        }
    }

    internal static void SpinWaitFor(int iterations, int site)
    {
        if (t_self is { } self)
        {
            self.Scheduler.Spin(self, site);
        }
        else
        {
            Thread.SpinWait(iterations);
        }
    }

    internal static void EventWait(ManualResetEventSlim waited, int site)
    {
        if (t_self is not { } self)
        {
            waited.Wait();
            return;
        }

        self.Scheduler.Access(self, 0, waited, site);
        while (!waited.IsSet)
        {
            self.Scheduler.Spin(self, site);
        }
    }

    internal static bool EventWaitFor(ManualResetEventSlim waited, TimeSpan time, int site)
    {
        if (t_self is not { } self)
        {
            return waited.Wait(time);
        }

        self.Scheduler.Access(self, 0, waited, site);
        self.Scheduler.Spin(self, site);
        return waited.IsSet;
    }

    internal static void SemaphoreWait(SemaphoreSlim waited, int site)
    {
        if (t_self is not { } self)
        {
            waited.Wait();
            return;
        }

        self.Scheduler.Access(self, 0, waited, site);
        while (!waited.Wait(0))
        {
            self.Scheduler.Spin(self, site);
        }
    }

    internal static bool HandleWait(WaitHandle waited, int site) =>
        t_self is null ? waited.WaitOne() : Until(waited, static w => w.WaitOne(0), site);

    internal static void ThreadJoin(Thread waited, int site)
    {
        if (t_self is null)
        {
            waited.Join();
        }
        else
        {
            _ = Until(waited, static t => t_self!.Scheduler.IsDone(t), site);
        }
    }

    internal static void TaskWait(Task waited, int site)
    {
        if (t_self is not null)
        {
            _ = Until(waited, static t => t.IsCompleted, site);
        }

        waited.Wait();
    }

    internal static void ThreadStart(Thread thread, int site)
    {
        if (t_self is { } self && self.Scheduler.TryTakeBody(thread, out var body))
        {
            self.Scheduler.Spawn(self, body, thread, site);
        }
        else
        {
            thread.Start();
        }
    }

    /// <summary>A thread is made. Made by a scenario's thread it never starts: a scheduled one runs its body.</summary>
    internal static Thread NewThread(ThreadStart body)
    {
        var thread = new Thread(body);
        if (t_self is { } self)
        {
            self.Scheduler.Keep(thread, body);
        }

        return thread;
    }

    internal static Task TaskRun(Action body, int site)
    {
        if (t_self is not { } self)
        {
            return Task.Run(body);
        }

        var task = new Task(body);
        self.Scheduler.Spawn(self, () => task.RunSynchronously(TaskScheduler.Default), task, site);
        return task;
    }

    internal static bool QueueWork<T>(Action<T> body, T state, bool preferLocal, int site)
    {
        if (t_self is not { } self)
        {
            return ThreadPool.UnsafeQueueUserWorkItem(body, state, preferLocal);
        }

        self.Scheduler.Spawn(self, () => body(state), body, site);
        return true;
    }

    private static bool Until<T>(T waited, Func<T, bool> isOver, int site)
        where T : class
    {
        if (t_self is { } self)
        {
            self.Scheduler.Access(self, 0, waited, site);
            while (!isOver(waited))
            {
                self.Scheduler.Spin(self, site);
            }
        }

        return true;
    }
}
