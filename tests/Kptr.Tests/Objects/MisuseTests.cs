using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Tests.Maps;

#pragma warning disable KPTR002, KPTR003, KPTR004, KPTR005 // misuse is what these tests are about

namespace Kptr.Tests.Objects;

/// <summary>What C# does wrong with references, slots and values: said at once, with the object and the line.</summary>
public class MisuseTests
{
    private static WidgetEntry _elsewhere;

    [Fact]
    public void Peek_OutsideAReader_IsReported()
    {
        using var core = Boot();
        using var map = new HashMap<int, WidgetEntry>(core, 4);
        var widget = Put(map, 1);
        using (core.Rcu.ReadLock())
        {
            map.Lookup(1).Slot.Peek().Should().BeSameAs(widget);
        }

        core.Faults.Should().BeEmpty();
        map.Lookup(1).Slot.Peek().Should().BeSameAs(widget);
        ExpectFault(core, DiagCode.PeekOutsideRcu, widget);
        map.LookupOrInit(2).Slot.Peek().Should().BeNull();
        core.Faults.Should().BeEmpty("an empty slot shows nothing that could go away");
    }

    [Fact]
    public void Peek_InAReaderOfTheOtherFlavour_IsReported()
    {
        using var core = Boot();
        using var map = new HashMap<int, WidgetEntry>(core, 4);
        var widget = Put(map, 1);
        using (core.RcuTrace.ReadLock())
        {
            map.Lookup(1).Slot.Peek().Should().BeSameAs(widget);
        }

        ExpectFault(core, DiagCode.PeekOutsideRcu, widget);
    }

    [Fact]
    public void Nothing_IsLookedFor_WhereTheOptionsSayNone()
    {
        using var core = Boot(MisuseChecks.None);
        var map = new HashMap<int, WidgetEntry>(core, 4);
        var widget = Put(map, 1);
        map.Lookup(1).Slot.Peek().Should().BeSameAs(widget);
        var copy = map.Lookup(1);
        copy.Slot.Peek().Should().BeSameAs(widget);
        core.Faults.Should().BeEmpty();
        map.FreeNow();
        core.Ledger.AssertAllReturned();
    }

