using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Tests.Maps;

/// <summary>A ring's bytes against one plain array: a fresh record shows what lay there, headers too.</summary>
public unsafe class RingMemoryTests
{
    private const int Size = 8192;

    [Fact]
    public void FreshRecord_ShowsWhatLayThere_OverTheEndToo()
    {
        using var core = MapKernel.Boot();
        using var map = Make(core);
        var (memory, random, producer) = (new byte[Size], new Random(3), 0);
        for (var step = 0; step < 300; step++)
        {
            var length = random.Next(3000);
            var whole = 8 + ((length + 7) & ~7);
            var at = map.Reserve((ulong)length);
            at.Should().NotBe(0);
            BitConverter.TryWriteBytes(memory.AsSpan(producer), (uint)length | (1u << 31));
            BitConverter.TryWriteBytes(memory.AsSpan(producer + 4), 3 + (producer >> 12));
            var lay = Enumerable.Range(0, length).Select(i => memory[(producer + 8 + i) % Size]).ToArray();
            var record = new Span<byte>((void*)at, length);
            Assert.True(record.SequenceEqual(lay), $"step {step}");
            Assert.Equal(BitConverter.ToUInt64(memory, producer), *(ulong*)(at - 8));

            random.NextBytes(record);
            for (var i = 0; i < length; i++)
            {
                memory[(producer + 8 + i) % Size] = record[i];
            }

            map.Commit(at, isDiscarded: step % 3 == 0);
            BitConverter.TryWriteBytes(memory.AsSpan(producer), (uint)length | (step % 3 == 0 ? 1u << 30 : 0));
            Assert.Equal(step % 3 != 0, map.TryRead(out var read));
            Assert.Equal(step % 3 == 0 ? 0 : length, read.Length);
            producer = (producer + whole) % Size;
        }
    }

    [Fact]
    public void Consumer_ThatSawTheOldestUnfinished_IsWokenForThatOneOnly()
    {
        using var core = MapKernel.Boot();
        using var map = Make(core);
        var seen = 0;
        using var consumer = map.Consume<byte>(_ => seen++);
        core.Deferred.Waiting().Values.Should().Equal(new DeferredHolder("workqueue", "ring_buffer__consume"));
        var open = map.Reserve(8);
        core.Quiesce(); // it finds the record unfinished

        map.Commit(open, isDiscarded: false, RingWakeup.No);
        core.Work.PendingCount.Should().Be(1, "it waits for this record");
        core.Quiesce();
        seen.Should().Be(1);
        map.Output([1], RingWakeup.No);

        core.Work.PendingCount.Should().Be(0, "it waits for none that is begun");
    }

    [Fact]
    public void Ring_TakesItsMemoryTwice_AndGivesItBack()
    {
        using var core = MapKernel.Boot();
        var before = core.Heap.ChunkBytes;
        var map = (RingBufMap)MapFactory.Create(core, new("r", BpfMapType.Ringbuf) { MaxEntries = 1 << 20 });
        core.Heap.ChunkBytes.Should().BeGreaterThanOrEqualTo(before + (2 << 20));
        map.FreeNow();
        core.Heap.ChunkBytes.Should().BeLessThan(before + (1 << 20));
    }

    private static RingBufMap Make(KernelCore core) =>
        (RingBufMap)MapFactory.Create(core, new("r", BpfMapType.Ringbuf) { MaxEntries = Size });
}
