using Kptr.Isa;
using Kptr.Specs;

namespace Kptr.Public.Tests.Events;

/// <summary>What running programs costs, and that none runs inside itself.</summary>
public class ProgStatsTests
{
    // Prints "hi", which C# hears while the program runs.
    private const string Print = """
        r1 = 0x6968
        *(u64 *)(r10 - 8) = r1
        r1 = r10
        r1 += -8
        r2 = 3
        call 6
        r0 = 0
        exit
        """;

    [Fact]
    public void Stats_AreCountedWhileTheyAreOn()
    {
        using var kernel = PublicKernel.Boot();
        using var obj = Load(kernel, ProgType.RawTracepoint, "raw_tp/sched_switch");
        var prog = obj.Programs["prog"];
        using var link = prog.Attach();
        kernel.Raise("sched_switch", 0, 0, 0, 0);
        prog.Stats.Should().Be(default(ProgStats));

        kernel.IsBpfStatsEnabled = true;
        kernel.Raise("sched_switch", 0, 0, 0, 0);
        prog.RunWithArgs(0, 0, 0, 0);
        kernel.IsBpfStatsEnabled = false;
        kernel.Raise("sched_switch", 0, 0, 0, 0);

        (prog.RunCount, prog.Stats.RunCount, prog.Stats.RecursionMisses).Should().Be((4, 2, 0));
        prog.Stats.RunTimeNs.Should().BePositive();
        prog.Stats.AverageNs.Should().BeApproximately(prog.Stats.RunTimeNs / 2.0, 1);
    }

    [Fact]
    public void Program_ThatCausesItsOwnEvent_MissesItAndOthersDoNot()
    {
        using var kernel = PublicKernel.Boot();
        using var first = Load(kernel, ProgType.RawTracepoint, "raw_tp/sched_switch");
        using var other = Load(kernel, ProgType.RawTracepoint, "raw_tp/sched_switch");
        var (one, two) = (first.Programs["prog"], other.Programs["prog"]);
        using var links = one.Attach();
        using var second = two.Attach();
        kernel.Traced += _ => kernel.Raise("sched_switch", 0, 0, 0, 0);

        kernel.Raise("sched_switch", 0, 0, 0, 0);

        // one { one missed, two { both missed } }, two { one { both missed }, two missed }
        (one.RunCount, two.RunCount).Should().Be((2, 2));
        (one.Stats.RecursionMisses, two.Stats.RecursionMisses).Should().Be((3, 3));
        kernel.Raise("sched_switch", 0, 0, 0, 0);
        one.RunCount.Should().Be(4, "it has left");
    }

    [Fact]
    public void Programs_OfProbesAndEvents_AreNotRunInsideEachOther()
    {
        using var kernel = PublicKernel.Boot();
        using var first = Load(kernel, ProgType.Kprobe, "kprobe/do_exit");
        using var other = Load(kernel, ProgType.Tracepoint, "tp/sched/sched_switch");
        var (probe, tp) = (first.Programs["prog"], other.Programs["prog"]);
        using var link = probe.Attach();
        using var second = tp.Attach();
        kernel.Traced += _ => kernel.RaiseEvent("sched/sched_switch", new byte[64]);

        kernel.Call("do_exit", [0]);

        (probe.RunCount, tp.RunCount, tp.Stats.RecursionMisses).Should().Be((1, 0, 1));
    }

    private static BpfObject Load(KernelModel kernel, ProgType type, string section)
    {
        var prog = new ProgSpec("prog", type, [.. TextAssembler.Assemble(Print).Insns])
        {
            SectionName = section, License = "GPL", AttachTarget = section[(section.IndexOf('/') + 1)..],
        };
        return BpfObject.From(new("text") { Progs = [prog] }).Load(kernel);
    }
}
