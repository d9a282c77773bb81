using FsCheck.Xunit;
using Kptr.Isa;
using Kptr.Verifier.Scalars;

namespace Kptr.Tests.Verifier.Scalars;

/// <summary>The laws of division, negation and byte swaps, for kernels that know their results.</summary>
[Properties(Arbitrary = [typeof(ScalarArbs)], MaxTest = 500)]
public class ScalarQuotientTests
{
    private static readonly ulong[] Divisors =
        [0, 1, 2, 3, 7, 10, 64, uint.MaxValue, 0x80000000, 0x7fffffff, ulong.MaxValue, long.MaxValue, 1UL << 63];

    [Property]
    public void Divide_ByAConstant_ContainsEveryResult(ulong[] numbers, ulong constant, byte forget)
    {
        foreach (var by in Divisors.Append(constant))
        {
            foreach (var op in (byte[])[BpfOp.Div, BpfOp.Mod])
            {
                for (var form = 0; form < 4; form++)
                {
                    var (isSigned, is32) = ((form & 1) != 0, (form & 2) != 0);
                    var result = Synced(numbers, forget);
                    var before = result;
                    ArcRules.Instance.Apply(op, isSigned, is32, ref result, ScalarRange.Const(by)).Should().BeTrue();
                    numbers.ShouldAll(
                        x => result.Contains(Compute(op, isSigned, is32, x, by)),
                        x => $"{x:x} of {before} {op:x} {by:x} signed {isSigned} 32 {is32}, got {result}");
                }
            }
        }
    }

    [Property]
    public void Divide_ByWhatVaries_IsUnknown(ulong[] numbers, byte forget)
    {
        var result = Synced(numbers, forget);
        ArcRules.Instance.Apply(BpfOp.Div, isSigned: false, is32: false, ref result, ScalarRange.Unknown)
            .Should().BeFalse();
        result.Should().Be(ScalarRange.Unknown);
    }

    [Property]
    public void NegateOrSwap_ContainsEveryResult(ulong[] numbers, byte forget)
    {
        foreach (var text in (string[])[
            "r0 = -r0", "w0 = -w0", "r0 = be16 r0", "r0 = be32 r0", "r0 = be64 r0", "r0 = le16 r0", "r0 = le32 r0",
            "r0 = le64 r0", "r0 = bswap16 r0", "r0 = bswap32 r0", "r0 = bswap64 r0",
        ])
        {
            var insn = TextAssembler.Assemble(text).Insns[0];
            var result = Synced(numbers, forget);
            ArcRules.Instance.NegateOrSwap(insn, ref result).Should().BeTrue();
            numbers.ShouldAll(x => result.Contains(Compute(insn, x)), x => $"{text} of {x:x}, got {result}");
        }
    }

    private static ulong Compute(byte op, bool isSigned, bool is32, ulong x, ulong y) => is32
        ? AluOps.Alu32(op, (uint)x, (uint)y, isSigned ? 1 : 0)
        : AluOps.Alu64(op, x, y, isSigned ? 1 : 0);

    private static ulong Compute(BpfInsn insn, ulong x) => (insn.Opcode & BpfOp.OpMask) == BpfOp.End
        ? AluOps.End(insn.Opcode, x, insn.Imm)
        : insn.Class == InsnClass.Alu ? AluOps.Alu32(BpfOp.Neg, (uint)x, 0) : AluOps.Alu64(BpfOp.Neg, x, 0);

    private static ScalarRange Synced(ulong[] numbers, byte forget)
    {
        var range = ScalarGen.Arcs(numbers, forget);
        ArcRules.Instance.Sync(ref range);
        return range;
    }
}
