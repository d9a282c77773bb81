using FsCheck.Xunit;
using Kptr.Isa;
using Kptr.Verifier.Scalars;

namespace Kptr.Tests.Verifier.Scalars;

[Properties(Arbitrary = [typeof(ScalarArbs)], MaxTest = 500)]
public class ScalarRangeTests
{
    internal static readonly byte[] AluOps =
        [BpfOp.Add, BpfOp.Sub, BpfOp.Mul, BpfOp.And, BpfOp.Or, BpfOp.Xor, BpfOp.Lsh, BpfOp.Rsh, BpfOp.Arsh];

    internal static readonly byte[] JumpOps =
    [
        BpfOp.Jeq, BpfOp.Jne, BpfOp.Jset, BpfOp.Jgt, BpfOp.Jge, BpfOp.Jlt, BpfOp.Jle, BpfOp.Jsgt,
        BpfOp.Jsge, BpfOp.Jslt,
        BpfOp.Jsle,
    ];

    [Property]
    public void Sync_LosesNoNumberAndGrowsNoRange(ulong[] numbers, byte forget)
    {
        var before = ScalarGen.Hull(numbers, forget);
        var after = before;
        after.Sync();
        numbers.ShouldAll(after.Contains, n => $"{n:x} of {before}, got {after}");
        before.IsSupersetOf(after).Should().BeTrue($"{before} before, {after} after");
        after.FindViolation().Should().BeNull();
    }

    [Property]
    public void IsSupersetOf_OfHulls_FollowsTheNumbers(ulong[] inner, ulong[] more)
    {
        var small = ScalarGen.Hull(inner);
        var large = ScalarGen.Hull([.. inner, .. more]);
        small.IsSupersetOf(small).Should().BeTrue();
        large.IsSupersetOf(small).Should().BeTrue();
    }

    [Property]
    public void Apply_OnTwoRanges_ContainsEveryResult(ulong[] left, ulong[] right, byte forget, bool is32)
    {
        foreach (var op in AluOps)
        {
            var dst = ScalarGen.Hull(left, forget);
            var src = ScalarGen.Hull(right, forget >> 4);
            dst.Sync();
            src.Sync();
            CheckApply(op, is32, left, right, dst, src);
        }
    }

    [Property]
    public void Apply_ShiftByConstant_ContainsEveryResult(ulong[] left, byte amount, byte forget, bool is32)
    {
        var shift = (ulong)amount % (is32 ? 32u : 64u);
        foreach (var op in new[] { BpfOp.Lsh, BpfOp.Rsh, BpfOp.Arsh })
        {
            var dst = ScalarGen.Hull(left, forget);
            dst.Sync();
            CheckApply(op, is32, left, [shift], dst, ScalarRange.Const(shift)).Should().BeTrue(
                "the shift is a constant in range");
        }
    }

    [Property]
    public void Apply_OnConstants_IsExact(ulong x, ulong y, bool is32)
    {
        foreach (var op in new[] { BpfOp.Add, BpfOp.Sub, BpfOp.And, BpfOp.Or, BpfOp.Xor })
        {
            var dst = ScalarRange.Const(x);
            ScalarAlu.Apply(op, is32, ref dst, ScalarRange.Const(y));
            dst.Should().Be(ScalarRange.Const(Compute(op, is32, x, y)));
        }
    }

    [Property]
    public void Truncate_AndExtensions_ContainEveryResult(ulong[] numbers, byte forget)
    {
        foreach (var size in new[] { 1, 2, 4 })
        {
            var range = ScalarGen.Hull(numbers, forget);
            range.Sync();
            ScalarRange narrow = range, wide = range;
            narrow.Truncate(size);
            wide.SignExtend64(size);
            numbers.ShouldAll(
                n => narrow.Contains(n & ((1UL << (8 * size)) - 1)),
                n => $"{n:x} cut to {size} of {range}, got {narrow}");
            numbers.ShouldAll(
                n => wide.Contains((ulong)SignExtend(n, size)),
                n => $"{n:x} extended from {size} of {range}, got {wide}");
        }
    }

    [Property]
    public void SignExtend32_ThenZeroExtend_ContainsEveryResult(ulong[] numbers, byte forget)
    {
        foreach (var size in new[] { 1, 2 })
        {
            var range = ScalarGen.Hull(numbers, forget);
            range.Sync();
            var low = range;
            low.SignExtend32(size);
            low.ZeroExtend32();
            low.Sync();
            numbers.ShouldAll(
                n => low.Contains((uint)SignExtend(n, size)), n => $"{n:x} extended from {size}, got {low}");
        }
    }

