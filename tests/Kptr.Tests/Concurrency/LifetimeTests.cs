using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Tests.Kfuncs;
using Kptr.Tests.Objects;

namespace Kptr.Tests.Concurrency;

/// <summary>What comes and goes leaves nothing behind, and what is half made is seen by nobody.</summary>
public class LifetimeTests : RunTestBase
{
    [Fact]
    public void Threads_ThatComeAndGo_AreForgotten()
    {
        using var kernel = TestKernel.Boot();
        const int threads = 1000, batch = 100;
        for (var made = 0; made < threads; made += batch)
        {
            Together(batch, () =>
            {
                using var reader = kernel.Rcu.ReadLock();
            });
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        kernel.Rcu.ReaderCount.Should().BeLessThan(4 * batch, "threads that are gone are swept up as new ones come");
        kernel.Rcu.Synchronize();
    }

    [Fact]
    public async Task Thread_ThatEndsInsideAReader_HoldsNoGracePeriodUpForEver()
    {
        using var kernel = TestKernel.Boot();
#pragma warning disable KPTR006 // the thread ends first
        Together(1, () => _ = kernel.Rcu.ReadLock());
#pragma warning restore KPTR006
        var done = Task.Run(() =>
        {
            while (!Volatile.Read(ref s_isDone))
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
            }
        });
        kernel.Rcu.Synchronize();
        Volatile.Write(ref s_isDone, true);
        await done;
    }

    [Fact]
    public void Reader_EndedTwice_IsSaid_AndTheNextOneIsSeen()
    {
        using var kernel = TestKernel.Boot();
        var twice = () =>
        {
            var scope = kernel.Rcu.ReadLock();
            scope.Dispose();
            scope.Dispose();
        };
        twice.Should().Throw<InvalidOperationException>();
        using (kernel.Rcu.ReadLock())
        {
            kernel.Rcu.IsReader.Should().BeTrue();
        }

        kernel.Rcu.IsReader.Should().BeFalse();
    }

    [Fact]
    public void Scopes_OfNothing_EndWithoutEffect()
    {
        default(RcuReadScope).Dispose();
        default(ContextScope).Dispose();
        default(CurrentTaskScope).Dispose();
    }

    [Fact]
    public void Contexts_OfManySizes_DoNotKeepMemoryForEach()
    {
        using var kernel = TestKernel.Boot();
        for (var size = 1; size <= 10_000; size++)
        {
            kernel.Heap.TryFree(kernel.Heap.AllocateBlock("context", size)).Should().BeTrue();
        }

        kernel.Heap.ChunkBytes.Should().BeLessThan(192L << 20, "10,000 sizes at 64 KiB each are 640 MB");
    }

    [Fact]
    public void Objects_LoadedAgainAndAgain_DoNotKeepMemoryForEachProgram()
    {
        using var kernel = NewKernel();
        Load(kernel, "hooks").Dispose();
        kernel.Quiesce();
        var before = kernel.Heap.ChunkBytes;
        for (var i = 0; i < 50; i++)
        {
            Load(kernel, "hooks").Dispose();
            kernel.Quiesce();
        }

        (kernel.Heap.ChunkBytes - before).Should().BeLessThan(50 * 65536, "each load would keep some chunks");
    }

    [Fact]
    public async Task Map_WhileItsConstructorRuns_HasNothingThatTheLedgerTrips()
    {
        using var kernel = TestKernel.Boot(LedgerLevel.Sites);
        using var map = new SlowMap(kernel, () => Together(1, () =>
        {
            kernel.Ledger.Snapshot();
            kernel.Ledger.WhoPins(kernel.Tasks.Init);
        }));
        using var stop = new CancellationTokenSource();
        var looking = Task.Run(() =>
        {
            while (!stop.IsCancellationRequested)
            {
                kernel.Ledger.Snapshot();
            }
        });
        for (var i = 0; i < 200; i++)
        {
            new SlowMap(kernel, static () => { }).Dispose();
        }

        stop.Cancel();
        await looking;
    }

    [Fact]
    public void FreedMaps_SayThatTheyAreGone()
    {
        using var kernel = TestKernel.Boot();
        var ring = (RingBufMap)MapFactory.Create(kernel, new("r", BpfMapType.Ringbuf) { MaxEntries = 4096 });
        var arena = (ArenaMap)MapFactory.Create(
            kernel, new("a", BpfMapType.Arena) { MaxEntries = 4, Flags = MapFlags.Mmapable });
        ring.Output(new byte[8]).Should().Be(Errno.None);
        var pages = arena.AllocatePages(1);
        ring.Dispose();
        arena.Dispose();
        kernel.Quiesce();
        ring.Invoking(r => r.TryRead(out _)).Should().Throw<ObjectDisposedException>();
        arena.Invoking(a => a.AllocatePages(1)).Should().Throw<ObjectDisposedException>();
        arena.Invoking(a => a.FreePages(pages, 1)).Should().Throw<ObjectDisposedException>();
    }

    [Fact]
    public void Scope_EndedBeforeAnInnerOne_NamesBoth_AndNothingEnds()
    {
        using var kernel = TestKernel.Boot();
        var outer = kernel.EnterProgram("outer");
        var inner = kernel.EnterProgram("inner");
        outer.Invoking(s => s.Dispose()).Should().Throw<InvalidOperationException>().WithMessage(
            "*\"outer\"*\"inner\"*");
        inner.Dispose();
        outer.Dispose();
        outer.Dispose();
    }

    [Fact]
    public void Scope_EndedOnAnotherThread_IsSaid()
    {
        using var kernel = TestKernel.Boot();
        using var scope = kernel.EnterProgram("mine");
        Together(1, () => scope.Invoking(s => s.Dispose()).Should().Throw<InvalidOperationException>().WithMessage(
            "*\"mine\"*thread*"));
    }

    private static bool s_isDone;

    private static void Together(int count, Action act)
    {
        Exception? failure = null;
        Thread[] threads = [.. Enumerable.Range(0, count).Select(_ => new Thread(() =>
        {
            try
            {
                act();
            }
            catch (Exception e)
            {
                failure = e;
            }
        }))];
        Array.ForEach(threads, t => t.Start());
        Array.ForEach(threads, t => t.Join());
        failure.Should().BeNull();
    }

    /// <summary>A map type of one's own whose constructor takes its time, with pools that come late.</summary>
    private sealed class SlowMap : BpfMap
    {
        private readonly string _mine;

        internal SlowMap(KernelCore core, Action meanwhile)
            : base(core, new("slow", BpfMapType.Array) { KeySize = 4, ValueSize = 8, MaxEntries = 4 })
        {
            meanwhile();
            CreatePool(4);
            meanwhile();
            CreatePool(4);
            _mine = "ready";
        }

        protected internal override bool TryGetKey(ValuePool pool, int slot, Span<byte> key) => _mine.Length == 0;

        protected override ulong FindValue(ReadOnlySpan<byte> key, in MapCall caller) => 0;

        protected override Errno UpdateValue(
            ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller) =>
            Errno.EINVAL;

        protected override Errno DeleteValue(ReadOnlySpan<byte> key, in MapCall caller) => Errno.EINVAL;

        protected override Errno NextKey(ReadOnlySpan<byte> key, Span<byte> nextKey) => Errno.ENOENT;
    }
}
