using Kptr.Diagnostics;
using Kptr.Execution;
using Kptr.Isa;
using static Kptr.Isa.Asm;

namespace Kptr.Tests.Execution;

/// <summary>Loads that acquire and stores that release move what plain ones do, in each engine.</summary>
public class OrderedAccessTests
{
    private const ulong Value = 0x8877665544332211;

    [Theory]
    [InlineData(BpfOp.B, 0x11UL)]
    [InlineData(BpfOp.H, 0x2211UL)]
    [InlineData(BpfOp.W, 0x44332211UL)]
    [InlineData(BpfOp.Dw, Value)]
    public void StoredValue_IsLoaded_AndNothingBesideItWritten(byte size, ulong expected)
    {
        foreach (var at in (BpfReg[])[BpfReg.R1, BpfReg.R10])
        {
            short off = (short)(at == BpfReg.R10 ? -16 : 8);
            using var machine = Machine([
                .. LdImm64(BpfReg.R3, Value), Store(size, at, off, BpfReg.R3), Load(size, BpfReg.R0, at, off), Exit(),
            ]);
            var memory = new byte[24];
            Array.Fill(memory, (byte)0xcc);

            Engines.IsCompiled(machine).Should().BeTrue();
            Engines.Run(machine, memory).R0.Should().Be(expected);
            var after = at == BpfReg.R10 ? [] : BitConverter.GetBytes(expected)[..SizeOf(size)];
            memory.Should().Equal([.. Same(8), .. after, .. Same(16 - after.Length)]);
        }
    }

    [Fact]
    public void Access_ThroughNull_IsAFaultOfItsKind()
    {
        foreach (var (insn, word) in new[]
        {
            (Load(BpfOp.Dw, BpfReg.R0, BpfReg.R3, 0), "read of 8 bytes"),
            (Store(BpfOp.W, BpfReg.R3, 0, BpfReg.R1), "write of 4 bytes"),
        })
        {
            using var machine = Machine([Mov(BpfReg.R0, 0), Mov(BpfReg.R3, 0), insn, Exit()]);
            var fault = Engines.Run(machine, new byte[8]).Fault!;
            fault.Code.Should().Be(DiagCode.RunBadAccess);
            fault.Message.Should().StartWith(word).And.Contain("null pointer");
        }
    }

    [Fact]
    public void Load_IntoTheFramePointer_DoesNotRun()
    {
        using var machine = Machine([Mov(BpfReg.R0, 0), Load(BpfOp.Dw, BpfReg.R10, BpfReg.R1, 0), Exit()]);
        Engines.Run(machine, new byte[8]).Fault!.Message.Should().Contain("frame pointer is read only");
    }

    private static Interpreter Machine(BpfInsn[] insns) => Interpreter.ForRaw(
        [.. insns], new Dictionary<int, RawHelper>());

    private static BpfInsn Load(byte size, BpfReg dst, BpfReg src, short off) =>
        Atomic(size, BpfOp.LoadAcq, dst, off, src);

    private static BpfInsn Store(byte size, BpfReg dst, short off, BpfReg src) =>
        Atomic(size, BpfOp.StoreRel, dst, off, src);

    private static IEnumerable<byte> Same(int count) => Enumerable.Repeat((byte)0xcc, count);

    private static int SizeOf(byte size) => size switch { BpfOp.B => 1, BpfOp.H => 2, BpfOp.W => 4, _ => 8 };
}
