using Kptr.Objects;

namespace Kptr.Tests.Objects;

public unsafe class HeapTests
{
    [Fact]
    public void TryFindRegion_FindsTheAllocationFromAnyByteInIt()
    {
        var heap = new KernelHeap();
        var slab = heap.CreateSlab("thing", 40);
        var all = Enumerable.Range(0, 5000).Select(_ => slab.Allocate()).ToList();
        foreach (var at in all)
        {
            heap.TryFindRegion(at + 39, 1, out var region).Should().BeTrue();
            (region.Address, region.State).Should().Be((at, HeapState.Live));
            heap.TryFindRegion(at + 33, 8, out _).Should().BeFalse("it crosses the end");
            heap.TryFindRegion(at - 1, 1, out _).Should().BeFalse("the header is no part of it");
        }
    }

    [Theory]
    [InlineData(0ul)]
    [InlineData(0x1000ul)]
    [InlineData(ulong.MaxValue)]
    [InlineData(0xffff_8880_0000_0000ul)]
    public void TryFindRegion_ForeignAddresses_FindNothing(ulong address)
    {
        var heap = new KernelHeap();
        heap.CreateSlab("thing", 40).Allocate();
        heap.TryFindRegion(address, 8, out _).Should().BeFalse();
        heap.FindObject(address).Should().BeNull();
    }

    [Fact]
    public void LargeBlock_IsOneRegion()
    {
        var heap = new KernelHeap();
        var at = heap.AllocateBlock("values", 1_000_000);
        heap.TryFindRegion(at + 999_992, 8, out var region).Should().BeTrue();
        region.Address.Should().Be(at);
        heap.TryFindRegion(at + 999_993, 8, out _).Should().BeFalse();
    }

    [Fact]
    public void Blocks_OfOwnersLongGone_AreForgotten_AndThoseOfNobodyAreUsedAgain()
    {
        var heap = new KernelHeap();
        var owner = new NoSlots();
        var first = heap.AllocateBlock("values", 30 << 20, owner);
        heap.TryFree(first).Should().BeTrue();
        heap.TryFindRegion(first, 8, out var region).Should().BeTrue("it is kept for late readers");
        region.State.Should().Be(HeapState.Quarantined);
        for (var i = 0; i < 3; i++)
        {
            heap.TryFree(heap.AllocateBlock("values", 30 << 20, owner)).Should().BeTrue();
        }

        heap.TryFindRegion(first, 8, out _).Should().BeFalse();
        var blocks = Enumerable.Range(0, 1000).Select(_ => heap.AllocateBlock("context", 64)).ToList();
        blocks.Should().OnlyContain(b => heap.TryFree(b));
        blocks.Select(b => b >> HeapChunk.UnitShift).Distinct().Should().HaveCountLessThan(4);
    }

    [Fact]
    public void FreedMemory_IsPoisonedHeldBackAndZeroedForTheNext()
    {
        var heap = new KernelHeap(isChecked: true, quarantineSlotsMax: 1);
        var slab = heap.CreateSlab("thing", 8);
        var first = slab.Allocate();
        *(ulong*)first = 7;
        slab.TryFree(first).Should().BeTrue();
        slab.TryFree(first).Should().BeFalse("a second free is refused");
        (*(ulong*)first).Should().Be(0x6b6b6b6b6b6b6b6b);
        heap.TryFindRegion(first, 8, out var region).Should().BeTrue();
        region.State.Should().Be(HeapState.Quarantined);
        var second = slab.Allocate();
        second.Should().NotBe(first);
        slab.TryFree(second);
        slab.Allocate().Should().Be(first, "the quarantine is full and lets the oldest go");
        (*(ulong*)first).Should().Be(0);
    }

    [Fact]
    public void StaleWrapper_CannotBeAcquired_AndItsUseIsReported()
    {
        using var core = TestKernel.Boot();
        var task = core.Tasks.Fork(core.Tasks.Init);
        core.Tasks.Exit(task);
        core.Tasks.Reap(task);
        core.Quiesce();
        task.TryAcquire().Should().BeNull("its memory is poison, and its count is still zero");
        core.Faults.Should().BeEmpty();
        task.AddCpuTime(TimeSpan.FromSeconds(1), TimeSpan.Zero);
        core.TakeFaults().Should().NotBeEmpty().And.OnlyContain(f => f.Code == Diagnostics.DiagCode.RefUseAfterFree);
        KernelMemory.Get(task.Address, task.Layout.Field("utime")).Should().Be(
            0x6b6b6b6b6b6b6b6b, "nothing was written");
        KernelRef.Own(task).Release();
        core.TakeFaults().Should().ContainSingle().Which.Code.Should().Be(Diagnostics.DiagCode.RefCountUnderflow);
        task.TryAcquire().Should().BeNull();
    }

    [Fact]
    public void StaleAddress_FindsNoWrapper()
    {
        using var core = TestKernel.Boot();
        var widget = new Widget(core);
        HeapHeader.WrapperOf(widget.Address).Should().BeSameAs(widget);
        KernelRef.Own(widget).Release();
        core.Quiesce();
        HeapHeader.WrapperOf(widget.Address).Should().BeNull();
        core.Heap.FindObject(widget.Address).Should().BeNull();
    }

    [Fact]
    public void FindObjects_ByLowBits_FindsTheLiveObjectsThatBeginThere()
    {
        using var core = TestKernel.Boot();
        var widgets = Enumerable.Range(0, 3000).Select(_ => new Widget(core)).ToList();
        foreach (var gone in widgets.Where((_, i) => i % 3 == 0))
        {
            KernelRef.Own(gone).Release();
        }

        core.Quiesce();
        foreach (var widget in widgets)
        {
            var low = (uint)widget.Address;
            core.Heap.FindObjects(low).Contains(widget).Should().Be(!widget.IsFreed);
            core.Heap.FindObjects(low).TrueForAll(o => (uint)o.Address == low).Should().BeTrue();
            core.Heap.FindObjects(low + 8).Should().BeEmpty("nothing begins inside of it");
            core.Heap.FindObjects(low ^ 0x8000_0000).Should().NotContain(widget);
        }

        foreach (var any in core.Heap.LiveObjects())
        {
            core.Heap.FindObjects((uint)any.Address).Should().Contain(any, "the kernel's own are found, too");
        }
    }

    private sealed class NoSlots : IReferenceSource
    {
        public Holder DescribeSlot(ulong slotAddress) => new UnknownHolder();

        public bool IsSpecial(ulong address, int sizeBytes) => false;

        public IEnumerable<HeldSlot> HeldSlots() => [];
    }
}
