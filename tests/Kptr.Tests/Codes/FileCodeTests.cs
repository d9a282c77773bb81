using System.Buffers.Binary;
using System.Text;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Elf;
using Kptr.Isa;
using Kptr.Specs;
using Kptr.Tests.Elf;

namespace Kptr.Tests.Codes;

/// <summary>Codes of object files and linking: each by the smallest damage to a good object that earns it.</summary>
public class FileCodeTests
{
    private const int SymTab = 2;
    private const int ProgBits = 1;

    [Fact]
    public void Object_WithoutSymbolTable_IsElfNoSymbols()
    {
        var data = ElfObjects.Bytes("maps");
        var header = HeaderOf(data, s => Word(data, s + 4) == SymTab);
        Put(data, header + 4, ProgBits);

        CodeOf(data).Should().Be(DiagCode.ElfNoSymbols);
    }

    [Fact]
    public void FunctionOfHalfAnInstruction_IsElfBadProgSymbol()
    {
        var data = ElfObjects.Bytes("maps");
        var symbols = HeaderOf(data, s => Word(data, s + 4) == SymTab);
        var at = (int)Long(data, symbols + 0x18);
        var function = Enumerable.Range(0, (int)Long(data, symbols + 0x20) / 24)
            .Select(i => at + (i * 24))
            .First(s => (data[s + 4] & 0xf) == 2);
        BinaryPrimitives.WriteInt64LittleEndian(data.AsSpan(function + 16), 4);

        CodeOf(data).Should().Be(DiagCode.ElfBadProgSymbol);
    }

    [Fact]
    public void MapsWithoutTypes_AreElfBtfMissing() =>
        CodeOf(Rename(ElfObjects.Bytes("maps"), ".BTF\0", ".XTF\0")).Should().Be(DiagCode.ElfBtfMissing);

    [Fact]
    public void ExternThatTheTypesDoNotName_IsElfBadExtern() =>
        CodeOf(RenameType(ElfObjects.Bytes("ksyms"), "bpf_never_there\0", "bpf_never_thera\0")).Should().Be(
            DiagCode.ElfBadExtern);

    [Fact]
    public void MapWithAnUnknownField_IsElfBadMapDef() =>
        CodeOf(RenameType(ElfObjects.Bytes("maps"), "\0max_entries\0", "\0max_entriez\0")).Should().Be(
            DiagCode.ElfBadMapDef);

    [Fact]
    public void StructOpsOfAStructWithoutName_AreElfBadStructOps() =>
        CodeOf(RenameType(ElfObjects.Bytes("ops"), "\0my_ops\0", "\0\0y_ops\0")).Should().Be(DiagCode.ElfBadStructOps);

    [Fact]
    public void RelocationBetweenInstructions_IsRelocBadPlace()
    {
        var data = ElfObjects.Bytes("maps");
        var relocs = ElfFile.Read(data, "maps").Sections.First(s => s.Name == ".relsocket");
        var at = (int)Long(data, (int)Long(data, 0x28) + (relocs.Index * 64) + 0x18);
        BinaryPrimitives.WriteInt64LittleEndian(data.AsSpan(at), 4);

        CodeOf(data).Should().Be(DiagCode.RelocBadPlace);
    }

    [Fact]
    public void ExceptionCallbackThatIsNoFunction_IsRelocNoSubprog()
    {
        var data = RenameType(
            ElfObjects.Bytes("calls"), "exception_callback:on_exception\0", "exception_callback:on_exceptiom\0");

        ObjectReader.Read(data, "calls.bpf.o").Prog("throws").LinkFault!.Code.Should().Be(DiagCode.RelocNoSubprog);
    }

    [Fact]
    public void ProgramOfManyCopiesOfItsFunctions_IsElfTooLarge()
    {
        var budget = new InsnBudget(fileBytes: 1000);

        budget.TryTake(1_000_000).Should().BeTrue();
        budget.TryTake(1_000_000).Should().BeFalse("what reports ElfTooLarge then is the assembler of programs");
    }

    [Fact]
    public void CoReRelocationBehindTheProgram_IsCoReMalformed()
    {
        var types = CDeclParser.Parse("struct s { int a; };", "test");
        var prog = Prog() with { Btf = types, CoReRelocs = [
            new(99, CoReKind.FieldByteOffset, types.FindId("s", BtfKind.Struct), "0:0"),
        ] };

        Link(prog, types).Code.Should().Be(DiagCode.CoReMalformed);
    }

    [Fact]
    public void FunctionOfAnotherPrototype_IsKsymIncompatible() =>
        ElfObjects.Link("ksyms", """
            struct task_struct { int pid; };
            int bpf_task_acquire(int a);
            void bpf_task_release(struct task_struct *p);
            typedef void (*btf_trace_task_newtask)(void *, struct task_struct *, unsigned long);
            """).Prog("found").LinkFault!.Code.Should().Be(DiagCode.KsymIncompatible);

    [Fact]
    public void SectionOfNoType_IsProgTypeUnknown() =>
        Link(new ProgSpec("p", ProgType.Unspec, Prog().Insns) { SectionName = "sockex" }, null).Code.Should().Be(
            DiagCode.ProgTypeUnknown);

    private static ProgSpec Prog() =>
        new("p", ProgType.SocketFilter, [.. TextAssembler.Assemble("r0 = 0\nexit").Insns]) { SectionName = "socket" };

    private static Diagnostic Link(ProgSpec prog, BtfSpec? types) =>
        ObjectLinker.Link(new ObjectSpec("test") { Progs = [prog], Btf = types },
            ElfObjects.Kernel("struct s { int a; };"), new DiagSink()).Progs[0].LinkFault!;

    private static DiagCode CodeOf(byte[] data)
    {
        var act = () => ObjectReader.Read(data, "broken.bpf.o");
        return act.Should().Throw<DiagnosticException>().Which.Diagnostics[0].Code;
    }

    /// <summary>Renames in the whole file, of which section names are the last part.</summary>
    private static byte[] Rename(byte[] data, string from, string to)
    {
        var at = data.AsSpan().LastIndexOf(Encoding.ASCII.GetBytes(from));
        Encoding.ASCII.GetBytes(to).CopyTo(data.AsSpan(at));
        return data;
    }

    /// <summary>Renames in the strings of the object's types alone.</summary>
    private static byte[] RenameType(byte[] data, string from, string to)
    {
        var types = Section(data, ".BTF");
        var at = types.IndexOf(Encoding.ASCII.GetBytes(from));
        Encoding.ASCII.GetBytes(to).CopyTo(types[at..]);
        return data;
    }

    private static Span<byte> Section(byte[] data, string name)
    {
        var header = (int)Long(data, 0x28)
            + (ElfFile.Read(data, "good").Sections.First(s => s.Name == name).Index * 64);
        return data.AsSpan((int)Long(data, header + 0x18), (int)Long(data, header + 0x20));
    }

    private static int HeaderOf(byte[] data, Func<int, bool> isIt) =>
        Enumerable.Range(0, data[0x3c]).Select(i => (int)Long(data, 0x28) + (i * 64)).First(isIt);

    private static int Word(byte[] data, int at) => BinaryPrimitives.ReadInt32LittleEndian(data.AsSpan(at));

    private static void Put(byte[] data, int at, int value) =>
        BinaryPrimitives.WriteInt32LittleEndian(data.AsSpan(at), value);

    private static long Long(byte[] data, int at) => BinaryPrimitives.ReadInt64LittleEndian(data.AsSpan(at));
}
