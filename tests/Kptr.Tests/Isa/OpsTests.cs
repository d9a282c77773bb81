using System.Numerics;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Kptr.Isa;

namespace Kptr.Tests.Isa;

/// <summary>The one definition of results, held against unbounded integers.</summary>
public class OpsTests
{
    private static readonly ulong[] Corners =
        [0, 1, 2, 7, 63, 64, 0x7f, 0x80, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, long.MaxValue, 1UL
            << 63, ulong.MaxValue, ulong.MaxValue - 6];

    private static Gen<ulong> Value { get; } = Gen.OneOf(
        Gen.Elements(Corners),
        from hi in Gen.Choose(int.MinValue, int.MaxValue)
        from lo in Gen.Choose(int.MinValue, int.MaxValue)
        select ((ulong)(uint)hi << 32) | (uint)lo);

    [Property(MaxTest = 1000)]
    public Property Alu_AnyOperands_IsTheBigIntegerResultModuloWidth() => Prop.ForAll(
        Value.ToArbitrary(),
        Value.ToArbitrary(),
        (a, b) =>
        {
            foreach (var op in new[]
            {
                BpfOp.Add, BpfOp.Sub, BpfOp.Mul, BpfOp.Or, BpfOp.And, BpfOp.Xor, BpfOp.Lsh, BpfOp.Rsh,
                BpfOp.Div, BpfOp.Mod,
            })
            {
                AluOps.Alu64(op, a, b).Should().Be((ulong)(Exact(op, a, b, 64) & ulong.MaxValue));
                AluOps.Alu32(op, (uint)a, (uint)b).Should().Be((uint)(Exact(op, (uint)a, (uint)b, 32) & uint.MaxValue));
            }

            foreach (var op in new[] { BpfOp.Div, BpfOp.Mod })
            {
                AluOps.Alu64(op, a, b, 1).Should().Be((ulong)(Exact(op, (long)a, (long)b, 64) & ulong.MaxValue));
                AluOps.Alu32(op, (uint)a, (uint)b, 1).Should().Be(
                    (uint)(Exact(op, (int)a, (int)b, 32) & uint.MaxValue));
            }

            AluOps.Alu64(BpfOp.Arsh, a, b).Should().Be(
                (ulong)(((BigInteger)(long)a >> (int)(b & 63)) & ulong.MaxValue));
            AluOps.Alu32(BpfOp.Arsh, (uint)a, (uint)b).Should().Be(
                (uint)(((BigInteger)(int)a >> (int)(b & 31)) & uint.MaxValue));
        });

    [Property(MaxTest = 1000)]
    public Property IsTaken_AnyOperands_IsTheOrderOfBigIntegers() => Prop.ForAll(
        Value.ToArbitrary(),
        Value.ToArbitrary(),
        (a, b) =>
        {
            Compare((op, x, y) => JumpOps.IsTaken64(op, x, y), a, b, a, b, (long)a, (long)b);
            Compare((op, x, y) => JumpOps.IsTaken32(op, (uint)x, (uint)y), a, b, (uint)a, (uint)b, (int)a, (int)b);
        });

    [Theory]
    [InlineData(0xd4, 16, 0x8807060504030201UL, 0x0201UL)]
    [InlineData(0xdc, 16, 0x8807060504030201UL, 0x0102UL)]
    [InlineData(0xd4, 32, 0x8807060504030201UL, 0x04030201UL)]
    [InlineData(0xdc, 32, 0x8807060504030201UL, 0x01020304UL)]
    [InlineData(0xd4, 64, 0x8807060504030201UL, 0x8807060504030201UL)]
    [InlineData(0xdc, 64, 0x8807060504030201UL, 0x0102030405060788UL)]
    [InlineData(0xd7, 16, 0x8807060504030201UL, 0x0102UL)]
    [InlineData(0xd7, 32, 0x8807060504030201UL, 0x01020304UL)]
    [InlineData(0xd7, 64, 0x8807060504030201UL, 0x0102030405060788UL)]
    public void End_EachForm_Swaps(byte opcode, int bits, ulong value, ulong expected) =>
        AluOps.End(opcode, value, bits).Should().Be(expected);

    [Theory]
    [InlineData(BpfOp.Add, 15UL, 5UL, 7UL)]
    [InlineData(BpfOp.Add | BpfOp.Fetch, 15UL, 10UL, 7UL)]
    [InlineData(BpfOp.Or, 15UL, 5UL, 7UL)]
    [InlineData(BpfOp.And | BpfOp.Fetch, 0UL, 10UL, 7UL)]
    [InlineData(BpfOp.Xor | BpfOp.Fetch, 15UL, 10UL, 7UL)]
    [InlineData(BpfOp.Xchg, 5UL, 10UL, 7UL)]
    [InlineData(BpfOp.CmpXchg, 10UL, 5UL, 10UL)]
    public void Apply_TenAndFive_MemorySourceAndR0(int op, ulong memory, ulong source, ulong r0)
    {
        var (m64, s64, z64) = (10UL, 5UL, 7UL);
        AtomicOps.Apply64(op, ref m64, ref s64, ref z64);
        (m64, s64, z64).Should().Be((memory, source, r0));

        var (m32, s32, z32) = (10U, 5UL, 7UL);
        AtomicOps.Apply32(op, ref m32, ref s32, ref z32);
        ((ulong)m32, s32, z32).Should().Be((memory, source, r0));
    }

    [Fact]
    public void Apply32_CompareMatchesInTheLowHalf_ExchangesAndZeroExtends()
    {
        var (m, s, z) = (0x80000001U, 0x1_0000_0002UL, 0xffffffff_80000001UL);
        AtomicOps.Apply32(BpfOp.CmpXchg, ref m, ref s, ref z);
        (m, s, z).Should().Be((2U, 0x1_0000_0002UL, 0x80000001UL));
    }

    private static BigInteger Exact(byte op, BigInteger a, BigInteger b, int bits) => op switch
    {
        BpfOp.Add => a + b,
        BpfOp.Sub => a - b,
        BpfOp.Mul => a * b,
        BpfOp.Or => a | b,
        BpfOp.And => a & b,
        BpfOp.Xor => a ^ b,
        BpfOp.Lsh => a << (int)(b % bits),
        BpfOp.Rsh => a >> (int)(b % bits),
        BpfOp.Div => b.IsZero ? 0 : BigInteger.Divide(a, b),
        _ => b.IsZero ? a : BigInteger.Remainder(a, b),
    };

    private static void Compare(
        Func<int, ulong, ulong, bool> taken, ulong a, ulong b, BigInteger ua, BigInteger ub,
        BigInteger sa, BigInteger sb)
    {
        taken(BpfOp.Jeq, a, b).Should().Be(ua == ub);
        taken(BpfOp.Jne, a, b).Should().Be(ua != ub);
        taken(BpfOp.Jgt, a, b).Should().Be(ua > ub);
        taken(BpfOp.Jge, a, b).Should().Be(ua >= ub);
        taken(BpfOp.Jlt, a, b).Should().Be(ua < ub);
        taken(BpfOp.Jle, a, b).Should().Be(ua <= ub);
        taken(BpfOp.Jset, a, b).Should().Be(!(ua & ub).IsZero);
        taken(BpfOp.Jsgt, a, b).Should().Be(sa > sb);
        taken(BpfOp.Jsge, a, b).Should().Be(sa >= sb);
        taken(BpfOp.Jslt, a, b).Should().Be(sa < sb);
        taken(BpfOp.Jsle, a, b).Should().Be(sa <= sb);
    }
}
