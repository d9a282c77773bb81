using Kptr.Diagnostics;
using Kptr.Kfuncs;
using Kptr.Objects;
using Kptr.Specs;

#pragma warning disable KPTR002 // misuse is part of what these tests are about

namespace Kptr.Tests.Objects;

/// <summary>The rules of counts, references and their ends, one each, and the words a fault is told in.</summary>
public class ReferenceRuleTests
{
    [Theory]
    [InlineData("", 0, null, -1, "(unknown)")]
    [InlineData("", 7, null, -1, "(unknown)")]
    [InlineData("/src/File.cs", 12, null, -1, "File.cs:12")]
    [InlineData("My.Method", 0, null, -1, "My.Method")]
    [InlineData("", 0, "prog", 0, "prog insn 0")]
    [InlineData("dir/file.c", 31, "prog", 14, "prog insn 14 (file.c:31)")]
    [InlineData("", 0, "my_put", -1, "my_put")]
    public void Site_IsToldByWhatIsKnownOfIt(string file, int line, string? prog, int insn, string text)
    {
        var site = new RefSite(file, line, prog, insn);
        site.ToString().Should().Be(text);
        site.IsKnown.Should().Be(text != "(unknown)");
        RefSite.Unknown.ToString().Should().Be("(unknown)");
    }

    [Fact]
    public void Fault_IsToldWithObjectAndPlaces_WhereTheyAreKnown()
    {
        var fault = new KernelFault(DiagCode.RefUseAfterFree, "it broke");
        var whole = fault with { Object = "task 7", Site = new("A.cs", 1), EarlierSite = new("B.cs", 2) };

        fault.ToString().Should().Be("it broke (RefUseAfterFree)");
        (fault with { Site = new("A.cs", 1) }).ToString().Should().Be("it broke, at A.cs:1 (RefUseAfterFree)");
        whole.ToString().Should().Be("task 7: it broke, at A.cs:1, earlier at B.cs:2 (RefUseAfterFree)");
        new KernelFaultException(fault, whole).Message.Should().Be(fault + Environment.NewLine + whole);
        new KernelFaultException(fault, whole).Faults.Should().Equal(fault, whole);
        foreach (var none in new[] { new KernelFaultException(), new KernelFaultException(faults: null!) })
        {
            (none.Message, none.Faults.Count).Should().Be(("kernel fault", 0));
        }
    }

    [Theory]
    [InlineData(LedgerLevel.Counts)]
    [InlineData(LedgerLevel.Sites)]
    public void Reference_EqualsItsCopies(LedgerLevel level)
    {
        using var core = TestKernel.Boot(level);
        var widget = new Widget(core);
        KernelRef<Widget> mine = KernelRef.Own(widget), copy = mine, others = KernelRef.Own(new Widget(core));
        var more = widget.TryAcquire()!.Value;

        (mine == copy, mine != copy, mine.Equals((object)copy)).Should().Be((true, false, true));
        (mine == others, mine != others, mine.Equals((object)7)).Should().Be((false, true, false));
        (mine == more).Should().Be(level == LedgerLevel.Counts, "references are told apart where they are followed");
        mine.ToString().Should().Be($"reference on {widget}");
        widget.ToString().Should().Be($"widget@{widget.Address:x}");
        (widget.Count == more.Target.Count, widget.Count != more.Target.Count).Should().Be((true, false));
        (widget.Count == others.Target.Count, widget.Count != others.Target.Count).Should().Be((false, true));
        more.Release();
        mine.Release();
        others.Release();
    }

    [Fact]
    public void Reference_OnNothing_SaysSo()
    {
        var none = default(KernelRef<Widget>);
        none.ToString().Should().Be("no reference");
        none.Release();
        none.Invoking(n => n.Target).Should().Throw<InvalidOperationException>()
            .WithMessage("a default KernelRef owns nothing");
        ((Action)(() => KernelRef.Own<Widget>(null!).Release())).Should().Throw<ArgumentNullException>();
        ((Action)(() => default(Widget)!.TryAcquire()?.Release())).Should().Throw<ArgumentNullException>();
    }

    [Fact]
    public void Target_OfAReleasedReference_IsReportedAsUsed()
    {
        foreach (var level in new[] { LedgerLevel.Counts, LedgerLevel.Sites })
        {
            using var core = TestKernel.Boot(level);
            var reference = KernelRef.Own(new Widget(core));
            reference.Release();
            _ = reference.Target;
            var fault = core.TakeFaults().Should().ContainSingle().Subject;
            (fault.Code, fault.Site.IsKnown).Should().Be((DiagCode.RefUsedAfterMove, true));
            fault.Message.Should().Be(level == LedgerLevel.Counts
                ? "a reference is used after the last one on its object was released"
                : "a reference was used after it had been released or moved");
        }
    }

