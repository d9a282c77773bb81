using System.Runtime.CompilerServices;
using Kptr.Diagnostics;
using Kptr.Kfuncs;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Public.Tests.Objects;

/// <summary>A kernel object of a user's own: type, destructor and kfuncs, with the public API alone.</summary>
public class OwnObjectTests
{
    internal const string Declarations = "struct widget { u32 colour; refcount_t usage; };";

    [Fact]
    public void Widget_StoredByAProgram_LivesUntilItsSlotDies()
    {
        using var kernel = NewKernel();
        using var obj = BpfObject.Open(System.IO.Path.Combine(
            Kptr.Tests.Shared.RepoRoot.Path, "tests", "data", "run", "widget.bpf.o")).Load(kernel);

        obj.Programs["keep"].TestRun(BitConverter.GetBytes(5)).Should().Be(new ProgramResult(0, null));
        obj.Programs["keep"].TestRun(BitConverter.GetBytes(6)).Should().Be(new ProgramResult(0, null));
        kernel.Quiesce();
        WidgetKfuncs.Freed.Value!.Should().BeEmpty();

        obj.Maps["slots"].DeleteElem(BitConverter.GetBytes(5)).Should().Be(Errno.None);
        kernel.Quiesce();
        WidgetKfuncs.Freed.Value!.Should().Equal(5u);

        obj.Dispose();
        kernel.Quiesce();
        WidgetKfuncs.Freed.Value!.Should().Equal(5u, 6u);
        kernel.Ledger.AssertAllReturned();
    }

    [Fact]
    public void Widget_ThatAScopeForgets_IsNamed()
    {
        using var kernel = NewKernel();
        var forget = () =>
        {
            using var scope = kernel.EnterProgram("forgetful");
#pragma warning disable KPTR001 // the leak that is meant
            WidgetKfuncs.Create(kernel, 1);
#pragma warning restore KPTR001
        };

        forget.Should().Throw<KernelFaultException>().Which.Faults.Should().ContainSingle(
            f => f.Code == DiagCode.UnreleasedRefInScope);
    }

    [Fact]
    public void Object_FreedAtOnce_IsGoneWithoutAGracePeriod_AndNotWhileItIsHeld()
    {
        using var kernel = NewKernel();
        var scratch = new Scratch(kernel);
        var owned = KernelRef.Own(scratch);
        var early = scratch.EndEarly;
        early.Should().Throw<InvalidOperationException>().WithMessage("*1 references*");
        owned.Release();
        scratch.IsFreed.Should().BeTrue();
        WidgetKfuncs.Freed.Value!.Should().Equal(0u);
        kernel.Quiesce();
        kernel.Ledger.AssertAllReturned();
    }

    [Fact]
    public void Object_ThatEndsInWork_MaySleepThere()
    {
        using var kernel = NewKernel();
        var made = new Slow(kernel);
        using (kernel.EnterContext(ExecContext.Nmi))
        {
            KernelRef.Own(made).Release();
        }

        made.IsFreed.Should().BeFalse();
        kernel.Work.PendingCount.Should().Be(1);
        kernel.Quiesce();
        made.IsFreed.Should().BeTrue();
        kernel.Ledger.AssertAllReturned();
    }

    private sealed class Scratch(KernelCore core) : KernelObject(core, "widget", "usage.refs.counter")
    {
        internal void EndEarly() => FreeNow();

        protected override void OnLastRelease() => FreeNow();

        protected override void OnFree() => WidgetKfuncs.Freed.Value!.Add(Read<uint>("colour"));
    }

    private sealed class Slow(KernelCore core) : KernelObject(core, "widget", "usage.refs.counter")
    {
        protected override void OnLastRelease() => QueueWork(End, "the end of a slow object");

        private void End()
        {
            Core.Rcu.Synchronize();
            base.OnLastRelease();
        }
    }

    private static KernelModel NewKernel()
    {
        WidgetKfuncs.Freed.Value = [];
        return new(new KernelModelOptions
        {
            Declarations = Declarations,
            Kfuncs = KfuncRegistry.Builtin.With(typeof(WidgetKfuncs)),
            LedgerLevel = LedgerLevel.Sites,
            Driver = DeferredDriver.Manual,
        });
    }

    public sealed class Widget(KernelCore core) : KernelObject(core, "widget", "usage.refs.counter")
    {
        public uint Colour => Read<uint>("colour");

        protected override void OnFree() => WidgetKfuncs.Freed.Value!.Add(Colour);
    }

    public static class WidgetKfuncs
    {
        internal static readonly AsyncLocal<List<uint>> Freed = new();

        [Kfunc("widget_create", KfuncFlags.Acquire | KfuncFlags.RetNull,
            Prototype = "struct widget *widget_create(u32 colour)")]
        public static KernelRef<Widget>? Create(
            KernelCore core, uint colour, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0)
        {
            var widget = new Widget(core);
            widget.Write("colour", colour);
            return KernelRef.Own(widget, file, line);
        }

        [Kfunc("widget_colour", KfuncFlags.TrustedArgs, Prototype = "u32 widget_colour(struct widget *w)")]
        public static uint ColourOf(Widget widget) => widget.Colour;

        [Kfunc("widget_put", KfuncFlags.Release, Prototype = "void widget_put(struct widget *w)",
            DestructorOf = "widget")]
        public static void Put(KernelRef<Widget> widget) => widget.Release();
    }
}
