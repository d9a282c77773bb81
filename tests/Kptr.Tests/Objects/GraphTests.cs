using FsCheck.Xunit;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Objects;
using static Kptr.Tests.Objects.GraphNodes;

namespace Kptr.Tests.Objects;

public class GraphTests
{
    [Theory]
    [InlineData(LedgerLevel.Counts)]
    [InlineData(LedgerLevel.Full)]
    public void List_PushesAndPops_InOrder(LedgerLevel level)
    {
        using var core = TestKernel.Boot(level);
        var run = new FakeRun();
        var head = core.Heap.AllocateBlock("value", 32);
        var (a, b, c) = (New(core, run, 1), New(core, run, 2), New(core, run, 3));
        core.Graphs.ListPush(head, a.Address, atTail: true, run).Should().Be(Errno.None);
        core.Graphs.ListPush(head, b.Address, atTail: true, run).Should().Be(Errno.None);
        core.Graphs.ListPush(head, c.Address, atTail: false, run).Should().Be(Errno.None);
        Graphs.NodesOf(BtfFieldKind.ListHead, head).Should().Equal(c.Address, a.Address, b.Address);
        core.Graphs.ListPop(head, atTail: true, run).Should().Be(b.Address);
        core.Graphs.ListPop(head, atTail: false, run).Should().Be(c.Address);
        core.Graphs.ListPop(head, atTail: false, run).Should().Be(a.Address);
        core.Graphs.ListPop(head, atTail: false, run).Should().Be(0);
        foreach (var node in new[] { a, b, c })
        {
            ProgramRefs.Release(node, run);
        }

        core.Quiesce();
        core.Ledger.AssertAllReturned();
    }

    [Fact]
    public unsafe void List_WithANodeOfAnother_IsGraphCorrupt()
    {
        using var core = TestKernel.Boot();
        var run = new FakeRun();
        var head = core.Heap.AllocateBlock("value", 32);
        var node = New(core, run, 1);
        core.Graphs.ListPush(head, node.Address, atTail: true, run).Should().Be(Errno.None);
        *(ulong*)(node.Address + GraphList.OwnerOffset) = head + 8;
        core.Graphs.ListPop(head, atTail: false, run).Should().Be(0);
        core.TakeFaults().Should().Contain(f => f.Code == DiagCode.GraphCorrupt);
    }

    [Fact]
    public void ListPush_OfANodeThatIsInAList_ConsumesTheReference()
    {
        using var core = TestKernel.Boot(LedgerLevel.Sites);
        var run = new FakeRun();
        var (first, second) = (core.Heap.AllocateBlock("value", 32), core.Heap.AllocateBlock("value", 32));
        var node = New(core, run, 1);                                                   // 1
        node.TryAcquireCount().Should().BeTrue();                                       // 2
        core.Ledger.AcquiredByRun(node, run);
        core.Graphs.ListPush(first, node.Address, true, run).Should().Be(Errno.None);   // list 1, run 1
        core.Graphs.ListPush(second, node.Address, true, run).Should().Be(Errno.EINVAL);
        node.Count.Value.Should().Be(1);                                                // list 1
        core.Ledger.WhoPins(node).Entries.Should().ContainSingle().Which.Holder.Should().BeOfType<CollectionHolder>();
        Graphs.NodesOf(BtfFieldKind.ListHead, second).Should().BeEmpty();
        core.Graphs.Free(ListRoot, first, 0);
        core.Quiesce();
        node.IsFreed.Should().BeTrue();
        core.Ledger.AssertAllReturned();
    }

    [Fact]
    public void TreeFree_OfANodeThatIsShared_ClearsItsOwner()
    {
        using var core = TestKernel.Boot();
        var run = new FakeRun();
        var root = core.Heap.AllocateBlock("value", 32) + 16;
        var node = New(core, run, 5);                                                   // 1
        node.TryAcquireCount();                                                         // 2
        core.Graphs.TreeAdd(root, node.Address + RbOffset, Less, run).Should().Be(Errno.None);
        core.Graphs.Free(TreeRoot, root, 0);
        node.Count.Value.Should().Be(1);
        core.Graphs.TreeRemove(root, node.Address + RbOffset, run).Should().Be(
            0, "a new root at the same address does not own it");
        core.Graphs.TreeAdd(root, node.Address + RbOffset, Less, run).Should().Be(Errno.None);
        core.DropKptr(TreeRoot, Interlocked.Exchange(ref At(root), 0));
        core.Quiesce();
        node.IsFreed.Should().BeTrue();
    }

    [Fact]
    public void DropKptr_OfATakenListWord_DropsEveryNode()
    {
        using var core = TestKernel.Boot();
        var run = new FakeRun();
        var head = core.Heap.AllocateBlock("value", 32);
        var nodes = Enumerable.Range(0, 5).Select(i => New(core, run, i)).ToList();
        nodes.ForEach(n => core.Graphs.ListPush(head, n.Address, true, run));
        core.DropKptr(ListRoot, core.Ledger.EmptySlot(head));
        core.Quiesce();
        nodes.Should().OnlyContain(n => n.IsFreed);
        core.Graphs.ListPop(head, false, run).Should().Be(0);
    }

    [Property]
    public void Tree_AnyAddsAndRemoves_StaysSorted(byte[] keys, bool[] removals)
    {
        using var core = TestKernel.Boot();
        var run = new FakeRun();
        var root = core.Heap.AllocateBlock("value", 32) + 16;
        List<AllocatedObject> model = [];
        for (var i = 0; i < keys.Length; i++)
        {
            var node = New(core, run, keys[i]);
            core.Graphs.TreeAdd(root, node.Address + RbOffset, Less, run);
            model.Add(node);
            if (i < removals.Length && removals[i])
            {
                var gone = model[keys[i] % model.Count];
                core.Graphs.TreeRemove(root, gone.Address + RbOffset, run).Should().NotBe(0);
                model.Remove(gone);
                ProgramRefs.Release(gone, run);
            }
        }

        // OrderBy is stable: equal keys stay in the order they were added.
        Graphs.NodesOf(BtfFieldKind.RbRoot, root).Should().Equal(model.OrderBy(Key).Select(n => n.Address + RbOffset));
        GraphTree.First(root).Should().Be(model.Count == 0 ? 0 : model.OrderBy(Key).First().Address + RbOffset);
        core.Graphs.Free(TreeRoot, root, 0);
        core.Quiesce();
        core.Ledger.AssertAllReturned();
    }
}

internal sealed class FakeRun : IProgramRun
{
    public string ProgName => "prog";

    public long RunId => 1;

    public RefSite Site { get; set; } = new("prog.bpf.c", 31, "prog", 14);

    public bool IsActive { get; set; } = true;

    public void Keep()
    {
    }

    public string? Locate(ulong address) => "r6";
}
