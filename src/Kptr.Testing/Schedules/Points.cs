using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Kptr.Testing.Schedules;

/// <summary>What rewritten code calls. On a thread that is not scheduled, each does what the code did before.</summary>
internal static class Points
{
    [ThreadStatic]
    private static ScheduledThread? t_self;
    [ThreadStatic]
    private static Scheduler? t_scheduler;

    /// <summary>The thread of a scenario that calls; null for any other.</summary>
    internal static ScheduledThread? Self => t_self;

    internal static void Enter(ScheduledThread self, Scheduler scheduler) => (t_self, t_scheduler) = (self, scheduler);

    internal static bool Fault() => t_self is { } self && t_scheduler!.Fault(self);

    // Any load or store whose address is at hand.
    internal static void Access(ref byte at, int site)
    {
        if (t_self is { } self)
        {
            t_scheduler!.Access(self, Memory.AddressOf(ref at), null, site);
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
            ref var first = ref Unsafe.As<T, byte>(ref MemoryMarshal.GetReference(span));
            t_scheduler!.AccessRange(
                self, Memory.AddressOf(ref first), (long)span.Length * Unsafe.SizeOf<T>(), site);
        }
    }

    internal static void AccessObject(object? at, int site)
    {
        if (t_self is { } self && at is not null)
        {
            t_scheduler!.Access(self, 0, at, site);
        }
    }

    internal static void StoreField<T>(object? holder, ref T at, int site)
    {
        if (t_self is { } self)
        {
            ref var first = ref Unsafe.As<T, byte>(ref at);
            if (t_scheduler!.Access(self, Memory.AddressOf(ref first), null, site, canHold: holder is not null))
            {
                self.Held.Add(new HeldStore<T>(holder, Unsafe.ByteOffset(ref Memory.StartOf(holder!), ref first))
                {
                    Address = Memory.AddressOf(ref first), Site = site,
                });
            }
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
            if (t_scheduler!.Access(self, Memory.AddressOf(ref first), null, site, isKnown))
            {
                self.Held.Add(new HeldStore<T>(holder, offset)
                {
                    Address = Memory.AddressOf(ref first), Site = site,
                });
            }
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
            t_scheduler!.Flush(self);
        }
    }

    internal static void FenceAll()
    {
        if (t_self is not null)
        {
            t_scheduler!.FlushAll();
        }
    }

    internal static void LockEnter(object gate, int site)
    {
        if (t_self is { } self)
        {
            t_scheduler!.LockEnter(self, gate, site);
        }
    }

    internal static void LockEnterScope(object gate, int site)
    {
        if (t_self is { } self)
        {
            t_scheduler!.LockEnter(self, gate, site);
            self.Scopes.Push(gate);
        }
    }

    internal static void LockExit(object gate, int site)
    {
        if (t_self is { } self)
        {
            t_scheduler!.LockExit(self, gate, site);
        }
    }

    internal static void ScopeExit(int site)
    {
        if (t_self is { } self && self.Scopes.TryPop(out var gate))
        {
            t_scheduler!.LockExit(self, gate, site);
        }
    }

    internal static bool MonitorTryEnter(object gate, int site) => t_self is not { } self
        ? Monitor.TryEnter(gate)
        : t_scheduler!.TryLockEnter(self, gate, site) && Monitor.TryEnter(gate);

    internal static bool MonitorTryEnterFor(object gate, int milliseconds, int site) => t_self is null
        ? Monitor.TryEnter(gate, milliseconds) : MonitorTryEnter(gate, site);

    internal static void MonitorTryEnterTo(object gate, ref bool taken, int site) =>
        taken = MonitorTryEnter(gate, site);

    internal static bool LockTryEnter(Lock gate, int site)
    {
        object name = Unsafe.As<Lock, object>(ref gate);
        return t_self is not { } self
            ? gate.TryEnter()
            : t_scheduler!.TryLockEnter(self, name, site) && gate.TryEnter();
    }

    internal static bool MonitorWait(object gate, int site) => MonitorWaitFor(gate, Timeout.Infinite, site);

    internal static bool MonitorWaitFor(object gate, int milliseconds, int site) => t_self is not { } self
        ? Monitor.Wait(gate, milliseconds)
        : t_scheduler!.MonitorWait(self, gate, milliseconds != Timeout.Infinite, site);

    internal static void MonitorPulse(object gate, int site)
    {
        if (t_self is { } self)
        {
            t_scheduler!.Pulse(self, gate, all: false, site);
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
            t_scheduler!.Pulse(self, gate, all: true, site);
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
            t_scheduler!.Spin(self, site);
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
            t_scheduler!.Spin(self, site);
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
            t_scheduler!.Spin(self, site);
        }
    }

    internal static bool Yield(int site)
    {
        if (t_self is { } self)
        {
            t_scheduler!.Spin(self, site);
            return true;
        }

        return Thread.Yield();
    }

    internal static void Sleep(int milliseconds, int site)
    {
        if (t_self is { } self)
        {
            t_scheduler!.Spin(self, site);
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
            t_scheduler!.Spin(self, site);
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

        t_scheduler!.Access(self, 0, waited, site);
        while (!waited.IsSet)
        {
            t_scheduler.Spin(self, site);
        }
    }

    internal static bool EventWaitFor(ManualResetEventSlim waited, TimeSpan time, int site)
    {
        if (t_self is not { } self)
        {
            return waited.Wait(time);
        }

        t_scheduler!.Access(self, 0, waited, site);
        t_scheduler.Spin(self, site);
        return waited.IsSet;
    }

    internal static void SemaphoreWait(SemaphoreSlim waited, int site)
    {
        if (t_self is not { } self)
        {
            waited.Wait();
            return;
        }

        t_scheduler!.Access(self, 0, waited, site);
        while (!waited.Wait(0))
        {
            t_scheduler.Spin(self, site);
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
            _ = Until(waited, t => t_scheduler!.IsDone(t), site);
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
        if (t_self is { } self && t_scheduler!.TryTakeBody(thread, out var body))
        {
            t_scheduler.Spawn(self, body, thread, site);
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
        if (t_self is not null)
        {
            t_scheduler!.Keep(thread, body);
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
        t_scheduler!.Spawn(self, () => task.RunSynchronously(TaskScheduler.Default), task, site);
        return task;
    }

    internal static bool QueueWork<T>(Action<T> body, T state, bool preferLocal, int site)
    {
        if (t_self is not { } self)
        {
            return ThreadPool.UnsafeQueueUserWorkItem(body, state, preferLocal);
        }

        t_scheduler!.Spawn(self, () => body(state), body, site);
        return true;
    }

    private static bool Until<T>(T waited, Func<T, bool> isOver, int site)
        where T : class
    {
        if (t_self is { } self)
        {
            t_scheduler!.Access(self, 0, waited, site);
            while (!isOver(waited))
            {
                t_scheduler.Spin(self, site);
            }
        }

        return true;
    }
}