    /// <summary>
    /// Each acquire at zero moves a dead count up by one; far up it is taken back, so that none ever leaves the band.
    /// </summary>
    [Fact]
    public unsafe void DeadCount_IsTakenBackBeforeItCouldComeAlive()
    {
        using var core = TestKernel.Boot();
        var address = core.Heap.AllocateBlock("count", 4);
        ref var raw = ref *(int*)address;
        var count = new RefCount(address);
        count.Set(0);
        var dead = raw;

        raw = dead + (1 << 20) - 1;
        count.TryIncNotZero().Should().Be(RefCountOutcome.Zero);
        raw.Should().Be(dead + (1 << 20), "it may be that far");
        count.TryIncNotZero().Should().Be(RefCountOutcome.Zero);
        raw.Should().Be(dead);
        foreach (var (value, isDead) in new[]
        {
            (dead - (1 << 28), true), (dead - (1 << 28) - 1, false), (dead + (1 << 28) - 1, true),
            (dead + (1 << 28), false),
        })
        {
            raw = value;
            count.Value.Should().Be(isDead ? 0 : value);
        }

        count.Set(1);
        count.Inc().Should().Be(RefCountOutcome.Counted);
        raw = 0;
        count.TryIncNotZero().Should().Be(RefCountOutcome.Counted, "nobody has declared it dead yet");
        raw = 0;
        count.DecAndTest().Should().Be(RefCountOutcome.UseAfterFree);
        raw = 0;
        count.Inc().Should().Be(RefCountOutcome.UseAfterFree);
        count.ToString().Should().Be("-1073741824");
    }

    [Fact]
    public void Count_ThatIsFull_SaturatesAndTheObjectLeaks()
    {
        using var core = TestKernel.Boot();
        var widget = new Widget(core);
        var first = KernelRef.Own(widget);
        widget.FillCount();
        var second = widget.TryAcquire();
        first.Release();

        second.Should().NotBeNull();
        core.TakeFaults().Select(f => (f.Code, f.Message, f.Object)).Should().Equal(
            (DiagCode.RefCountSaturated, "reference count saturated; the object leaks", widget.ToString()),
            (DiagCode.RefCountSaturated, "released while its count is saturated", widget.ToString()));
        widget.FillCount();
        widget.Count.Value.Should().Be(RefCount.SaturatedValue, "a count that is broken stays broken");
    }

    [Fact]
    public void Release_OfWhatTheKernelHolds_LeavesTheObjectForGood()
    {
        using var core = TestKernel.Boot();
        var held = new HeldWidget(core, () => [new KernelHolder("its own")]);
        KernelRef.Own(held).Release();
        core.Quiesce();

        core.TakeFaults().Should().ContainSingle().Which.Message.Should().Be(
            "released once more than it was acquired");
        (held.IsFreed, held.Count.Value).Should().Be((false, RefCount.SaturatedValue));
    }

    [Fact]
    public void Holders_ThatFailToAnswer_AreToldToWhoeverDrivesTheKernel()
    {
        using var core = TestKernel.Boot();
        var held = new HeldWidget(core, () => throw new InvalidOperationException("no answer"));
        KernelRef.Own(held).Release();

        core.Invoking(c => c.Quiesce()).Should().Throw<Exception>().WithMessage("*no answer*");
        core.Quiesce();
        held.IsFreed.Should().BeTrue("whoever does not answer holds nothing");
    }

    [Fact]
    public void Destructor_ThatThrows_LeavesTheObjectFreed()
    {
        using var core = TestKernel.Boot();
        var told = 0;
        var widget = new HeldWidget(core, () => []) { Freed = () => throw new InvalidOperationException("no end") };
        widget.Freeing += _ => told++;
        KernelRef.Own(widget).Release();

        core.Invoking(c => c.Quiesce()).Should().Throw<Exception>().WithMessage("*no end*");
        (told, widget.IsFreed, widget.LiveCount).Should().Be((1, true, 0));
        widget.FreeAgain();
        core.TakeFaults().Should().ContainSingle().Which.Should().Match<KernelFault>(
            f => f.Code == DiagCode.ObjectDoubleFree && f.Message == "freed twice");
        core.Ledger.AssertAllReturned();
    }

    [Fact]
    public void Object_IsFreedAtOnce_OnlyWhereNobodyHasAReference()
    {
        using var core = TestKernel.Boot();
        var widget = new HeldWidget(core, () => []);
        var reference = KernelRef.Own(widget);

        widget.Invoking(w => w.End()).Should().Throw<InvalidOperationException>()
            .WithMessage("widget@* has 1 references and is not to be freed");
        widget.AtLast = w => w.End();
        reference.Release();
        widget.IsFreed.Should().BeTrue("there was no grace period");
    }

