using Kptr.Objects;

namespace Kptr.Tests.Objects;

/// <summary>Memory that is handed out and taken back at random, against plain collections.</summary>
public unsafe class PlainHeapModelTests
{
    [Theory]
    [InlineData(true, 3, 24, 0)]
    [InlineData(true, 0, 100, 2)]
    [InlineData(false, 3, 40, 5)]
    [InlineData(true, 1, 70_000, 0)]
    public void Slab(bool isChecked, int quarantine, int sizeBytes, int slotsPerChunk)
    {
        var heap = new KernelHeap(isChecked, quarantine);
        var slab = heap.CreateSlab("thing", sizeBytes, slotsPerChunk: slotsPerChunk, visibleBytes: sizeBytes - 8);
        (slab.SizeBytes, slab.AllocBytes, slab.Name).Should().Be((sizeBytes - 8, sizeBytes, "thing"));
        var (random, live) = (new Random(sizeBytes), new List<ulong>());
        var (held, free) = (new Queue<ulong>(), new Stack<ulong>());
        var all = new HashSet<ulong>();
        for (var step = 0; step < 400; step++)
        {
            if (random.Next(5) < 3)
            {
                var at = slab.Allocate();
                Assert.Equal(free.Count > 0 ? free.Pop() : at, at);
                Assert.DoesNotContain(at, live);
                Assert.Equal(live.Count + held.Count + free.Count == all.Count, all.Add(at));
                Assert.Equal(-1, new ReadOnlySpan<byte>((void*)at, sizeBytes).IndexOfAnyExcept((byte)0));
                new Span<byte>((void*)at, sizeBytes).Fill(0xee);
                live.Add(at);
            }
            else if (live.Count > 0)
            {
                var at = live[random.Next(live.Count)];
                live.Remove(at);
                Assert.True(heap.TryFree(at));
                Assert.False(slab.TryFree(at));
                Assert.False(heap.TryFree(at + 1));
                if (isChecked)
                {
                    Assert.Equal(
                        sizeBytes, new ReadOnlySpan<byte>((void*)at, sizeBytes).Count(HeapSlab.PoisonByte));
                    held.Enqueue(at);
                }

                if (!isChecked || held.Count > quarantine)
                {
                    free.Push(isChecked ? held.Dequeue() : at);
                }
            }

            Assert.Equal(live.Count, slab.LiveCount);
        }

        foreach (var at in all)
        {
            heap.TryFindRegion(at, sizeBytes - 8, out var region).Should().BeTrue();
            region.Should().Be(new HeapRegion(at, sizeBytes - 8, live.Contains(at) ? HeapState.Live
                : held.Contains(at) ? HeapState.Quarantined : HeapState.Free, slab, null));
            heap.TryFindRegion(at, sizeBytes - 7, out _).Should().BeFalse("the rest is for the model alone");
        }

        slab.CreatedCount.Should().BeGreaterThan(slab.LiveCount);
        heap.CountObjects().Should().Be((0, 0), "they are no objects");
    }

    [Fact]
    public void Charges_AddUp_AndWhatIsTooMuchIsNotCounted()
    {
        var heap = new KernelHeap();
        var max = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 2;
        heap.TryCharge(max + 1).Should().BeFalse();
        heap.TryCharge(long.MaxValue).Should().BeFalse();
        heap.TryCharge(max).Should().BeTrue();
        heap.TryCharge(1).Should().BeFalse();
        heap.TryCharge(0).Should().BeTrue();
        heap.Uncharge(2);
        heap.TryCharge(2).Should().BeTrue("what was refused is not counted");
        heap.TryCharge(1).Should().BeFalse();
    }

    [Fact]
    public void Block_ThatIsFreed_IsForgotten_WhereItHasAnOwner()
    {
        var heap = new KernelHeap();
        var before = heap.ChunkBytes;
        var owner = new NoSlots();
        var block = heap.AllocateBlock("values", 200_000, owner);
        heap.ChunkBytes.Should().Be(before + 262_144, "four units of 64 KiB");
        heap.TryFindRegion(block + 199_999, 1, out var region).Should().BeTrue();
        (region.Slab.Owner, region.Slab.IsBlock).Should().Be((owner, true));
        heap.KeeperOf(block).Should().BeSameAs(heap.KeeperOf(block + 100_000));

        heap.FreeBlock(block);

        heap.ChunkBytes.Should().Be(before);
        heap.TryFindRegion(block, 8, out _).Should().BeFalse();
        heap.Invoking(h => h.KeeperOf(block)).Should().Throw<ArgumentException>().WithParameterName("address");
        heap.FreeBlock(block);
        heap.TryFree(block).Should().BeFalse();
        heap.ChunkBytes.Should().Be(before);

        var plain = heap.AllocateBlock("context", 48);
        heap.FreeBlock(plain);
        heap.TryFindRegion(plain, 8, out region).Should().BeTrue("it is one of many of its size");
        (region.State, region.Slab.IsBlock).Should().Be((HeapState.Quarantined, false));
    }

    [Fact]
    public void Blocks_OfManySizes_AreChunksOfTheirOwn_FromTheSixtyFifthOn()
    {
        var heap = new KernelHeap();
        var blocks = Enumerable.Range(1, 66).Select(i => heap.AllocateBlock("context", i * 8)).ToList();
        blocks.Select(IsBlock).Should().Equal(Enumerable.Range(1, 66).Select(i => i > 64));
        IsBlock(heap.AllocateBlock("context", 8)).Should().BeFalse("its size is known");
        IsBlock(heap.AllocateBlock("context", 66 * 8)).Should().BeTrue();
        heap.Invoking(h => h.CreateSlab("thing", -1)).Should().Throw<ArgumentOutOfRangeException>();

        bool IsBlock(ulong at) => heap.TryFindRegion(at, 1, out var region) && region.Slab.IsBlock;
    }

    [Fact]
    public void Objects_AreCountedAsTheyComeAndGo()
    {
        using var core = TestKernel.Boot();
        var (created, freed) = core.Heap.CountObjects();
        var widgets = Enumerable.Range(0, 3).Select(_ => new Widget(core)).ToList();
        KernelRef.Own(widgets[0]).Release();
        core.Quiesce();
        core.Heap.CountObjects().Should().Be((created + 3, freed + 1));
        core.Heap.LiveObjects().OfType<Widget>().Should().BeEquivalentTo(widgets[1..]);
        new RefCount(core.Heap.DeadCount).Value.Should().Be(0);
        core.Heap.DeadCount.Should().Be(core.Heap.DeadCount);
    }

    private sealed class NoSlots : IReferenceSource
    {
        public Holder DescribeSlot(ulong slotAddress) => new UnknownHolder();

        public bool IsSpecial(ulong address, int sizeBytes) => false;

        public IEnumerable<HeldSlot> HeldSlots() => [];
    }
}
