using Kptr.Diagnostics;
using Kptr.Kfuncs;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Public.Tests.Objects;

/// <summary>
/// What the kernel itself goes by (counts, links of lists, kptr slots) is nobody else's to write: a user's kfunc and a
/// user's C# may write all the rest, and the kernel lives on.
/// </summary>
public class KeptMemoryTests
{
    private const ulong Garbage = 0x4141414141414141;

    [Theory]
    [InlineData("usage.refs.counter")]
    [InlineData("rcu_users.refs.counter")]
    [InlineData("children.next")]
    [InlineData("sibling.prev")]
    [InlineData("tasks")]
    [InlineData("thread_node")]
    [InlineData("cg_list")]
    public void Write_CountOrLink_Throws(string path)
    {
        using var kernel = PublicKernel.Boot();
        var task = kernel.Tasks.Fork(kernel.Tasks.Init);
        var write = () => task.Write(path, 0x41414141u);

        write.Should().Throw<ArgumentException>().WithMessage("*is kept by the model*");
        kernel.Tasks.Fork(task);
        kernel.Tasks.Exec(task, "lives on");
    }

    [Fact]
    public void Write_CountOfAnOwnObject_Throws()
    {
        using var kernel = Boot();
        var widget = new OwnObjectTests.Widget(kernel);
        var write = () => widget.Write("usage.refs.counter", 7);

        write.Should().Throw<ArgumentException>();
        widget.Count.Value.Should().Be(1);
        KernelRef.Own(widget).Release();
        OwnObjectTests.WidgetKfuncs.Freed.Value = [];
        kernel.Quiesce();
    }

    [Fact]
    public void Kfunc_OverwritesAllItMay_KernelLivesOn()
    {
        using var kernel = Boot();
        using var obj = BpfObject.Open(System.IO.Path.Combine(
            Kptr.Tests.Shared.RepoRoot.Path, "tests", "data", "run", "widget.bpf.o")).Load(kernel);
        OwnObjectTests.WidgetKfuncs.Freed.Value = [];
        var cgroup = kernel.Cgroups.Create("a");
        var below = kernel.Cgroups.Create(cgroup, "b");
        var task = kernel.Tasks.Fork(kernel.Tasks.Init);
        var child = kernel.Tasks.Fork(task);
        obj.Programs["keep"].TestRun(BitConverter.GetBytes(5)).Should().Be(new ProgramResult(0, null));
        var slot = obj.Maps["slots"].ProgLookup(BitConverter.GetBytes(5), 0);

        var vandal = kernel.Single(static _ => new Vandal());
        vandal.Targets.AddRange(
        [
            (task.Address, (int)task.SizeBytes), (child.Address, (int)child.SizeBytes),
            (task.Read<ulong>("signal"), 1024), (task.Read<ulong>("cgroups"), 256),
            (cgroup.Address, (int)cgroup.SizeBytes),
            (below.Address, (int)below.SizeBytes), (slot, sizeof(ulong)),
        ]);
        obj.Programs["keep"].TestRun(BitConverter.GetBytes(6)).Fault.Should().BeNull();

        vandal.Refused.Should().Contain(slot, "a kptr is there");
        vandal.Refused.Should().HaveCountGreaterThan(7 * 2, "of each object some words are kept");
        vandal.Written.Should().BeGreaterThan(100);
        kernel.Tasks.Fork(task);
        kernel.Tasks.ForkThread(child);
        kernel.Tasks.Exec(child, "on");
        kernel.Cgroups.Create(cgroup, "c");
        kernel.Cgroups.Remove(below).Should().Be(Errno.None);
        kernel.Tasks.Exit(child);
        kernel.Tasks.Exit(task);
        kernel.Quiesce();
        obj.Dispose();
        kernel.Quiesce();
        OwnObjectTests.WidgetKfuncs.Freed.Value!.Should().BeEquivalentTo([5u, 6u]);
        kernel.Ledger.AssertAllReturned();
        kernel.TakeFaults().Should().BeEmpty();
    }

    private static KernelModel Boot() => new(new KernelModelOptions
    {
        Declarations = OwnObjectTests.Declarations,
        Kfuncs = KfuncRegistry.Builtin.With(typeof(VandalKfuncs)),
        LedgerLevel = LedgerLevel.Sites,
        Driver = DeferredDriver.Manual,
    });

    /// <summary>What a kfunc tries to write, and how far it got.</summary>
    public sealed class Vandal
    {
        public List<(ulong Address, int SizeBytes)> Targets { get; } = [];

        public List<ulong> Refused { get; } = [];

        public int Written { get; private set; }

        public void Overwrite(ProgContext ctx)
        {
            foreach (var (address, size) in Targets)
            {
                for (var at = address; at < address + (ulong)size; at += sizeof(ulong))
                {
                    try
                    {
                        ctx.Write(at, Garbage);
                        Written++;
                    }
                    catch (ProgramFaultException e) when (e.Code == DiagCode.CallBadMemory)
                    {
                        Refused.Add(at);
                    }
                }
            }
        }
    }

    public static class VandalKfuncs
    {
        [Kfunc("widget_create", KfuncFlags.Acquire | KfuncFlags.RetNull,
            Prototype = "struct widget *widget_create(u32 colour)")]
        public static KernelRef<OwnObjectTests.Widget>? Create(KernelCore core, uint colour) =>
            OwnObjectTests.WidgetKfuncs.Create(core, colour);

        [Kfunc("widget_colour", KfuncFlags.TrustedArgs, Prototype = "u32 widget_colour(struct widget *w)")]
        public static uint ColourOf(ProgContext ctx, OwnObjectTests.Widget widget)
        {
            ctx.Core.Single(static _ => new Vandal()).Overwrite(ctx);
            return widget.Colour;
        }

        [Kfunc("widget_put", KfuncFlags.Release, Prototype = "void widget_put(struct widget *w)",
            DestructorOf = "widget")]
        public static void Put(KernelRef<OwnObjectTests.Widget> widget) => widget.Release();
    }
}
