using System.Globalization;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Tests.Kfuncs;

namespace Kptr.Tests.Model;

/// <summary>Where programs can be attached, what their answers do, and what keeps them loaded.</summary>
public class AttachTests : RunTestBase
{
    private const string Function = "bpf_modify_return_test";

    [Fact]
    public void Function_Traced_RunsEntryThenInsteadThenBodyThenExit()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "hooks");
        using var links = Attach(obj, "at_entry", "instead", "at_exit");

        var result = kernel.Call(Function, [7, 0], () => 40);

        result.Should().Be(40);
        Read(obj, "trail").Should().Be(123);
        Read(obj, "seen_arg").Should().Be(7);
        Read(obj, "seen_ret").Should().Be(40);
        Read(obj, "seen_cookie").Should().Be(5);
        Read(obj, "seen_ip").Should().NotBe(0);
    }

    [Fact]
    public void FmodRet_AnsweringNonZero_TakesThePlaceOfTheBody()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "hooks");
        using var links = Attach(obj, "at_entry", "instead", "at_exit");
        Write(obj, "answer", -11);
        var calls = 0;

        kernel.Call(Function, [7, 0], () => ++calls).Should().Be(-11);

        calls.Should().Be(0);
        ((int)Read(obj, "seen_ret")).Should().Be(-11, "exit programs see the answer");
    }

    [Fact]
    public void Kprobe_AndKretprobe_SeeTheRegisters()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "hooks");
        using var links = Attach(obj, "probe", "ret_probe");

        kernel.Call(Function, [7, 8], () => 40);

        (Read(obj, "trail"), Read(obj, "seen_arg"), Read(obj, "seen_ret")).Should().Be((45, 8, 40));
    }

    [Fact]
    public void Lsm_Denying_KeepsTheOthersFromRunning()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "hooks");
        using var links = Attach(obj, "first", "second");
        var file = new KernelFile(kernel, "/etc/shadow");

        kernel.Call("file_open", [file.Address]).Should().Be(0);
        Read(obj, "trail").Should().Be(12);
        Write(obj, "answer", -13);

        kernel.Call("file_open", [file.Address]).Should().Be(-13);
        Read(obj, "trail").Should().Be(121, "the second was not asked");
        file.Close();
    }

    [Fact]
    public void Tracepoint_OfBytes_GetsItsRecord()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "hooks");
        var attach = () => obj.Programs["on_event"].Attach();
        attach.Should().Throw<ArgumentException>().WithMessage("*\"some/event\"*DeclareHook*");
        kernel.DeclareHook("some/event");
        using var link = attach();

        kernel.RaiseEvent("some/event", [0, 0, 0, 0, 0, 0, 0, 0, 42, 0, 0, 0, 0, 0, 0, 0]);

        Read(obj, "seen_arg").Should().Be(42);
    }

    [Fact]
    public void TaskIterator_WritesALineForEachTask_AndEndsWithNull()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "hooks");
        var a = kernel.Tasks.Fork(kernel.Tasks.Init, "a");
        var dead = kernel.Tasks.Fork(kernel.Tasks.Init, "dead");
        End(kernel, dead);

        var output = obj.Programs["each_task"].Iterate();

        output.Text.Should().Be(string.Create(CultureInfo.InvariantCulture, $"0 1\n1 {a.Pid}\nend\n"));
        (output.RunCount, output.Fault).Should().Be((3, null));
        a.Count.Value.Should().Be(2, "the iterator's own pin is given back");
    }

    [Theory]
    [InlineData(CgroupOrder.DescendantsPre, "top mid low other")]
    [InlineData(CgroupOrder.DescendantsPost, "low mid other top")]
    [InlineData(CgroupOrder.SelfOnly, "top")]
    public void CgroupIterator_GoesInTheOrderAskedFor(CgroupOrder order, string names)
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "hooks");
        var top = kernel.Cgroups.Create("top");
        var mid = kernel.Cgroups.Create(top, "mid");
        var all = new[] { top, mid, kernel.Cgroups.Create(mid, "low"), kernel.Cgroups.Create(top, "other") };

        var output = obj.Programs["each_cgroup"].Iterate(new() { Cgroup = top, Order = order });

        output.Text.Trim().Split(' ').Select(
            id => all.Single(c => c.Id.ToString(CultureInfo.InvariantCulture) == id).Name)
            .Should().Equal(names.Split(' '));
    }

    [Fact]
    public void MapIterator_MayWriteTheValues()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "hooks");
        Run(obj, "fill").Should().Be(0);

        obj.Programs["each_element"].Iterate(new() { Map = obj.Maps["numbers"] }).RunCount.Should().Be(4);

        var value = new byte[8];
        obj.Maps["numbers"].LookupElem(BitConverter.GetBytes(3), value).Should().Be(Errno.None);
        BitConverter.ToUInt64(value).Should().Be(60);
        Read(obj, "answer").Should().Be(3);
        obj.Programs["each_element"].Invoking(p => p.Iterate()).Should().Throw<ArgumentException>();
        using var small = MapFactory.Create(
            kernel, new MapSpec("small", BpfMapType.Array) { KeySize = 4, ValueSize = 4, MaxEntries = 1 });
        obj.Programs["each_element"].Invoking(p => p.Iterate(new() { Map = small })).Should()
            .Throw<ArgumentException>().WithMessage("*elements of 4 and 4 bytes*8*");
        obj.Programs["fill"].Invoking(p => p.Iterate()).Should().Throw<NotSupportedException>();
    }

    [Fact]
    public void StructOps_AreCalledFromCSharp_AndPinnedWhileRegistered()
    {
        using var kernel = new KernelModel(new KernelModelOptions
        {
            Declarations = """
                struct calc_ops { int (*add)(int a, int b); int (*scale)(int a); int factor; };
                struct bpf_struct_ops_common_value { refcount_t refcnt; int state; };
                struct bpf_struct_ops_calc_ops { struct bpf_struct_ops_common_value common; struct calc_ops data; };
                """,
        });
        using var obj = Load(kernel, "ops");
        var calc = obj.StructOps["calc"];

        calc.Call("add", 2, 3).Should().Be(new ProgramResult(5, null));
        calc.Invoking(c => c.Call("scale", 2)).Should().Throw<ArgumentException>();
        var program = obj.Programs["add"].Object;
        program.Count.Value.Should().Be(1);
        using (calc.Register())
        {
            calc.IsRegistered.Should().BeTrue();
            program.Count.Value.Should().Be(2);
            calc.Invoking(c => c.Register()).Should().Throw<InvalidOperationException>();
        }

        (calc.IsRegistered, program.Count.Value).Should().Be((false, 1));
    }

    [Fact]
    public void Program_IsPinnedByItsTimer_UntilTheMapLosesItsLastUser()
    {
        using var kernel = NewKernel();
        var obj = Load(kernel, "later");
        var program = obj.Programs["start_timer"].Object;
        Run(obj, "start_timer").Should().Be(0);                     // object, timer      2
        kernel.Ledger.WhoPins(program).Entries.Select(e => e.Holder.ToString())
            .Should().Equal("kernel (loaded object)", "kernel (timer in map \"alarms\")");

        Run(obj, "cancel_timer").Should().Be(0);                    // object             1
        program.Count.Value.Should().Be(1, "cancelling forgets the callback");
        obj.Maps["alarms"].DeleteElem(BitConverter.GetBytes(7)).Should().Be(Errno.None);
        Run(obj, "start_timer").Should().Be(0);                     // object, timer      2
        program.Count.Value.Should().Be(2);

        obj.Dispose();                                              // gone
        kernel.Quiesce();
        program.IsFreed.Should().BeTrue("the map's timers end with its last user");
        kernel.VirtualClock.Advance(TimeSpan.FromSeconds(1));
        kernel.Faults.Should().BeEmpty();
    }

    [Fact]
    public void Program_IsPinnedByItsLink_WhenTheObjectIsGone()
    {
        using var kernel = NewKernel();
        var obj = Load(kernel, "hooks");
        kernel.DeclareHook("anything");
        var link = obj.Programs["each_task"].AttachTo("anything");
        var program = link.Program.Object;

        obj.Dispose();
        kernel.Quiesce();
        kernel.Ledger.WhoPins(program).Entries.Select(e => e.Holder.ToString()).Should().Equal(
            "kernel (link to anything)");

        link.Dispose();
        kernel.Quiesce();
        program.IsFreed.Should().BeTrue();
    }

    private static Links Attach(BpfObject obj, params string[] programs) =>
        new([.. programs.Select(p => obj.Programs[p].Attach(cookie: 5))]);

    private static ulong Read(BpfObject obj, string variable) =>
        BitConverter.ToUInt64(Bss(obj), OffsetOf(obj, variable));

    private static void Write(BpfObject obj, string variable, long value)
    {
        var bss = Bss(obj);
        BitConverter.TryWriteBytes(bss.AsSpan(OffsetOf(obj, variable)), value);
        obj.Maps[".bss"].UpdateElem(new byte[4], bss).Should().Be(Errno.None);
    }

    private static byte[] Bss(BpfObject obj)
    {
        var bss = new byte[obj.Maps[".bss"].ValueSize];
        obj.Maps[".bss"].LookupElem(new byte[4], bss).Should().Be(Errno.None);
        return bss;
    }

    private static int OffsetOf(BpfObject obj, string variable)
    {
        var btf = obj.Spec.Btf!;
        var section = btf[obj.Maps[".bss"].Spec.ValueTypeId];
        return Enumerable.Range(0, section.VLen)
            .Select(section.Var)
            .Single(v => btf[v.TypeId].Name == variable).OffsetBytes;
    }

    private sealed class Links(List<BpfLink> all) : IDisposable
    {
        public void Dispose() => all.ForEach(l => l.Dispose());
    }
}
