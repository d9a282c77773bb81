using Kptr.Verifier.Scalars;
using static Kptr.Tests.Verifier.Scalars.ScalarPinTests;

namespace Kptr.Tests.Verifier.Scalars;

/// <summary>How precise numbers are where ranges are arcs: pinned as in <see cref="ScalarPinTests"/>.</summary>
public class ArcPinTests
{
    private static readonly ArcRules Rules = ArcRules.Instance;

    private static readonly bool[] Widths = [false, true];

    private static readonly int[] Sizes = [1, 2, 4];

    private static readonly ScalarRange[] Arcs =
    [
        .. new ulong[] { 0, 5, 32, ulong.MaxValue, 1UL << 63 }.Select(ScalarRange.Const),
        Made(new(0, 7), null), Made(new(Neg(4), 8), null), Made(new(long.MaxValue - 2, 5), null),
        Made(Arc<ulong>.Except(5), null), Made(Arc<ulong>.Except(0), null), Made(null, Arc<uint>.Except(7)),
        Made(null, new(0xfffffffe, 4)), Made(new(0xfffffffe, 0x1_0000_0004), new(0x10, 0x20)),
        Made(null, new(int.MaxValue, 0xfffffff0)), ScalarRange.Unknown,
        Made(new(0x40, 0x40), null, new Tnum(0x50, 0xf0f)), Made(null, null, new Tnum(1, ulong.MaxValue - 7)),
    ];

    [Fact]
    public void Arithmetic_OfArcs_IsAsPreciseAsItWas() => Hold("arc-alu.txt",
        from op in Alu
        from i in Enumerable.Range(0, Arcs.Length)
        from j in Enumerable.Range(0, Arcs.Length)
        where ((i * 5) + (j * 3) + (i * j)) % 3 == 0
        select $"{op.Name} {i} {j}: {Apply(op.Op, false, i, j)} | {Apply(op.Op, true, i, j)}");

    [Fact]
    public void Branches_OfArcs_AreAsPreciseAsTheyWere() => Hold("arc-branch.txt",
        from op in Jumps
        from i in Enumerable.Range(0, Arcs.Length)
        from j in Enumerable.Range(0, Arcs.Length)
        where ((i * 7) + (j * 3) + (i * j)) % 5 == 0
        from is32 in Widths
        select $"{op.Name}{(is32 ? 32 : 64)} {i} {j}: {Branch(op.Op, is32, i, j)}");

    [Fact]
    public void Casts_OfArcs_AreAsPreciseAsTheyWere() => Hold("arc-cast.txt",
        from i in Enumerable.Range(0, Arcs.Length)
        select $"{i}: {Show(Arcs[i])}, cut "
            + string.Join(", ", Sizes.Select(size => Changed(i, (ref ScalarRange r) =>
                Rules.Truncate(ref r, size))))
            + $", low {Changed(i, (ref ScalarRange r) => Rules.ZeroExtend32(ref r))}, signed "
            + string.Join(", ", Sizes.Select(size => Changed(i, (ref ScalarRange r) =>
                r.SignExtend64(size))))
            + $", clamped {Changed(i, (ref ScalarRange r) => Rules.ClampS32(ref r, -3, 4))}, contains "
            + string.Join(' ', Enumerable.Range(0, Arcs.Length).Where(j => Arcs[i].IsSupersetOf(Arcs[j]))));

    private delegate void Change(ref ScalarRange range);

    private static string Apply(byte op, bool is32, int left, int right)
    {
        var dst = Arcs[left];
        return Rules.Apply(op, false, is32, ref dst, Arcs[right]) ? Show(dst) : $"unknown {Show(dst)}";
    }

    private static string Branch(byte op, bool is32, int left, int right)
    {
        ScalarRange taken = Arcs[left], takenSrc = Arcs[right], other = Arcs[left], src = Arcs[right];
        Rules.Refine(op, is32, ref taken, ref takenSrc, ref other, ref src);
        return $"{Rules.Predict(op, Arcs[left], Arcs[right], is32, false)?.ToString() ?? "either"}, "
            + $"{Now(taken, left)} {Now(takenSrc, right)}, else {Now(other, left)} {Now(src, right)}";
    }

    private static string Now(ScalarRange range, int sample) => range.Equals(Arcs[sample]) ? "=" : Show(range);

    private static string Changed(int sample, Change change)
    {
        var range = Arcs[sample];
        change(ref range);
        return Show(range);
    }

    private static ScalarRange Made(Arc<ulong>? wide, Arc<uint>? low, Tnum? bits = null)
    {
        var range = ScalarRange.Unknown;
        range.Wide = wide ?? range.Wide;
        range.Low = low ?? range.Low;
        range.Bits = bits ?? range.Bits;
        Rules.Sync(ref range);
        return range;
    }
}