    [Fact]
    public void Work_OfAnObject_RunsLaterAndOnce()
    {
        using var core = TestKernel.Boot();
        var widget = new HeldWidget(core, () => []);
        var runs = 0;
        widget.Later(() => runs++, "later");

        runs.Should().Be(0);
        core.Quiesce();
        core.Quiesce();
        runs.Should().Be(1);
        widget.Invoking(w => w.Later(null!, "x")).Should().Throw<ArgumentNullException>().WithParameterName("run");
        widget.Invoking(w => w.Later(() => { }, null!)).Should().Throw<ArgumentNullException>()
            .WithParameterName("name");
        KernelRef.Own(widget).Release();
    }

    [Fact]
    public void Field_TheModelGoesBy_IsNotWritten()
    {
        var spec = BuiltinKernel.Spec(KernelProfile.Linux6_12, KfuncRegistry.Builtin, Gadget.Declaration);
        using var kernel = new KernelCore(spec, new() { Driver = DeferredDriver.Manual });
        var gadget = new Gadget(kernel, 1);

        gadget.Invoking(g => g.Write("usage", 9)).Should().Throw<ArgumentException>()
            .WithMessage("gadget.usage is kept by the model and not to be written*").WithParameterName("path");
        gadget.Read<int>("usage").Should().Be(1);
        gadget.Invoking(g => g.Write("name", default(Kptr<Gadget>))).Should().Throw<ArgumentException>()
            .WithMessage("*kptr*");
        gadget.Invoking(g => g.Read<Kptr<Gadget>>("name")).Should().Throw<ArgumentException>().WithMessage("*kptr*");
        KernelRef.Own(gadget).Release();
        kernel.Quiesce();
        gadget.Write("serial", 3);
        gadget.Read<int>("serial").Should().Be(0);
        kernel.TakeFaults().Select(f => f.Message).Should().Equal(
            "serial is written after the object was freed", "serial is read after the object was freed");
    }

    [Fact]
    public void Users_OfTheKernelsOwn_AreToldByNameAndAsOftenAsTheyAre()
    {
        var users = new KernelUsers();
        foreach (var what in new[] { "b", "a", "b", "c", "b" })
        {
            users.Add(what);
        }

        users.Remove("c");
        users.Remove("b");
        users.Holders().Should().Equal(
            new KernelHolder("a"), new KernelHolder("b"), new KernelHolder("b"));
        users.Remove("c");
        users.Add("c");
        users.Holders().Should().HaveCount(4, "giving back what nobody has does not count");
    }

    [Fact]
    public unsafe void Slot_IsToldByItsObjectsAddress()
    {
        using var core = TestKernel.Boot();
        ref var slot = ref *(Kptr<Widget>*)core.Heap.AllocateBlock("slot", 8);
        var widget = new Widget(core);

        slot.ToString().Should().Be("empty");
        slot.Exchange(KernelRef.Own(widget)).Should().BeNull();
        slot.ToString().Should().Be($"Widget at {widget.Address:x}");
        slot.Exchange(null)!.Value.Release();
        slot.Exchange(null).Should().BeNull();
    }

    [Theory]
    [InlineData("acquire")]
    [InlineData("saturate")]
    public void Acquire_ThatAPlanFails_FailsOnce(string point)
    {
        var plan = new FaultPlan().Fail(point, subject: "widget");
        using var core = new KernelCore(TestKernel.Spec, new() { Driver = DeferredDriver.Manual, FaultPlan = plan });
        var widget = new Widget(core);
        var first = KernelRef.Own(widget);
        var failed = widget.TryAcquire();

        plan.InjectedCount.Should().Be(1);
        (failed is null).Should().Be(point == "acquire");
        core.TakeFaults().Should().HaveCount(point == "acquire" ? 0 : 1);
        widget.Count.Value.Should().Be(point == "acquire" ? 1 : RefCount.SaturatedValue);
        failed?.Release();
        var next = widget.TryAcquire();
        next.Should().NotBeNull();
        next?.Release();
        first.Release();
        (core.TakeFaults().Count == 0).Should().Be(point == "acquire");
    }

    private sealed class HeldWidget(KernelCore core, Func<IEnumerable<Holder>> holders)
        : KernelObject(core, "widget", "usage.refs.counter")
    {
        public Action? Freed { get; init; }

        public Action<HeldWidget>? AtLast { get; set; }

        public override IEnumerable<Holder> IntrinsicHolders() => holders();

        public void End() => FreeNow();

        public void FreeAgain() => Free();

        public void Later(Action run, string name) => QueueWork(run, name);

        protected override void OnFree() => Freed?.Invoke();

        protected override void OnLastRelease()
        {
            if (AtLast is { } atLast)
            {
                atLast(this);
            }
            else
            {
                base.OnLastRelease();
            }
        }
    }
}
