using System.Buffers.Binary;
using Kptr.Btf;
using Kptr.Diagnostics;

namespace Kptr.Tests.Btf;

public class BtfExtTests
{
    private static readonly BtfBuilder s_builder = new("t");
    private static readonly int s_func = s_builder.AddFunc("main", s_builder.AddFuncProto(0, []), 1);
    private static readonly uint s_tc = s_builder.StringOffset("tc");
    private static readonly uint s_text = s_builder.StringOffset(".text");
    private static readonly uint s_file = s_builder.StringOffset("a.c");
    private static readonly uint s_line = s_builder.StringOffset("return 0;");
    private static readonly uint s_access = s_builder.StringOffset("0:1");
    private static readonly BtfSpec s_btf = s_builder.Build();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Records_OfAllParts_AreReadBySection(bool bigEndian)
    {
        var ext = BtfExt.Read(Sample(bigEndian), s_btf);
        ext.Funcs["tc"].Should().Equal(new BtfExtFunc(0, s_func));
        ext.Funcs[".text"].Should().Equal(new BtfExtFunc(8, s_func));
        var line = ext.Lines["tc"].Should().ContainSingle().Which;
        (line.InsnOffsetBytes, line.File, line.Text, line.Line, line.Column).Should().Be(
            (16, "a.c", "return 0;", 7, 3));
        var relo = ext.Relos["tc"].Should().ContainSingle().Which;
        (relo.InsnOffsetBytes, relo.TypeId, relo.Access, relo.Kind).Should().Be((24, s_func, "0:1", 2));
    }

    [Fact]
    public void Header_OfTheFirstVersion_HasNoRelocations()
    {
        var words = new List<uint> { 0x0001eb9f, 24, 0, 0, 0, 0 };
        BtfExt.Read(Bytes(words, false), s_btf).Relos.Should().BeEmpty();
    }

    [Theory]
    [InlineData(0, 0x55555555u, DiagCode.BtfBadHeader)]
    [InlineData(3, 0x10000u, DiagCode.BtfTruncated)]        // func_info length
    [InlineData(8, 4u, DiagCode.BtfMalformed)]              // record size
    [InlineData(9, 0xffffu, DiagCode.BtfMalformed)]         // section name
    [InlineData(10, 0x40000000u, DiagCode.BtfTruncated)]    // count
    [InlineData(12, 99u, DiagCode.BtfMalformed)]            // type id
    public void Word_ThatLies_IsReported(int word, uint value, DiagCode expected)
    {
        var bytes = Sample(false);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(4 * word), value);
        var sink = new DiagSink();
        BtfExt.TryRead(bytes, s_btf, sink).Should().BeNull();
        sink.All.Should().ContainSingle().Which.Code.Should().Be(expected);
    }

    internal static byte[] Sample(bool bigEndian)
    {
        var func = (uint)s_func;
        uint[] funcs = [8, s_tc, 1, 0, func, s_text, 1, 8, func];
        uint[] lines = [16, s_tc, 1, 16, s_file, s_line, (7 << 10) | 3];
        uint[] relos = [16, s_tc, 1, 24, func, s_access, 2];
        uint Len(uint[] part) => (uint)part.Length * 4;
        List<uint> words =
        [
            0x0001eb9f, 32, 0, Len(funcs), Len(funcs), Len(lines), Len(funcs) + Len(lines), Len(relos),
            .. funcs, .. lines, .. relos,
        ];
        return Bytes(words, bigEndian);
    }

    internal static BtfSpec Btf => s_btf;

    private static byte[] Bytes(List<uint> words, bool bigEndian)
    {
        var bytes = new byte[words.Count * 4];
        for (var i = 0; i < words.Count; i++)
        {
            BtfHeader.WriteU32(bytes.AsSpan(4 * i), words[i], bigEndian);
        }

        if (bigEndian)
        {
            (bytes[0], bytes[1], bytes[2], bytes[3]) = (0xeb, 0x9f, 1, 0);
        }

        return bytes;
    }
}
