using Kptr.Verifier.Scalars;

namespace Kptr.Tests.Verifier.Scalars;

/// <summary>The laws of arcs, by every number of a circle of 256.</summary>
public class ArcTests
{
    private static readonly byte[] Places = [0, 1, 2, 60, 126, 127, 128, 129, 200, 254, 255];

    private static readonly Arc<byte>[] All =
        [Arc<byte>.None, .. from first in Places
                            from span in Places
                            where span < 255 || first == 0
                            select new Arc<byte>(first, span)];

    private static readonly (Arc<byte> A, Arc<byte> B)[] Pairs = [.. from a in All from b in All select (a, b)];

    [Fact]
    public void Ends_OfEveryArc_AreTheTightestInEitherReading()
    {
        foreach (var arc in All.Where(a => !a.IsEmpty))
        {
            var inside = Numbers(arc);
            inside.Should().HaveCount(arc.Span + 1);
            (arc.UMin, arc.UMax).Should().Be((inside.Min(), inside.Max()), $"{arc}");
            ((sbyte)arc.SMin, (sbyte)arc.SMax).Should()
                .Be((inside.Min(n => (sbyte)n), inside.Max(n => (sbyte)n)), $"{arc}");
            (arc.PassesZero || Arc<byte>.Unsigned(arc.UMin, arc.UMax) == arc).Should().BeTrue($"{arc}");
            (arc.PassesSign || Arc<byte>.Signed(arc.SMin, arc.SMax) == arc).Should().BeTrue($"{arc}");
        }

        Numbers(Arc<byte>.None).Should().BeEmpty();
        Numbers(Arc<byte>.Any).Should().HaveCount(256);
    }

    [Fact]
    public void Intersect_OfTwo_HasAllThatIsInBothAndNothingElseWhereThatIsOnePiece()
    {
        foreach (var (a, b) in Pairs)
        {
            var met = a.Intersect(b);
            int both = 0, lost = 0, pieces = 0;
            for (var n = 0; n < 256; n++)
            {
                var isIn = a.Contains((byte)n) && b.Contains((byte)n);
                both += isIn ? 1 : 0;
                lost += isIn && !met.Contains((byte)n) ? 1 : 0;
                pieces += isIn && !(a.Contains((byte)(n - 1)) && b.Contains((byte)(n - 1))) ? 1 : 0;
            }

            Hold(lost == 0 && met.Span == b.Intersect(a).Span, () => $"{a} and {b} leave {met}");
            Hold(
                pieces > 1 ? met == a || met == b : both == (met.IsEmpty ? 0 : met.Span + 1),
                () => $"{a} and {b} leave {met}");
        }
    }

    [Fact]
    public void Contains_OfAnotherArc_FollowsTheNumbers()
    {
        foreach (var (a, b) in Pairs)
        {
            Hold(a.Contains(b) == Numbers(b).All(a.Contains), () => $"{b} in {a}");
        }
    }

    [Fact]
    public void Sums_AndDifferences_HaveEveryResult()
    {
        foreach (var (a, b) in Pairs)
        {
            Arc<byte> sum = a + b, difference = a - b;
            foreach (var (x, y) in from x in Ends(a) from y in Ends(b) select (x, y))
            {
                Hold(
                    sum.Contains((byte)(x + y)) && difference.Contains((byte)(x - y)),
                    () => $"{x} and {y} of {a} and {b}");
            }

            var isEmpty = a.IsEmpty || b.IsEmpty;
            Hold((sum.IsEmpty, difference.IsEmpty) == (isEmpty, isEmpty), () => $"{a} and {b}");
            var span = Math.Min(255, a.Span + b.Span);
            Hold(sum.IsEmpty || (sum.Span, difference.Span) == (span, span), () => $"{a} and {b}");
        }
    }

    [Fact]
    public void Except_OfEveryNumber_HasAllOthers()
    {
        foreach (var n in Places)
        {
            Numbers(Arc<byte>.Except(n)).Should().HaveCount(255).And.NotContain(n);
        }
    }

    [Fact]
    public void OfBits_OfEveryMask_HasEveryNumberOfThem()
    {
        for (var mask = 0; mask < 256; mask++)
        {
            foreach (var value in Places.Select(p => (byte)(p & ~mask)))
            {
                var arc = Arc<byte>.OfBits(value, (byte)mask);
                for (var n = 0; n < 256; n++)
                {
                    Hold((n & ~mask) != value || arc.Contains((byte)n), () => $"{n} of {value}/{mask} in {arc}");
                }
            }
        }
    }

    [Fact]
    public void LowHalf_AndKeepLowHalf_LoseNoNumberAndGrowNoArc()
    {
        ushort[] firsts = [0, 1, 0x7f, 0x80, 0xff, 0x100, 0x17f, 0x7fff, 0x8000, 0x80ff, 0xff00, 0xff80, 0xffff];
        ushort[] spans = [0, 1, 0x7f, 0xfe, 0xff, 0x100, 0x180, 0x1ff];
        foreach (var wide in from f in firsts from s in spans select new Arc<ushort>(f, s))
        {
            var halves = wide.LowHalf<ushort, byte>();
            foreach (var low in All)
            {
                var kept = wide.KeepLowHalf(low);
                Hold(wide.Contains(kept), () => $"{kept} of {wide}");
                for (var i = 0; i <= wide.Span; i++)
                {
                    var n = (ushort)(wide.First + i);
                    Hold(
                        halves.Contains((byte)n) && (!low.Contains((byte)n) || kept.Contains(n)),
                        () => $"{n} of {wide} with {low}: {kept}");
                }

                Hold(
                    kept.IsEmpty || (low.Contains((byte)kept.First) && low.Contains((byte)kept.Last)),
                    () => $"both ends of {kept} are cut back to {low}");
            }
        }
    }

    // The words are made where a law breaks: some are asked a million times.
    private static void Hold(bool law, Func<string> words)
    {
        if (!law)
        {
            false.Should().BeTrue(words());
        }
    }

    private static byte[] Numbers(Arc<byte> arc) =>
        [.. Enumerable.Range(0, 256).Select(n => (byte)n).Where(arc.Contains)];

    private static byte[] Ends(Arc<byte> arc) =>
        arc.IsEmpty ? [] : [arc.First, arc.Last, (byte)(arc.First + (arc.Span / 2))];
}
