using System.Globalization;
using Kptr.Objects;
using Kptr.Tests.Objects;

namespace Kptr.Tests.Concurrency;

/// <summary>
/// Two threads move references on tasks that are born, exit, are reaped and freed all the while. Set KPTR_STRESS_OPS to
/// run longer (100000000 in Release is the full run) and KPTR_STRESS_SEED to repeat one.
/// </summary>
public class ReferenceStressTests
{
    private const int TaskCount = 16;
    private const int SlotCount = 8;

    [Theory]
    [InlineData(LedgerLevel.Counts)]
    [InlineData(LedgerLevel.Sites)]
    public void AcquireReleaseExchangeExitReap_LosesAndDoublesNothing(LedgerLevel level)
    {
        var ops = long.Parse(Environment.GetEnvironmentVariable("KPTR_STRESS_OPS")
            ?? "400000", CultureInfo.InvariantCulture);
        var seed = int.Parse(Environment.GetEnvironmentVariable("KPTR_STRESS_SEED")
            ?? "1", CultureInfo.InvariantCulture);
        ops = level == LedgerLevel.Counts ? ops : ops / 20;
        using var core = new KernelCore(TestKernel.Spec, new() { LedgerLevel = level, QuarantineSlotsMax = 64 });
        var arena = new Arena(core);
        var threads = Enumerable.Range(0, 2).Select(i => new Thread(() => arena.Run(seed + i, ops / 2))).ToList();
        threads.ForEach(t => t.Start());
        threads.ForEach(t => t.Join());
        arena.Empty();
        core.Quiesce();
        core.Faults.Should().BeEmpty($"seed {seed}");
        core.Ledger.AssertNoLeaks();
        arena.Freed.Should().Be(arena.Made, "every task was freed once");
        core.Heap.LiveObjects().OfType<TaskStruct>().Should().Equal([core.Tasks.Init], "only the first task is left");
    }

    private sealed unsafe class Arena
    {
        private readonly KernelCore _core;
        private readonly TaskStruct?[] _tasks = new TaskStruct?[TaskCount];
        private readonly ulong _slots;
        private long _made;
        private long _freed;

        internal Arena(KernelCore core)
        {
            _core = core;
            _slots = core.Heap.AllocateBlock("slots", SlotCount * 8);
            for (var i = 0; i < TaskCount; i++)
            {
                _tasks[i] = Make();
            }
        }

        internal long Made => Volatile.Read(ref _made);

        internal long Freed => Volatile.Read(ref _freed);

        internal void Run(int seed, long ops)
        {
            var random = (uint)seed * 2654435761u;
            for (long i = 0; i < ops; i++)
            {
                random ^= random << 13;
                random ^= random >> 17;
                random ^= random << 5;
                var at = (int)((random >> 8) % TaskCount);
                if (random % 1024 == 0)
                {
                    Replace(at);
                }
                else
                {
                    Use(at, (int)((random >> 16) % SlotCount), random);
                }
            }
        }

        internal void Empty()
        {
            for (var i = 0; i < SlotCount; i++)
            {
                Slot(i).Exchange(null)?.Release();
            }

            foreach (var task in _tasks)
            {
                End(task!);
            }
        }

        // A task that is in the table may be exiting on the other thread: the reader keeps its
        // memory, and null is fine.
        private void Use(int at, int slot, uint random)
        {
            using var reader = _core.Rcu.ReadLock();
            var mine = Volatile.Read(ref _tasks[at])!.TryAcquire();
            if ((random & 1) == 0)
            {
                mine?.Release();
            }
            else
            {
                Slot(slot).Exchange(mine)?.Release();
            }
        }

        private void Replace(int at) => End(Interlocked.Exchange(ref _tasks[at], Make())!);

        private void End(TaskStruct task)
        {
            _core.Tasks.Exit(task);
            _core.Tasks.Reap(task).Should().BeTrue();
        }

        private TaskStruct Make()
        {
            Interlocked.Increment(ref _made);
            var task = _core.Tasks.Fork(_core.Tasks.Init);
            task.Freeing += _ => Interlocked.Increment(ref _freed);
            return task;
        }

        private ref Kptr<TaskStruct> Slot(int i) => ref *(Kptr<TaskStruct>*)(_slots + ((ulong)i * 8));
    }
}
