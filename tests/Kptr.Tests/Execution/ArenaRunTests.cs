using System.Runtime.InteropServices;
using Kptr.Execution;
using Kptr.Isa;
using Kptr.Maps;
using Kptr.Specs;
using Kptr.Tests.Kfuncs;

namespace Kptr.Tests.Execution;

/// <summary>Programs with an arena in each engine: casts, faults, pages, and C# at the other side.</summary>
public class ArenaRunTests : RunTestBase
{
    public static TheoryData<ExecEngine> AllEngines => Engines.All;

    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct Node(ulong Next, ulong Value);

    [Theory, MemberData(nameof(AllEngines))]
    public void Program_InEachEngine_PassesItsChecks(ExecEngine engine)
    {
        using var kernel = NewKernel(engine);
        using var obj = Load(kernel, "arena");
        foreach (var program in (string[])["pages", "faults", "atomics", "widths"])
        {
            // Twice: what the first run gave back, the second one takes.
            Run(obj, program).Should().Be(0, program);
            Run(obj, program).Should().Be(0, program);
        }

        var start = Arena(obj).UserVmStart;
        obj.Variables["for_user"].Get<ulong>().Should()
            .Be((start >> 32 << 32) | obj.Variables["shifted"].Get<ulong>());
        Arena(obj).PageCount.Should().Be(1, "only the variables' page is left");
        kernel.Faults.Should().BeEmpty();
    }

    [Theory, MemberData(nameof(AllEngines))]
    public void List_IsWalkedByPointers_OnBothSides(ExecEngine engine)
    {
        using var kernel = NewKernel(engine);
        using var obj = Load(kernel, "arena");
        obj.Variables["calls"].Set(50);
        Run(obj, "push").Should().Be(0);
        Run(obj, "push").Should().Be(0);
        var arena = Arena(obj);
        var head = obj.Variables["list"].Get<ulong>();
        head.Should().Be(obj.Variables["first_for_user"].Get<ulong>());
        var values = new List<ulong>();
        for (var at = head; at != 0; at = arena.Get<Node>(at).Next)
        {
            values.Add(arena.Get<Node>(at).Value);
        }

        values.Should().Equal(55, 54, 53, 52, 51, 50);

        // C# puts one in front, in a page that comes as it is touched.
        var mine = arena.UserVmEnd - 4096;
        arena.Set(mine, new Node(head, 1000));
        obj.Variables["list"].Set(mine);
        Run(obj, "sum").Should().Be(1000 + 50 + 51 + 52 + 53 + 54 + 55);
    }

    [Theory, MemberData(nameof(AllEngines))]
    public void ArenaWithoutUserPointers_KeepsTheLowHalf(ExecEngine engine)
    {
        using var kernel = NewKernel(engine);
        var spec = BpfObject.Open(TestData.Path("run", "arena.bpf.o")).Spec;
        using var obj = BpfObject.From(spec with
        {
            Maps = [.. spec.Maps.Select(
                m => m.Type == BpfMapType.Arena ? m with { Flags = m.Flags | MapFlags.NoUserConv } : m)],
        });
        obj.Load(kernel);

        Run(obj, "widths").Should().Be(0);
        Run(obj, "push").Should().Be(0);
        Run(obj, "sum").Should().Be(40 + 41 + 42);

        obj.Variables["for_user"].Get<ulong>().Should().Be(obj.Variables["shifted"].Get<ulong>());
    }

    [Theory, MemberData(nameof(AllEngines))]
    public void OrderedLoadsAndStores_DoAsPlainOnes(ExecEngine engine)
    {
        using var kernel = NewKernel(engine, KernelProfile.Linux7_2);
        var spec = BpfObject.Open(TestData.Path("run", "arena.bpf.o")).Spec;
        var ordered = 0;
        using var obj = BpfObject.From(spec with
        {
            Progs = [.. spec.Progs.Select(p => p with { Insns = [.. p.Insns.Select(Ordered)] })],
        });
        obj.Load(kernel);
        ordered.Should().BeGreaterThan(10);

        Run(obj, "push").Should().Be(0);
        Run(obj, "sum").Should().Be(40 + 41 + 42);
        kernel.Faults.Should().BeEmpty();

        BpfInsn Ordered(BpfInsn insn)
        {
            var isLoad = insn.Class == InsnClass.Ldx;
            if ((!isLoad && insn.Class != InsnClass.Stx) || (insn.Opcode & BpfOp.ModeMask) != BpfOp.Mem)
            {
                return insn;
            }

            ordered++;
            return new((byte)((byte)InsnClass.Stx | BpfOp.Atomic | (insn.Opcode & BpfOp.SizeMask)), insn.Dst, insn.Src,
                insn.Off, isLoad ? BpfOp.LoadAcq : BpfOp.StoreRel);
        }
    }

    private static KernelModel NewKernel(ExecEngine engine, KernelProfile? profile = null) => new(new()
    {
        Driver = Kptr.Objects.DeferredDriver.Manual, Engine = engine, Profile = profile ?? KernelProfile.Linux6_12,
    });

    private static ArenaMap Arena(BpfObject obj) => (ArenaMap)obj.Maps["space"];
}
