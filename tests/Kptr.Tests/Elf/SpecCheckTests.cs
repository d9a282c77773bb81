using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Elf;
using Kptr.Isa;
using Kptr.Specs;

namespace Kptr.Tests.Elf;

/// <summary>Blueprints made by hand that refer to what is not there.</summary>
public class SpecCheckTests
{
    private static readonly BpfInsn Exit = new((byte)InsnClass.Jmp | BpfOp.Exit, 0, 0, 0, 0);

    public static TheoryData<ProgSpec> Broken =>
    [
        Prog() with { FdInsns = [1] },
        Prog() with { FdInsns = [-1] },
        Prog() with { Relocs = [new(0, ProgRelocKind.Map, "m")] }, // an address has two slots
        Prog() with { Relocs = [new(-1, ProgRelocKind.KfuncCall, "f")] },
        Prog() with { Relocs = [new(0, ProgRelocKind.KfuncCall, "f")] }, // without BTF
        Prog() with { Relocs = [new(int.MaxValue, ProgRelocKind.TypedKsym, "v")] },
        Prog() with { CoReRelocs = [new(0, CoReKind.TypeExists, 1, "0")] },
    ];

    [Theory, MemberData(nameof(Broken))]
    public void Link_OfAProgramThatRefersToNothing_IsRefused(ProgSpec prog) =>
        Link(new("o") { Progs = [prog] }).Should().Throw<ArgumentException>().WithMessage("*'p'*not there*");

    [Fact]
    public void Link_OfAMapOrExternWithoutItsType_IsRefused()
    {
        Link(new("o") { Maps = [new("m", BpfMapType.Hash) { ValueTypeId = 1 }] }).Should().Throw<ArgumentException>();
        Link(new("o") { Maps = [new("m", BpfMapType.StructOps) { StructOps = new("t", []) }] })
            .Should().Throw<ArgumentException>();
        Link(new("o") { Externs = [new("e", ExternKind.KsymVar, false, 7)] }).Should().Throw<ArgumentException>();
    }

    [Fact]
    public void Link_OfTypesThatAreSplit_IsRefused()
    {
        var kernel = CDeclParser.Parse("struct b { int a; };", "base");
        var split = CDeclParser.Parse("struct more { int a; };", "split", kernel);
        Link(new("o") { Btf = split }).Should().Throw<ArgumentException>().WithMessage("*on their own*");
    }

    private static ProgSpec Prog() => new("p", ProgType.SocketFilter, [Exit]);

    private static Action Link(ObjectSpec spec) =>
        () => ObjectLinker.Link(spec, ElfObjects.Kernel("struct task_struct { int pid; };"), new DiagSink());
}