    [Theory]
    [InlineData(LedgerLevel.Counts, MisuseChecks.Default)]
    [InlineData(LedgerLevel.Counts, MisuseChecks.All)]
    [InlineData(LedgerLevel.Sites, MisuseChecks.Slots)]
    [InlineData(LedgerLevel.Full, MisuseChecks.Default)]
    public void CopiedSlot_OwnsNothingAndMovesNothing(LedgerLevel level, MisuseChecks checks)
    {
        using var core = Boot(checks, level);
        var map = new HashMap<int, WidgetEntry>(core, 4);
        var widget = Put(map, 1);
        var reader = core.Rcu.ReadLock();
        var local = map.Lookup(1);
        var boxed = new[] { map.Lookup(1) };
        _elsewhere = map.Lookup(1);
        ExpectRefused(core, widget, ref local.Slot);
        ExpectRefused(core, widget, ref boxed[0].Slot);
        ExpectRefused(core, widget, ref _elsewhere.Slot);
        var empty = default(WidgetEntry);
        ExpectNothingGoesIn(core, ref empty.Slot);
        map.Lookup(1).Slot.Peek().Should().BeSameAs(widget, "the slot itself is as it was");
        widget.Count.Value.Should().Be(1);
        core.Faults.Should().BeEmpty();
        reader.Dispose();
        map.FreeNow();
        core.Ledger.AssertAllReturned();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void SlotOfAMapThatIsGone_ThrowsOrReports_AndMovesNothing(bool isPoisoned)
    {
        using var core = new KernelCore(
            TestKernel.Spec, new() { Driver = DeferredDriver.Manual, IsMemoryChecked = isPoisoned });
        var map = new HashMap<int, WidgetEntry>(core, 4);
        ref var slot = ref map.LookupOrInit(1).Slot;
        map.FreeNow();
        if (!isPoisoned)
        {
            ExpectNothingGoesIn(core, ref slot);
            return;
        }

        var mine = KernelRef.Own(new Widget(core));
        Throws(ref slot, static (ref s) => s.Peek());
        Throws(ref slot, static (ref s) => s.Exchange(null));
        Throws(ref slot, (ref s) => s.Exchange(mine));
        mine.Release();
        core.Faults.Should().BeEmpty("the reference stayed the caller's");
        GC.KeepAlive(map);
    }

    [Fact]
    public void ValueCopiedOverAnother_IsFoundWhereTheLedgerFollowsReferences()
    {
        using var core = Boot(level: LedgerLevel.Sites);
        var map = new HashMap<int, WidgetEntry>(core, 4);
        var widget = Put(map, 1);
        map.LookupOrInit(2) = map.Lookup(1);
        map.LookupOrInit(3) = map.Lookup(1);
        map.Lookup(2).Slot.Exchange(null).Should().BeNull("nobody put it there");
        ExpectFault(core, DiagCode.KptrCopied, widget);
        map.Lookup(3).Slot.Exchange(KernelRef.Own(new Widget(core))).Should().BeNull();
        ExpectFault(core, DiagCode.KptrCopied, widget);
        var taken = map.Lookup(1).Slot.Exchange(null);
        taken!.Value.Release();
        core.Faults.Should().BeEmpty();
        map.FreeNow();
        core.Ledger.AssertAllReturned();
    }

    [Theory]
    [InlineData(LedgerLevel.Counts)]
    [InlineData(LedgerLevel.Sites)]
    public void ValueCopiedOverAnother_IsNoStateToEndIn(LedgerLevel level)
    {
        using var core = Boot(level: level);
        using var map = new HashMap<int, WidgetEntry>(core, 4);
        Put(map, 1);
        core.Ledger.AssertNoLeaks();
        map.LookupOrInit(2) = map.Lookup(1);
        var assert = () => core.Ledger.AssertNoLeaks();
        assert.Should().Throw<LedgerLeakException>().Which.Faults.Should().ContainSingle().Which.Message.Should().Match(
            "more slots hold it than its count of 1 has room for*map \"hash\", key 1, field Slot*map \"hash\", "
                + "key 2, field Slot*");
        map.Lookup(2) = default;
        core.Ledger.AssertNoLeaks();
    }

    [Fact]
    public void FreedObjectInASlot_IsNoStateToEndIn()
    {
        using var core = Boot(MisuseChecks.None);
        using var map = new HashMap<int, WidgetEntry>(core, 4);
        var reference = KernelRef.Own(new Widget(core));
        reference.Release();
        map.LookupOrInit(1).Slot.Exchange(reference);
        core.Quiesce();
        var assert = () => core.Ledger.AssertNoLeaks();
        assert.Should().Throw<LedgerLeakException>().Which.Faults.Should().ContainSingle().Which.Message.Should().Match(
            "slots hold an object that is freed: map \"hash\", key 1, field Slot");
        map.Lookup(1) = default;
    }

    [Theory]
    [InlineData(MisuseChecks.None)]
    [InlineData(MisuseChecks.References)]
    public void Target_AfterTheLastRelease_IsReported(MisuseChecks checks)
    {
        using var core = Boot(checks);
        var widget = new Widget(core);
        var reference = KernelRef.Own(widget);
        _ = reference.Target;
        core.Faults.Should().BeEmpty();
        reference.Release("Tracker.cs", 12);
        reference.Target.Should().BeSameAs(widget);
        ExpectFault(core, DiagCode.RefUsedAfterMove, widget).EarlierSite.Should().Be(new RefSite("Tracker.cs", 12));
        core.Quiesce();
        reference.TryClone().Should().BeNull();
        ExpectFault(core, DiagCode.RefUsedAfterMove, widget);
    }

    [Theory]
    [InlineData(MisuseChecks.Slots)]
    [InlineData(MisuseChecks.References)]
    public void Exchange_OfAReleasedReference_MovesNothing(MisuseChecks checks)
    {
        using var core = Boot(checks);
        var map = new HashMap<int, WidgetEntry>(core, 4);
        var held = Put(map, 1);
        map.LookupOrInit(2);
        var gone = new Widget(core);
        var reference = KernelRef.Own(gone);
        reference.Release();
        map.Lookup(1).Slot.Exchange(reference).Should().BeNull();
        ExpectFault(core, DiagCode.RefUsedAfterMove, gone);
        map.Lookup(2).Slot.Exchange(reference).Should().BeNull();
        ExpectFault(core, DiagCode.RefUsedAfterMove, gone);
        map.Lookup(2).Slot.IsNull.Should().BeTrue();
        core.Quiesce();
        var taken = map.Lookup(1).Slot.Exchange(null);
        taken!.Value.Target.Should().BeSameAs(held);
        taken.Value.Release();
        map.FreeNow();
        core.Ledger.AssertAllReturned();
    }

    [Fact]
    public void SecondCopyOfAReference_IsFoundWhereReferencesAreChecked_AtCounts()
    {
        using var core = Boot(MisuseChecks.References);
        var map = new HashMap<int, WidgetEntry>(core, 4);
        var widget = new Widget(core);
        var first = KernelRef.Own(widget);                          // count 1
        var second = widget.TryAcquire()!.Value;                    // count 2
        var copy = second;
        map.LookupOrInit(1).Slot.Exchange(second, "A.cs", 1);       // the slot owns it
        copy.Release("B.cs", 2);                                    // fault, count 2
        var fault = ExpectFault(core, DiagCode.RefReleasedTwice, widget);
        (fault.Site, fault.EarlierSite).Should().Be((new RefSite("B.cs", 2), new RefSite("A.cs", 1)));
        _ = copy.Target;
        ExpectFault(core, DiagCode.RefUsedAfterMove, widget);
        map.LookupOrInit(2).Slot.Exchange(copy).Should().BeNull();  // fault, nothing moves
        ExpectFault(core, DiagCode.RefUsedAfterMove, widget);
        map.Lookup(2).Slot.IsNull.Should().BeTrue();
        widget.Count.Value.Should().Be(2);
        var back = map.Lookup(1).Slot.Exchange(null)!.Value;        // count 2
        var alias = back;
        back.Dispose();                                             // count 1
        alias.Dispose();                                            // fault, count 1
        ExpectFault(core, DiagCode.RefReleasedTwice, widget);
        first.Release();                                            // count 0
        map.FreeNow();
        core.Ledger.AssertAllReturned();
    }

    [Fact]
    public void SecondReleaseThroughDispose_NamesTheLine()
    {
        using var core = Boot(MisuseChecks.None);
        var widget = new Widget(core);
        var reference = KernelRef.Own(widget);
        reference.Dispose();
        reference.Dispose();
        ExpectFault(core, DiagCode.RefCountUnderflow, widget);
    }

    public static TheoryData<string> Lookups =>
        ["hash", "hash span", "percpu", "percpu cpu", "lru", "rhash", "view", "storage", "storage init"];

    [Theory, MemberData(nameof(Lookups))]
    public void RefToAValue_TakenOutsideBothReaders_IsReported(string lookup)
    {
        using var core = new KernelCore(
            TestKernel.Spec with { Profile = KernelProfile.Linux7_2 },
            new() { Driver = DeferredDriver.Manual, MisuseChecks = MisuseChecks.Values });
        var look = Lookup(core, lookup);
        using (core.Rcu.ReadLock())
        {
            look().Should().BeTrue();
        }

        using (core.RcuTrace.ReadLock())
        {
            look().Should().BeTrue();
        }

        core.Faults.Should().BeEmpty();
        look().Should().BeTrue();
        var fault = core.TakeFaults().Should().ContainSingle().Subject;
        fault.Code.Should().Be(DiagCode.ValueOutsideRcu);
        fault.Object.Should().StartWith("map \"");
        fault.Site.File.Should().EndWith("MisuseTests.cs");
    }

    [Fact]
    public void RefToAValue_OfAnArray_IsGoodAsLongAsTheMap()
    {
        using var core = Boot(MisuseChecks.All);
        using var array = new ArrayMap<Plain24>(core, 4);
        using var percpu = new PercpuArrayMap<Plain24>(core, 4);
        array[1].A = 7;
        percpu.Lookup(1).A = 7;
        array.As<int, Plain24>().Lookup(1).A.Should().Be(7);
        core.Faults.Should().BeEmpty();
    }

    [Fact]
    public void Handler_MayAskTheLedgerAndTheMapAboutEachFault()
    {
        using var core = Boot(MisuseChecks.All, LedgerLevel.Sites);
        using var map = new HashMap<int, WidgetEntry>(core, 4);
        var seen = new List<string>();
        var widget = Put(map, 1);
        core.FaultReported += (_, fault) =>
        {
            using var reader = core.Rcu.ReadLock();
            core.Ledger.Snapshot();
            seen.Add($"{fault.Code} {core.Ledger.WhoPins(widget).Count} {map.Lookup(1).Slot.IsNull}");
        };
        var mine = widget.TryAcquire()!.Value;
        mine.Release();
        mine.Release();
        _ = mine.Target;
        map.Lookup(1).Slot.Exchange(mine);
        map.Lookup(1).Slot.Peek();
        var copy = map.Lookup(1);
        copy.Slot.Exchange(null);
        seen.Select(s => s.Split(' ')[0]).Distinct().Should().BeEquivalentTo(
            "RefReleasedTwice", "RefUsedAfterMove", "ValueOutsideRcu", "PeekOutsideRcu", "KptrCopied");
        core.TakeFaults();
    }

    [Fact]
    public void ThrowOnFault_ThrowsWhereItHappens()
    {
        using var core = new KernelCore(TestKernel.Spec, new() { Driver = DeferredDriver.Manual, ThrowOnFault = true });
        using var map = new HashMap<int, WidgetEntry>(core, 4);
        Put(map, 1);
        var peek = () => map.Lookup(1).Slot.Peek();
        peek.Should().Throw<KernelFaultException>().Which.Faults[0].Code.Should().Be(DiagCode.PeekOutsideRcu);
    }

    [Fact]
    public void ThrowOnFault_MovesNothingEither()
    {
        using var core = new KernelCore(TestKernel.Spec, new() { Driver = DeferredDriver.Manual, ThrowOnFault = true });
        var map = new HashMap<int, WidgetEntry>(core, 4);
        var widget = Put(map, 1);
        var copies = new[] { map.Lookup(1), default };
        var mine = KernelRef.Own(new Widget(core));
        Action[] uses =
        [
            () => copies[0].Slot.Exchange(null), () => copies[0].Slot.Exchange(mine),
            () => copies[1].Slot.Exchange(mine),
            () => copies[0].Slot.Peek(),
        ];
        uses.Should().AllSatisfy(use => use.Should().Throw<KernelFaultException>());
        (copies[0].Slot.IsNull, copies[1].Slot.IsNull).Should().Be((false, true));
        core.TakeFaults().Should().HaveCount(uses.Length);
        (widget.Count.Value, mine.Target.Count.Value).Should().Be((1, 1));
        mine.Release();
        map.FreeNow();
        core.Ledger.AssertAllReturned();
    }

    private static KernelCore Boot(
        MisuseChecks checks = MisuseChecks.Default, LedgerLevel level = LedgerLevel.Counts) =>
            new(TestKernel.Spec, new() { Driver = DeferredDriver.Manual, MisuseChecks = checks, LedgerLevel = level });

    private static Widget Put(HashMap<int, WidgetEntry> map, int key)
    {
        var widget = new Widget(map.Core);
        using var reader = map.Core.Rcu.ReadLock();
        map.LookupOrInit(key).Slot.Exchange(KernelRef.Own(widget)).Should().BeNull();
        return widget;
    }

    private static Func<bool> Lookup(KernelCore core, string lookup)
    {
        var hash = new HashMap<int, Plain24>(core, 4);
        var percpu = new PercpuHashMap<int, Plain24>(core, 4);
        var lru = new LruHashMap<int, Plain24>(core, 4);
        var rhash = new RhashMap<int, Plain24>(core, 4);
        var storage = new LocalStorageMap<TaskStruct, Plain24>(core);
        hash.Update(1, new() { A = 7 });
        percpu.Update(1, new() { A = 7 });
        lru.Update(1, new() { A = 7 });
        rhash.Update(1, new() { A = 7 });
        storage.Update(core.Tasks.Init, new() { A = 7 });
        return lookup switch
        {
            "hash" => () => hash.Lookup(1).A == 7,
            "hash span" => () => hash.LookupSpan(BitConverter.GetBytes(1))[0] == 7,
            "percpu" => () => percpu.Lookup(1).A == 7,
            "percpu cpu" => () => percpu.Lookup(1, cpu: 1).A == 7,
            "lru" => () => lru.Lookup(1).A == 7,
            "rhash" => () => rhash.LookupOrInit(1).A == 7,
            "view" => () => hash.As<int, Plain24>().Lookup(1).A == 7,
            "storage" => () => storage.Lookup(core.Tasks.Init).A == 7,
            _ => () => storage.LookupOrInit(core.Tasks.Init).A == 7,
        };
    }

    private static void ExpectRefused(KernelCore core, Widget widget, ref Kptr<Widget> copy)
    {
        copy.Peek().Should().BeNull();
        ExpectFault(core, DiagCode.KptrCopied, widget);
        copy.Exchange(null).Should().BeNull();
        ExpectFault(core, DiagCode.KptrCopied, widget);
        ExpectNothingGoesIn(core, ref copy);
        copy.IsNull.Should().BeFalse("nothing moved");
    }

    private static void ExpectNothingGoesIn(KernelCore core, ref Kptr<Widget> copy)
    {
        var mine = KernelRef.Own(new Widget(core));
        var was = copy.IsNull;
        copy.Exchange(mine).Should().BeNull();
        var fault = core.TakeFaults().Should().ContainSingle().Subject;
        fault.Code.Should().Be(DiagCode.KptrCopied);
        fault.Site.File.Should().EndWith("MisuseTests.cs");
        copy.IsNull.Should().Be(was);
        mine.Release();
        core.Faults.Should().BeEmpty("the reference stayed the caller's");
    }

    private delegate void SlotUse(ref Kptr<Widget> slot);

    private static void Throws(ref Kptr<Widget> slot, SlotUse use)
    {
        try
        {
            use(ref slot);
        }
        catch (ObjectDisposedException)
        {
            slot.IsNull.Should().BeFalse("the poison stays");
            return;
        }

        Assert.Fail("a slot of a map that is gone was used");
    }

    private static KernelFault ExpectFault(KernelCore core, DiagCode code, Widget about)
    {
        var fault = core.TakeFaults().Should().ContainSingle().Subject;
        fault.Code.Should().Be(code);
        fault.Object.Should().Be(about.ToString());
        fault.Site.IsKnown.Should().BeTrue();
        return fault;
    }
}
