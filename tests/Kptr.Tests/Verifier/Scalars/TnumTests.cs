using Kptr.Verifier.Scalars;

namespace Kptr.Tests.Verifier.Scalars;

public class TnumTests
{
    private const int WidthBits = 4;

    private static readonly Tnum[] All =
        [.. from mask in Enumerable.Range(0, 1 << WidthBits)
            from value in Enumerable.Range(0, 1 << WidthBits)
            where (value & mask) == 0
            select new Tnum((ulong)value, (ulong)mask)];

    private static readonly string[] Bitwise = ["&", "|", "^"];

    public static TheoryData<string> Operations => ["+", "-", "*", "&", "|", "^"];

    [Theory]
    [MemberData(nameof(Operations))]
    public void Operation_OverAllSmallTnums_ContainsEveryResult(string name)
    {
        var missed = from a in All
                     from b in All
                     let result = Apply(name, a, b)
                     from x in Values(a)
                     from y in Values(b)
                     where (result.Value & result.Mask) != 0
                         || !result.Contains(Apply(name, Tnum.Const(x), Tnum.Const(y)).Value)
                     select $"{x} {name} {y} of {a} {name} {b} = {result}";
        missed.FirstOrDefault().Should().BeNull();
    }

    [Fact]
    public void MultiplyByCases_OverAllSmallTnums_ContainsEveryResult()
    {
        var missed = from a in All
                     from b in All
                     let result = Tnum.MultiplyByCases(a, b)
                     from x in Values(a)
                     from y in Values(b)
                     where (result.Value & result.Mask) != 0 || !result.Contains(x * y)
                     select $"{x} * {y} of {a} * {b} = {result}";
        missed.FirstOrDefault().Should().BeNull();
    }

    [Fact]
    public void NextAbove_OverAllSmallTnums_IsTheSmallestAbove()
    {
        foreach (var bits in All)
        {
            for (var n = 0ul; n < 16; n++)
            {
                var above = Values(bits).Where(v => v > n).DefaultIfEmpty(bits.Max).Min();
                bits.NextAbove(n).Should().Be(above, $"{n} in {bits}");
                new Tnum(bits.Value << 60, bits.Mask << 60).NextAbove(n << 60).Should().Be(above << 60);
            }
        }
    }

    [Theory]
    [InlineData("+", 9ul, 12ul, 21ul)]
    [InlineData("-", 3ul, 5ul, ulong.MaxValue - 1)]
    [InlineData("*", 7ul, 6ul, 42ul)]
    [InlineData("&", 12ul, 10ul, 8ul)]
    [InlineData("|", 12ul, 10ul, 14ul)]
    [InlineData("^", 12ul, 10ul, 6ul)]
    public void Operation_OfConstants_IsExact(string name, ulong a, ulong b, ulong expected) =>
        Apply(name, Tnum.Const(a), Tnum.Const(b)).Should().Be(Tnum.Const(expected));

    [Fact]
    public void BitwiseOperations_OverAllSmallTnums_AreAsPreciseAsCanBe()
    {
        var imprecise = from name in Bitwise
                        from a in All
                        from b in All
                        let exact = from x in Values(a) from y in Values(b)
                        select Apply(name, Tnum.Const(x), Tnum.Const(y)).Value
                        where Apply(name, a, b) != Smallest(exact)
                        select $"{a} {name} {b}";
        imprecise.FirstOrDefault().Should().BeNull();
    }

    [Fact]
    public void Range_OverAllSmallPairs_IsTheSmallestThatContainsThem()
    {
        for (var min = 0UL; min < 32; min++)
        {
            for (var max = min; max < 32; max++)
            {
                var inside = Enumerable.Range((int)min, (int)(max - min) + 1).Select(v => (ulong)v).ToList();
                inside.Should().OnlyContain(v => Tnum.Range(min, max).Contains(v));
                Tnum.Range(min, max).Contains(Smallest(inside)).Should().BeTrue();
            }
        }

        Tnum.Range(0, ulong.MaxValue).Should().Be(Tnum.Unknown);
    }

    [Fact]
    public void Intersect_OverAllSmallTnums_KeepsExactlyCommonValues()
    {
        foreach (var a in All)
        {
            foreach (var b in All)
            {
                var common = Values(a).Intersect(Values(b)).ToList();
                a.Overlaps(b).Should().Be(common.Count > 0);
                if (common.Count > 0)
                {
                    Values(a.Intersect(b)).Should().BeEquivalentTo(common);
                }

                a.Contains(b).Should().Be(common.Count == Values(b).Count());
            }
        }
    }

    [Theory]
    [InlineData(0x80ul, 1, 0x40ul)]
    [InlineData(0x8000_0000_0000_0000ul, 63, ulong.MaxValue)]
    public void ShiftArith64_CopiesTheSign(ulong value, int shift, ulong expected) =>
        Tnum.Const(value).ShiftArith64(shift).Should().Be(Tnum.Const(expected));

    [Fact]
    public void ShiftArith32_CopiesAnUnknownSignIntoUnknownBits()
    {
        new Tnum(0, 0x8000_0000).ShiftArith32(4).Should().Be(new Tnum(0, 0xf800_0000));
        Tnum.Const(0xffff_ffff_8000_0000).ShiftArith32(31).Should().Be(Tnum.Const(0xffff_ffff));
    }

    [Fact]
    public void WithSubreg_ReplacesTheLowHalfOnly() =>
        new Tnum(0x1_0000_0000, 0xff).WithSubreg(Tnum.Const(0xabcd_0000_0007)).Should().Be(Tnum.Const(0x1_0000_0007));

    [Theory]
    [InlineData(8ul, 4ul, 4ul, true)]
    [InlineData(8ul, 2ul, 4ul, false)]
    [InlineData(6ul, 0ul, 4ul, false)]
    [InlineData(5ul, 0ul, 0ul, true)]
    public void IsAligned_LooksAtUnknownBitsToo(ulong value, ulong mask, ulong size, bool expected) =>
        new Tnum(value & ~mask, mask).IsAligned(size).Should().Be(expected);

    private static Tnum Apply(string name, Tnum a, Tnum b) => name switch
    {
        "+" => a + b,
        "-" => a - b,
        "*" => a * b,
        "&" => a & b,
        "|" => a | b,
        _ => a ^ b,
    };

    private static IEnumerable<ulong> Values(Tnum t) =>
        Enumerable.Range(0, 1 << WidthBits).Select(v => (ulong)v).Where(t.Contains);

    private static Tnum Smallest(IEnumerable<ulong> values)
    {
        var all = values.ToList();
        ulong ones = all.Aggregate((x, y) => x & y), any = all.Aggregate((x, y) => x | y);
        return new(ones, any & ~ones);
    }
}
