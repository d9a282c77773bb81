using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Kptr.Diagnostics;
using Kptr.Isa;

namespace Kptr.Tests.Isa;

public class InsnCodecTests
{
    [Property]
    public Property EncodeDecode_AnyBytes_IsIdentity() => Prop.ForAll(
        ArbMap.Default.GeneratorFor<byte[]>().ToArbitrary(),
        bytes =>
        {
            var whole = bytes[..(bytes.Length / 8 * 8)];
            InsnCodec.Encode(InsnCodec.Decode(whole).AsSpan()).Should().Equal(whole);
        });

    [Property]
    public Property DecodeEncode_AnyInsn_IsIdentity() => Prop.ForAll(
        InsnGen.Any.ArrayOf().ToArbitrary(),
        insns => InsnCodec.Decode(InsnCodec.Encode(insns)).Should().Equal(insns));

    [Fact]
    public void Decode_KnownBytes_GivesFields()
    {
        var insn = InsnCodec.Decode([0x7b, 0x1a, 0xf8, 0xff, 0x00, 0x00, 0x00, 0x80])[0];
        insn.Should().Be(new BpfInsn(0x7b, 10, 1, -8, int.MinValue));
        insn.Class.Should().Be(InsnClass.Stx);
    }

    [Fact]
    public void TryDecode_NineBytes_ReportsWhereItEnds()
    {
        var sink = new DiagSink();
        InsnCodec.TryDecode(new byte[9], sink, out _).Should().BeFalse();
        sink.All.Should().ContainSingle().Which.Should().Match<Diagnostic>(
            d => d.Code == DiagCode.InsnTruncated && d.OffsetBytes == 8);
        FluentActions.Invoking(() => InsnCodec.Decode(new byte[7])).Should().Throw<DiagnosticException>();
    }
}
