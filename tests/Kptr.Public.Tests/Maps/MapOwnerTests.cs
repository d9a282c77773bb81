using Kptr.Diagnostics;
using Kptr.Isa;
using Kptr.Maps;
using Kptr.Specs;

namespace Kptr.Public.Tests.Maps;

/// <summary>
/// A map that can hold programs belongs to programs like the first that uses it: a tail call keeps its caller's
/// context.
/// </summary>
public class MapOwnerTests
{
    private static readonly MapSpec s_table =
        new("table", BpfMapType.ProgArray) { KeySize = 4, ValueSize = 4, MaxEntries = 2 };

    [Fact]
    public void Load_OfTwoKindsOfProgramsWithOneTable_IsRefused()
    {
        using var kernel = new KernelModel();
        using var both = BpfObject.From(Object(Caller("first", ProgType.Xdp), Caller("second", ProgType.SchedCls)));
        var load = () => both.Load(kernel);
        var told = load.Should().Throw<DiagnosticException>().Which.Diagnostics.Should().ContainSingle().Which;
        told.Code.Should().Be(DiagCode.MapIncompatible);
        told.Message.Should().Contain("second").And.Contain("table");
        kernel.Quiesce();
        kernel.Ledger.AssertAllReturned();
    }

    [Fact]
    public void Set_TakesProgramsOfTheTablesKindOnly()
    {
        using var kernel = new KernelModel();
        using var callers = BpfObject.From(
            Object(Caller("first", ProgType.Xdp), Plain("packet", ProgType.Xdp))).Load(kernel);
        using var others = BpfObject.From(
            new("others") { Progs = [Plain("filter", ProgType.SocketFilter)] }).Load(kernel);
        var table = (ProgArrayMap)callers.Maps["table"];
        table.Set(0, others.Programs["filter"]).Should().Be(Errno.EINVAL);
        table.Set(2, others.Programs["filter"]).Should().Be(Errno.E2BIG);
        table.TargetAt(0).Should().BeNull();
        table.Set(0, callers.Programs["packet"]).Should().Be(Errno.None);
    }

    [Fact]
    public void Set_IntoATableThatNobodyUses_MakesItThePrograms()
    {
        using var kernel = new KernelModel();
        using var plain = BpfObject.From(
            new("plain") { Progs = [Plain("packet", ProgType.Xdp), Plain("filter", ProgType.SocketFilter)] })
            .Load(kernel);
        using var table = new ProgArrayMap(kernel, s_table);
        table.Set(0, plain.Programs["filter"]).Should().Be(Errno.None);
        table.Set(1, plain.Programs["packet"]).Should().Be(Errno.EINVAL);
        table.Set(0, null).Should().Be(Errno.None);
        table.Set(1, plain.Programs["packet"]).Should().Be(Errno.EINVAL, "it stays theirs");
    }

    private static ObjectSpec Object(params ProgSpec[] progs) => new("tails") { Maps = [s_table], Progs = [.. progs] };

    private static ProgSpec Caller(string name, ProgType type) => Plain(name, type) with
    {
        Maps = [s_table],
        Insns = TextAssembler.Assemble($"""
            ld_pseudo r2, {BpfOp.PseudoMapFd}, 0, 0
            r3 = 0
            call 12
            r0 = 0
            exit
            """).Insns,
    };

    private static ProgSpec Plain(string name, ProgType type) =>
        new(name, type, TextAssembler.Assemble("r0 = 0\nexit").Insns) { License = "GPL" };
}
