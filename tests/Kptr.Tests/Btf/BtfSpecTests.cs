using System.Buffers.Binary;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Elf;

namespace Kptr.Tests.Btf;

public class BtfSpecTests
{
    [Fact]
    public void Sample_HasEveryKind()
    {
        var kinds = Enumerable.Range(1, BtfSamples.Base.TypeCount - 1)
            .Select(id => BtfSamples.Base[id].Kind)
            .Distinct();
        kinds.Order().Should().Equal(Enum.GetValues<BtfKind>().Except([BtfKind.Void]));
    }

    [Fact]
    public void WriteOfRead_IsTheSameBytes_InBothByteOrders()
    {
        foreach (var (btf, basis) in new[] { (BtfSamples.Base, (BtfSpec?)null), (BtfSamples.Split, BtfSamples.Base) })
        {
            var little = btf.ToBytes();
            var big = btf.ToBytes(bigEndian: true);
            big.Should().NotEqual(little);
            BtfSpec.Read(little, "t", basis).ToBytes().Should().Equal(little);
            BtfSpec.Read(big, "t", basis).ToBytes().Should().Equal(little);
            BtfSpec.Read(little, "t", basis).ToBytes(bigEndian: true).Should().Equal(big);
        }
    }

    [Fact]
    public void Open_OfAFile_ReadsWhatReadReads()
    {
        var path = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(path, BtfSamples.Base.ToBytes());
            BtfSpec.Open(path).ToBytes().Should().Equal(BtfSamples.Base.ToBytes());
        }
        finally
        {
            File.Delete(path);
        }

        var missing = () => BtfSpec.Open(path);
        missing.Should().Throw<DiagnosticException>().Which.Diagnostics[0].Code.Should().Be(DiagCode.FileUnreadable);
    }

    [Fact]
    public void FindId_BeforeAndAfterTheIndexIsBuilt_FindsTheSame()
    {
        var btf = BtfSpec.Read(BtfSamples.Base.ToBytes(), "t");
        for (var round = 0; round < 5; round++)
        {
            btf[btf.FindId("cred", BtfKind.Struct)].Name.Should().Be("cred");
            btf.FindId("cred", BtfKind.Union).Should().Be(0);
            btf.FindId("no such name", BtfKind.Struct).Should().Be(0);
            btf.FindId("", BtfKind.Struct).Should().Be(0);
        }
    }

    [Fact]
    public void FindId_OfDuplicateNames_IsTheLowest()
    {
        var b = new BtfBuilder();
        var first = b.AddStruct("twice", 4, []);
        var second = b.AddStruct("twice", 8, []);
        var btf = b.Build();
        Enumerable.Repeat(0, 4).Select(_ => btf.FindId("twice", BtfKind.Struct)).Should().AllBeEquivalentTo(first);
        btf.FindAll("twice", BtfKind.Struct).Should().Equal(first, second);
    }

    [Fact]
    public void FindId_InSplitBtf_FallsBackToTheBase()
    {
        BtfSamples.Split.FindId("task_struct", BtfKind.Struct).Should()
            .Be(BtfSamples.Base.FindId("task_struct", BtfKind.Struct));
        BtfSamples.Split[BtfSamples.Split.FindId("mod_t", BtfKind.Typedef)].SkipModifiers().Name.Should().Be("mod");
        BtfSamples.Split[1].Btf.Should().BeSameAs(BtfSamples.Base);
    }

    [Fact]
    public void Name_BeyondAscii_IsFound()
    {
        var b = new BtfBuilder();
        var id = b.AddDeclTag("größe", b.AddInt("int", 4));
        var btf = b.Build();
        Enumerable.Repeat(0, 4).Select(_ => btf.FindId("größe", BtfKind.DeclTag)).Should().AllBeEquivalentTo(id);
    }

    [Fact]
    public void Cycle_OfModifiers_EndsTheWalk()
    {
        var b = new BtfBuilder();
        b.AddConst(2);
        b.AddVolatile(1);
        var btf = b.Build();
        btf.SkipModifiers(1).Id.Should().BeInRange(1, 2);
        btf.ResolveSize(1).Should().Be(-1);
    }

    [Theory]
    [InlineData(0, 0x12345678, DiagCode.BtfBadHeader)]
    [InlineData(2, 0x7fffffff, DiagCode.BtfTruncated)]      // type_off
    [InlineData(3, -4, DiagCode.BtfTruncated)]              // type_len
    [InlineData(5, 1 << 30, DiagCode.BtfTruncated)]         // str_len
    [InlineData(3, 13, DiagCode.BtfMalformed)]
    [InlineData(6, 0x7fffffff, DiagCode.BtfMalformed)]      // first type: name
    [InlineData(7, 31 << 24, DiagCode.BtfMalformed)]        // its kind
    [InlineData(7, (4 << 24) | 0xffff, DiagCode.BtfTruncated)]
    public void Word_ThatLies_IsReported(int word, int value, DiagCode expected)
    {
        var bytes = BtfSamples.Base.ToBytes();
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(4 * word), value);
        var sink = new DiagSink();
        BtfSpec.TryRead(bytes, "t", null, sink).Should().BeNull();
        sink.All.Should().ContainSingle().Which.Code.Should().Be(expected);
    }

    [Fact]
    public void Sizes_WithoutSign_AreReadAsTheLargest()
    {
        var b = new BtfBuilder();
        var number = b.AddInt("int", 4);
        var array = b.AddArray(number, number, 4);
        var whole = b.AddStruct("s", 8, [new("n", number, 0, 0)]);
        var data = b.AddDataSec(".data", 4, [new(b.AddVar("v", number), 0, 4)]);
        var patch = new BtfPatch(b.Build(), b.ToBytes());
        foreach (var (id, word) in new[] { (number, 2), (array, 5), (whole, 2), (whole, 5), (data, 4), (data, 5) })
        {
            patch.Put(id, word, 0xffff_fff0);
        }

        var btf = BtfSpec.Read(patch.Bytes, "t");
        btf[number].SizeBytes.Should().Be(int.MaxValue);
        btf[array].Array.Count.Should().Be(int.MaxValue);
        btf[whole].SizeBytes.Should().Be(int.MaxValue);
        btf[whole].Member(0).BitOffset.Should().Be(int.MaxValue);
        (btf[data].Var(0).OffsetBytes, btf[data].Var(0).SizeBytes).Should().Be((int.MaxValue, int.MaxValue));
        patch.Bytes.Should().Equal(btf.ToBytes(), "what is not understood is kept");
    }

    [Fact]
    public void Result_OfATypeThatIsNot_IsReadAsVoid()
    {
        var b = new BtfBuilder();
        var proto = b.AddFuncProto(b.AddInt("int", 4), []);
        var patch = new BtfPatch(b.Build(), b.ToBytes());
        patch.Put(proto, 2, 0xffff_ffff);
        BtfSpec.Read(patch.Bytes, "t")[proto].RefTypeId.Should().Be(0);
    }

    [Fact]
    public void Reference_ToATypeThatIsNot_IsReported()
    {
        var b = new BtfBuilder();
        b.AddPtr(7);
        var build = () => b.Build();
        build.Should().Throw<DiagnosticException>().Which.Diagnostics[0].OffsetBytes.Should().Be(24);
    }
}