    [Property]
    public void Predict_NeverContradictsTwoNumbers(ulong[] left, ulong[] right, byte forget, bool is32)
    {
        var a = ScalarGen.Hull(left, forget);
        var b = ScalarGen.Hull(right, forget >> 4);
        a.Sync();
        b.Sync();
        foreach (var op in JumpOps)
        {
            var predicted = ScalarBranch.Predict(op, a, b, is32);
            if (predicted is { } taken)
            {
                foreach (var y in right)
                {
                    left.ShouldAll(x => Holds(op, is32, x, y) == taken, x => $"{x:x} {op:x} {y:x} is {taken}");
                }
            }
        }
    }

    [Property]
    public void Refine_KeepsEveryPairThatTakesTheBranch(ulong[] left, ulong[] right, byte forget, bool is32, bool holds)
    {
        foreach (var op in JumpOps)
        {
            var a = ScalarGen.Hull(left, forget);
            var b = ScalarGen.Hull(right, forget >> 4);
            a.Sync();
            b.Sync();
            ScalarBranch.Refine(op, holds, ref a, ref b, is32);
            foreach (var y in right)
            {
                left.ShouldAll(
                    x => Holds(op, is32, x, y) != holds || (a.Contains(x) && b.Contains(y)),
                    x => $"{x:x} {op:x} {y:x} is {holds}; left {a}, right {b}");
            }
        }
    }

    [Theory]
    [InlineData(BpfOp.And, -1L, 0L, 64)]
    [InlineData(BpfOp.Or, -1L, 0L, 64)]
    [InlineData(BpfOp.Xor, -1L, 0L, 0)]
    [InlineData(BpfOp.And, -2L, 0L, 0)]
    public void ForkWidthBits_OfZeroOrMinusOne_AsksForTheFork(byte op, long min, long max, int expected)
    {
        var dst = ScalarRange.Unknown;
        dst.SMin = min;
        dst.SMax = max;
        ScalarAlu.ForkWidthBits(op, dst, ScalarRange.Const(0x10)).Should().Be(expected);
        ScalarAlu.ForkWidthBits(op, dst, ScalarRange.Unknown).Should().Be(0);
    }

    [Fact]
    public void FindViolation_OfAnEmptyRange_SaysSo()
    {
        var r = ScalarRange.Unknown;
        r.UMin = 5;
        r.UMax = 4;
        r.FindViolation().Should().Be("range bounds violation");
        r = ScalarRange.Unknown;
        r.Bits = Tnum.Const(3);
        r.FindViolation().Should().Be("const tnum out of sync with range bounds");
        r.Bits = new Tnum(3, 1UL << 40);
        r.FindViolation().Should().Be("const subreg tnum out of sync with range bounds");
    }

    private static bool CheckApply(byte op, bool is32, ulong[] left, ulong[] right, ScalarRange dst, ScalarRange src)
    {
        var result = dst;
        var known = ScalarAlu.Apply(op, is32, ref result, src);
        foreach (var y in right)
        {
            left.ShouldAll(
                x => result.Contains(Compute(op, is32, x, y)),
                x => $"{x:x} {op:x} {y:x} of {dst} and {src}, got {result}");
        }

        return known;
    }

    internal static ulong Compute(byte op, bool is32, ulong x, ulong y)
    {
        if (is32)
        {
            uint a = (uint)x, b = (uint)y;
            return op switch
            {
                BpfOp.Lsh => a << (int)(b & 31),
                BpfOp.Rsh => a >> (int)(b & 31),
                BpfOp.Arsh => (uint)((int)a >> (int)(b & 31)),
                _ => (uint)Compute(op, false, a, b),
            };
        }

        return op switch
        {
            BpfOp.Add => x + y,
            BpfOp.Sub => x - y,
            BpfOp.Mul => x * y,
            BpfOp.And => x & y,
            BpfOp.Or => x | y,
            BpfOp.Xor => x ^ y,
            BpfOp.Lsh => x << (int)(y & 63),
            BpfOp.Rsh => x >> (int)(y & 63),
            _ => (ulong)((long)x >> (int)(y & 63)),
        };
    }

    internal static bool Holds(byte op, bool is32, ulong x, ulong y)
    {
        ulong a = is32 ? (uint)x : x, b = is32 ? (uint)y : y;
        long s = is32 ? (int)x : (long)x, t = is32 ? (int)y : (long)y;
        return op switch
        {
            BpfOp.Jeq => a == b,
            BpfOp.Jne => a != b,
            BpfOp.Jset => (a & b) != 0,
            BpfOp.Jgt => a > b,
            BpfOp.Jge => a >= b,
            BpfOp.Jlt => a < b,
            BpfOp.Jle => a <= b,
            BpfOp.Jsgt => s > t,
            BpfOp.Jsge => s >= t,
            BpfOp.Jslt => s < t,
            _ => s <= t,
        };
    }

    private static long SignExtend(ulong n, int size) => size switch { 1 => (sbyte)n, 2 => (short)n, _ => (int)n };
}
