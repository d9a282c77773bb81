using System.Buffers.Binary;
using Kptr.Diagnostics;
using Kptr.Elf;

namespace Kptr.Tests.Elf;

/// <summary>
/// Broken objects: each fault is named, with its place, and nothing is thrown but what is documented.
/// </summary>
public class ReaderFaultTests
{
    [Fact]
    public void Read_OfAFileThatIsNotThere_SaysSo()
    {
        var act = () => ObjectReader.Read(TestData.Path("elf", "none.bpf.o"));

        act.Should().Throw<DiagnosticException>().Which.Diagnostics[0].Code.Should().Be(DiagCode.FileUnreadable);
    }

    [Theory]
    [InlineData(0, 0x7e, DiagCode.ElfNotBpfObject)] // magic
    [InlineData(4, 1, DiagCode.ElfNotBpfObject)] // 32-bit
    [InlineData(5, 2, DiagCode.ElfNotBpfObject)] // big-endian
    [InlineData(0x10, 2, DiagCode.ElfNotBpfObject)] // an executable
    [InlineData(0x12, 62, DiagCode.ElfNotBpfObject)] // for x86-64
    [InlineData(0x3a, 40, DiagCode.ElfMalformed)] // section headers of another size
    [InlineData(0x2f, 0xff, DiagCode.ElfTruncated)] // section table far outside
    public void Header_WithOneWrongByte_IsRefused(int offset, byte value, DiagCode code)
    {
        var data = ElfObjects.Bytes("maps");
        data[offset] = value;

        FaultOf(data).Code.Should().Be(code);
    }

    [Fact]
    public void File_CutShortAnywhere_IsRefused()
    {
        var data = ElfObjects.Bytes("calls");
        for (var length = 0; length < data.Length; length += 97)
        {
            FaultOf(data[..length]).File.Should().Be("cut.bpf.o");
        }
    }

    [Fact]
    public void Fault_NamesFileSectionAndOffset()
    {
        var data = ElfObjects.Bytes("maps");
        var file = ElfFile.Read(data, "maps");
        var relocs = file.Sections.First(s => s.Name == ".relsocket");
        BinaryPrimitives.WriteUInt32LittleEndian(data.AsSpan(OffsetOf(data, relocs.Index) + 12), 9999); // symbol 9999

        var fault = FaultOf(data);

        fault.Code.Should().Be(DiagCode.RelocBadTarget);
        fault.ToString().Should().Be(
            "cut.bpf.o: .relsocket+0x0: relocation against symbol 9999, which does not exist (RelocBadTarget)");
    }

    [Fact]
    public void Section_LegacyMaps_IsRefusedAsByLibbpf()
    {
        var data = ElfObjects.Bytes("maps");
        var at = data.AsSpan().LastIndexOf(".rel.maps\0"u8);
        "maps\0"u8.CopyTo(data.AsSpan(at + 4)); // the tail ".maps" is the section's name; it becomes "maps"

        FaultOf(data).Code.Should().Be(DiagCode.ElfUnsupported);
    }

    [Fact]
    public void TryRead_ReportsWhereReadThrows()
    {
        var sink = new DiagSink();

        ObjectReader.TryRead(new byte[10], "tiny", sink).Should().BeNull();
        sink.All.Should().ContainSingle().Which.File.Should().Be("tiny");
    }

    private static int OffsetOf(byte[] data, int section)
    {
        var table = (int)BinaryPrimitives.ReadInt64LittleEndian(data.AsSpan(0x28));
        return (int)BinaryPrimitives.ReadInt64LittleEndian(data.AsSpan(table + (section * 64) + 0x18));
    }

    private static Diagnostic FaultOf(byte[] data)
    {
        var act = () => ObjectReader.Read(data, "cut.bpf.o");
        return act.Should().Throw<DiagnosticException>().Which.Diagnostics[0];
    }
}
