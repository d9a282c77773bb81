using Kptr.Diagnostics;
using Kptr.Objects;

#pragma warning disable KPTR002 // misuse is part of what these tests are about

namespace Kptr.Tests.Objects;

public class KernelRefTests
{
    [Fact]
    public void Release_LastReference_FreesAfterAGracePeriod()
    {
        using var core = TestKernel.Boot();
        var widget = new Widget(core);
        var first = KernelRef.Own(widget);          // count 1
        var second = widget.TryAcquire()!.Value;    // count 2
        first.Release();                            // count 1
        widget.Count.Value.Should().Be(1);
        second.Release();                           // count 0
        widget.IsFreed.Should().BeFalse("the grace period has not ended");
        core.Rcu.Step().Should().Be(1);
        widget.IsFreed.Should().BeTrue();
        widget.DestructorRuns.Should().Be(1);
        core.Ledger.AssertNoLeaks();
    }

    [Fact]
    public void TryAcquire_AfterTheLastRelease_GivesNull()
    {
        using var core = TestKernel.Boot();
        var widget = new Widget(core);
        KernelRef.Own(widget).Release();
        widget.TryAcquire().Should().BeNull();
        core.Faults.Should().BeEmpty();
    }

    [Fact]
    public void Release_OnceTooOften_IsReportedWithBothSitesEvenAtCounts()
    {
        using var core = TestKernel.Boot();
        var reference = KernelRef.Own(new Widget(core));
        reference.Release("A.cs", 10);
        reference.Release("B.cs", 20);
        core.Quiesce();
        reference.Release("C.cs", 30);              // freed by now
        core.Faults.Should().OnlyContain(
            f => f.Code == DiagCode.RefCountUnderflow && f.EarlierSite == new RefSite("A.cs", 10));
        core.Faults.Select(f => f.Site).Should().Equal(new RefSite("B.cs", 20), new RefSite("C.cs", 30));
    }

    [Theory]
    [InlineData(LedgerLevel.Sites)]
    [InlineData(LedgerLevel.Full)]
    public void Release_Twice_IsReportedWithBothSitesAndTheCountStays(LedgerLevel level)
    {
        using var core = TestKernel.Boot(level);
        var widget = new Widget(core);
        var first = KernelRef.Own(widget);          // count 1
        var second = widget.TryAcquire()!.Value;    // count 2
        second.Release("A.cs", 10);                 // count 1
        second.Release("B.cs", 20);                 // fault, count 1
        widget.Count.Value.Should().Be(1);
        var fault = core.TakeFaults().Should().ContainSingle().Subject;
        fault.Code.Should().Be(DiagCode.RefReleasedTwice);
        fault.Site.Should().Be(new RefSite("B.cs", 20));
        fault.EarlierSite.Should().Be(new RefSite("A.cs", 10));
        first.Release();
    }

    [Fact]
    public void Target_AfterAMove_IsReported()
    {
        using var core = TestKernel.Boot(LedgerLevel.Sites);
        var block = core.Heap.AllocateBlock("slot", 8);
        ref var slot = ref SlotAt(block);
        var reference = KernelRef.Own(new Widget(core));
        slot.Exchange(reference).Should().BeNull();
        _ = reference.Target;
        core.TakeFaults().Should().ContainSingle().Which.Code.Should().Be(DiagCode.RefUsedAfterMove);
        slot.Exchange(null)!.Value.Release();
        core.Quiesce();
        core.Ledger.AssertNoLeaks();
    }

    [Theory]
    [InlineData(LedgerLevel.Counts)]
    [InlineData(LedgerLevel.Sites)]
    [InlineData(LedgerLevel.Full)]
    public void Exchange_MovesTheReferenceInAndOut(LedgerLevel level)
    {
        using var core = TestKernel.Boot(level);
        ref var slot = ref SlotAt(core.Heap.AllocateBlock("slot", 8));
        Widget a = new(core), b = new(core);
        slot.Exchange(KernelRef.Own(a)).Should().BeNull();          // slot owns a
        var old = slot.Exchange(KernelRef.Own(b));                  // slot owns b, old owns a
        old!.Value.Target.Should().BeSameAs(a);
        using (core.Rcu.ReadLock())
        {
            slot.Peek().Should().BeSameAs(b);
        }

        a.Count.Value.Should().Be(1);
        b.Count.Value.Should().Be(1);
        old.Value.Release();                                        // a: 0
        var last = slot.Exchange(null);                             // slot empty
        slot.IsNull.Should().BeTrue();
        last!.Value.Release();                                      // b: 0
        core.Quiesce();
        (a.DestructorRuns, b.DestructorRuns).Should().Be((1, 1));
        core.Ledger.AssertAllReturned();
    }

    [Theory]
    [InlineData(LedgerLevel.Counts)]
    [InlineData(LedgerLevel.Sites)]
    public void EnterProgram_LeftWithAReference_ThrowsAndNamesTheSite(LedgerLevel level)
    {
        using var core = TestKernel.Boot(level);
        var widget = new Widget(core);
        using var own = KernelRef.Own(widget);
        var scope = core.EnterProgram("handler");
        var kept = widget.TryAcquire("Handler.cs", 7)!.Value;
        widget.TryAcquire("Handler.cs", 8)!.Value.Release();
        var leave = () => scope.Dispose();
        var fault = leave.Should().Throw<KernelFaultException>().Which.Faults.Should().ContainSingle().Subject;
        fault.Code.Should().Be(DiagCode.UnreleasedRefInScope);
        fault.EarlierSite.Should().Be(new RefSite("Handler.cs", 7));
        kept.Release();
    }

    [Theory]
    [InlineData(LedgerLevel.Counts)]
    [InlineData(LedgerLevel.Sites)]
    public void EnterProgram_StoredInASlot_IsFine(LedgerLevel level)
    {
        using var core = TestKernel.Boot(level);
        ref var slot = ref SlotAt(core.Heap.AllocateBlock("slot", 8));
        var widget = new Widget(core);
        var own = KernelRef.Own(widget);
        using (core.EnterProgram("handler"))
        {
            slot.Exchange(widget.TryAcquire())?.Release();
        }

        using (core.EnterProgram("handler"))
        {
            slot.Exchange(null)!.Value.Release();
        }

        own.Release();
        core.Quiesce();
        core.Ledger.AssertAllReturned();
    }

    private static unsafe ref Kptr<Widget> SlotAt(ulong address) => ref *(Kptr<Widget>*)address;
}
