using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Objects;
using static Kptr.Tests.Objects.GraphNodes;

namespace Kptr.Tests.Objects;

/// <summary>Lists and trees of nodes at random, against plain lists: order, owners and counts.</summary>
public class PlainGraphModelTests
{
    [Theory]
    [InlineData(LedgerLevel.Counts, 1)]
    [InlineData(LedgerLevel.Sites, 2)]
    public void ListsAndTrees(LedgerLevel level, int seed)
    {
        using var core = TestKernel.Boot(level);
        var (run, random, graphs) = (new FakeRun(), new Random(seed), core.Graphs);
        var value = core.Heap.AllocateBlock("value", 64);
        ulong[] heads = [value, value + 16], roots = [value + 32, value + 48];
        var plain = Enumerable.Range(0, 4).Select(_ => new List<AllocatedObject>()).ToArray();
        var nodes = Enumerable.Range(0, 12).Select(i => New(core, run, i / 2)).ToList();
        for (var step = 0; step < 400; step++)
        {
            var (which, node) = (random.Next(2), nodes[random.Next(nodes.Count)]);
            var (list, tree) = (plain[which], plain[2 + which]);
            var atTail = random.Next(2) == 0;
            switch (random.Next(5))
            {
                case 0:
                    Give(node, run);
                    var isInList = plain[0].Contains(node) || plain[1].Contains(node);
                    Assert.Equal(isInList ? Errno.EINVAL : Errno.None,
                        graphs.ListPush(heads[which], node.Address, atTail, run));
                    list.InsertRange(atTail ? list.Count : 0, isInList ? [] : [node]);
                    break;
                case 1:
                    var popped = list.Count == 0 ? null : atTail ? list[^1] : list[0];
                    Assert.Equal(popped?.Address ?? 0, graphs.ListPop(heads[which], atTail, run));
                    Drop(popped, list, run);
                    break;
                case 2:
                    Give(node, run);
                    var isInTree = plain[2].Contains(node) || plain[3].Contains(node);
                    Assert.Equal(isInTree ? Errno.EINVAL : Errno.None,
                        graphs.TreeAdd(roots[which], node.Address + RbOffset, Less, run));
                    tree.InsertRange(tree.Count(n => Key(n) <= Key(node)), isInTree ? [] : [node]);
                    break;
                case 3:
                    var isThere = tree.Contains(node);
                    Assert.Equal(isThere ? node.Address + RbOffset : 0,
                        graphs.TreeRemove(roots[which], node.Address + RbOffset, run));
                    Drop(isThere ? node : null, tree, run);
                    break;
                case 4 when random.Next(10) == 0:
                    var isTree = random.Next(2) == 0;
                    var (field, root) = isTree ? (TreeRoot, roots[which]) : (ListRoot, heads[which]);
                    if (random.Next(2) == 0)
                    {
                        graphs.Free(field, root, 0);
                    }
                    else
                    {
                        core.DropKptr(field, core.Ledger.EmptySlot(root));
                    }

                    (isTree ? tree : list).Clear();
                    break;
            }

            for (var i = 0; i < 2; i++)
            {
                Assert.Equal(plain[i].Select(n => n.Address), Graphs.NodesOf(BtfFieldKind.ListHead, heads[i]));
                Assert.Equal(plain[2 + i].Select(n => n.Address + RbOffset),
                    Graphs.NodesOf(BtfFieldKind.RbRoot, roots[i]));
                Assert.Equal(
                    plain[2 + i].Select(n => n.Address + RbOffset).FirstOrDefault(), GraphTree.First(roots[i]));
                Assert.Equal(Addresses(plain[i]), graphs.ObjectsNow(BtfFieldKind.ListHead, heads[i]).Order());
                Assert.Equal(Addresses(plain[2 + i]), graphs.ObjectsNow(BtfFieldKind.RbRoot, roots[i]).Order());
            }

            Assert.All(nodes, n => Assert.Equal(1 + plain.Count(p => p.Contains(n)), n.Count.Value));
        }

        core.Faults.Should().BeEmpty();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Free_TakesTheLockBesideTheRoot_AndGivesItBack(bool isHeldAlready)
    {
        using var core = TestKernel.Boot();
        var run = new FakeRun();
        var value = core.Heap.AllocateBlock("value", 32);
        var node = New(core, run, 1);
        core.Graphs.ListPush(value, node.Address, atTail: true, run).Should().Be(Errno.None);
        if (isHeldAlready)
        {
            KernelSpinLock.Lock(core, value + 16).Should().BeTrue();
        }

        core.Graphs.Free(ListRoot, value, value + 16);

        core.Quiesce();
        node.IsFreed.Should().BeTrue();
        core.TakeFaults().Select(f => f.Code).Should().Equal(isHeldAlready ? [DiagCode.LockRecursion] : []);
        KernelSpinLock.Unlock(core, value + 16).Should().Be(isHeldAlready, "who held it holds it still");
        core.Thread.LockDepth.Should().Be(0);
    }

    [Fact]
    public void SpinLock_IsOneThreads_AndWhoWaitsGetsIt()
    {
        using var core = TestKernel.Boot();
        var at = core.Heap.AllocateBlock("lock", 8);
        KernelSpinLock.LockInside(core, at).Should().BeTrue();
        KernelSpinLock.LockInside(core, at).Should().BeFalse();
        core.TakeFaults().Should().ContainSingle().Which.Message.Should().Be(
            $"spin lock {at:x} is taken by the thread that holds it");
        var (isUnlockedByOther, isTaken) = (true, false);
        var other = new Thread(() =>
        {
            isUnlockedByOther = KernelSpinLock.Unlock(core, at);
            isTaken = KernelSpinLock.Lock(core, at) && KernelSpinLock.Unlock(core, at);
        });
        other.Start();
        SpinWait.SpinUntil(() => core.Faults.Count > 0, TimeSpan.FromSeconds(30)).Should().BeTrue();
        core.TakeFaults().Should().ContainSingle().Which.Message.Should().Be(
            $"spin lock {at:x} is given back by a thread that does not hold it");
        KernelSpinLock.Unlock(core, at).Should().BeTrue();
        other.Join(TimeSpan.FromSeconds(30)).Should().BeTrue();
        (isUnlockedByOther, isTaken, core.Thread.LockDepth).Should().Be((false, true, 0));
    }

    [Fact]
    public void RootThatHoldsWhatIsFreed_IsReported_AndNothingElse()
    {
        using var core = TestKernel.Boot();
        core.DropKptr(ListRoot, 0x1234_5678);
        core.DropKptr(TreeRoot, 0);
        var fault = core.TakeFaults().Should().ContainSingle().Subject;
        (fault.Code, fault.Object).Should().Be((DiagCode.RefUseAfterFree, "12345678"));
    }

    private static void Give(AllocatedObject node, FakeRun run)
    {
        node.TryAcquireCount().Should().BeTrue();
        node.Ledger.AcquiredByRun(node, run);
    }

    private static void Drop(AllocatedObject? node, List<AllocatedObject> from, FakeRun run)
    {
        if (node is not null)
        {
            from.Remove(node);
            ProgramRefs.Release(node, run);
        }
    }

    private static IEnumerable<ulong> Addresses(List<AllocatedObject> objects) =>
        objects.Select(n => n.Address).Order();
}
