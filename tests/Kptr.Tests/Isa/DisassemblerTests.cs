using Kptr.Isa;

namespace Kptr.Tests.Isa;

public class DisassemblerTests
{
    [Fact]
    public void Text_GoldenBytes_IsWhatLlvmObjdumpPrints()
    {
        var lines = File.ReadLines(TestData.Path("isa/llvm-objdump.txt")).Where(l => !l.StartsWith('#')).ToList();
        lines.Should().HaveCountGreaterThan(2000);
        foreach (var line in lines)
        {
            // Columns are set apart by tabs; a tab inside the text is written \t.
            var parts = line.Split('\t').Select(p => p.Replace("\\t", "\t", StringComparison.Ordinal)).ToArray();
            var (hex, generic, v4) = (parts[0], parts[1], parts[^1]);
            var insns = InsnCodec.Decode(Convert.FromHexString(hex));
            BpfInsn? second = insns.Length > 1 ? insns[1] : null;
            Disassembler.Text(insns[0], second).Should().Be(generic, "of {0}", hex);
            Disassembler.Text(insns[0], second, DisasmCpu.V4).Should().Be(v4, "of {0} for v4", hex);
        }
    }

    [Fact]
    public void Lines_ImmediateLoad_TakesTwoSlots()
    {
        BpfInsn[] insns = [.. Asm.LdImm64(Asm.R1, 0x1_0000_0002), Asm.Exit()];
        Disassembler.Lines([.. insns]).Should().Equal(
            new DisasmLine(0, 2, "r1 = 0x100000002 ll"), new DisasmLine(2, 1, "exit"));
    }

    [Fact]
    public void Lines_ImmediateLoadAtTheEnd_IsUnknown() =>
        Disassembler.Lines([Asm.LdImm64(Asm.R1, 1)[0]]).Should().Equal(new DisasmLine(0, 1, Disassembler.Unknown));
}
