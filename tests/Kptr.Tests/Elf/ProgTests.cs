using Kptr.Btf;
using Kptr.Isa;
using Kptr.Specs;

namespace Kptr.Tests.Elf;

/// <summary>
/// Programs of tests/data/elf/calls.bpf.c: which subprograms are appended, where, and what calls become.
/// </summary>
public class ProgTests
{
    private static readonly ObjectSpec Spec = ElfObjects.Read("calls");

    [Fact]
    public void Section_SaysTypeAndWhetherToLoad()
    {
        Spec.Progs.Select(p => (p.Name, p.Type, p.SectionName, p.Autoload)).Should().BeEquivalentTo(new[]
        {
            ("calls_b", ProgType.SocketFilter, "socket", false),
            ("calls_a_and_callback", ProgType.SocketFilter, "socket", true),
            ("throws", ProgType.SchedCls, "tc", true),
            ("alone", ProgType.Xdp, "xdp", true),
        });
        Spec.Prog("alone").ExpectedAttachType.Should().Be(AttachType.Xdp);
    }

    [Theory]
    [InlineData("calls_b", new[] { "calls_b", "hidden_b", "leaf", "global_a" })] // hidden_b calls leaf before global_a
    [InlineData("calls_a_and_callback", new[] { "calls_a_and_callback", "global_a", "leaf", "each" })]
    [InlineData("throws", new[] { "throws", "on_exception" })] // never called, named by its tag
    [InlineData("alone", new[] { "alone" })]
    public void Subprograms_AreAppendedAtTheirFirstCall_DepthFirst(string program, string[] functions)
    {
        var prog = Spec.Prog(program);

        prog.FuncInfos.Select(f => Spec.Btf![f.TypeId].Name).Should().Equal(functions);
        prog.FuncInfos.Select(f => f.InsnIdx).Should().BeInAscendingOrder();
        prog.FuncInfos[0].InsnIdx.Should().Be(0);
    }

    [Theory]
    [InlineData("calls_b")]
    [InlineData("calls_a_and_callback")]
    public void Calls_LeadToTheStartOfAFunction(string program)
    {
        var prog = Spec.Prog(program);
        var starts = prog.FuncInfos.Select(f => f.InsnIdx).ToArray();
        var calls = prog.Insns.Select((insn, at) => (insn, at)).Where(i =>
            i.insn is { Opcode: (byte)InsnClass.Jmp + BpfOp.Call, Src: BpfOp.PseudoCall }
            or { Opcode: BpfOp.LdImm64, Src: BpfOp.PseudoFunc }).ToArray();

        calls.Should().NotBeEmpty();
        calls.Should().OnlyContain(c => starts.Contains(c.at + c.insn.Imm + 1));
    }

    [Fact]
    public void Callback_IsAnAddressOfAFunction()
    {
        Spec.Prog("calls_a_and_callback").Insns.Should().ContainSingle(
            i => i.Opcode == BpfOp.LdImm64 && i.Src == BpfOp.PseudoFunc);
    }

    [Fact]
    public void HiddenFunction_IsStaticToTheVerifier()
    {
        Spec.Btf![Spec.Btf.FindId("hidden_b", BtfKind.Func)].Linkage.Should().Be(0);
        Spec.Btf[Spec.Btf.FindId("global_a", BtfKind.Func)].Linkage.Should().Be(1);
    }

    [Fact]
    public void Lines_NameTheSourceOfEachInstruction()
    {
        var lines = Spec.Prog("calls_b").LineInfos;

        lines.Should().OnlyContain(l => l.File.EndsWith("calls.bpf.c"));
        lines.Should().Contain(l => l.Text.Contains("return hidden_b(2);"));
        lines.Select(l => l.InsnIdx).Should().BeInAscendingOrder();
    }
}
