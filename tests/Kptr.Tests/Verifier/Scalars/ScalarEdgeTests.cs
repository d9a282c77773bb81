using Kptr.Isa;
using Kptr.Verifier.Scalars;
using static Kptr.Tests.Verifier.Scalars.ScalarPinTests;

namespace Kptr.Tests.Verifier.Scalars;

/// <summary>
/// Numbers at the edges where rules change, and numbers whose views disagree, which only paths have that cannot be:
/// what comes of them is pinned as in <see cref="ScalarPinTests"/>.
/// </summary>
public class ScalarEdgeTests
{
    private delegate void Change(ref ScalarRange range);

    private static readonly ScalarRange[] Edges =
    [
        Hull(0, 0x1_0000_0005, 0x2_0000_0005), .. new ulong[] { 32, 63, 64, 0x1_0000_0008 }.Select(ScalarRange.Const),
        With(5, (ref ScalarRange r) => r.UMax = 6), With(5, (ref ScalarRange r) => r.SMax = 6),
        With(5, (ref ScalarRange r) => r.U32Max = 6), With(5, (ref ScalarRange r) => r.S32Max = 6),
        With(null, (ref ScalarRange r) => (r.UMin, r.UMax) = (5, 4)),
        With(null, (ref ScalarRange r) => (r.SMin, r.SMax) = (5, 4)),
        With(null, (ref ScalarRange r) => (r.U32Min, r.U32Max) = (5, 4)),
        With(null, (ref ScalarRange r) => (r.S32Min, r.S32Max) = (5, 4)),
        Hull(0, 0xfffe, 0xffff), Hull(0, 0xffff, 0x10000), Hull(0, 0xffff_fffe, 0xffff_ffff),
        Hull(0, 0x7fff_fffe, 0x7fff_ffff), Hull(0, 0x7fff_ffff, 0x8000_0000), Hull(0, 5, 9),
        Hull(0, Neg(0x8000_0000), Neg(0x7fff_ffff)), Hull(0, Neg(0x8000_0001), Neg(0x8000_0000)),
    ];

    private static readonly ScalarRange[] Plain =
    [
        ScalarRange.Const(1), ScalarRange.Const(5), ScalarRange.Const(31), Hull(0, 0, 7), Hull(0, 16, 48),
        Hull(0, Neg(4), 4), ScalarRange.Unknown,
    ];

    private static readonly (string Name, byte Op)[] Divisions = [("div", BpfOp.Div), ("mod", BpfOp.Mod)];

    private static readonly bool[] Widths = [false, true];

    private static readonly string[] Swaps =
    [
        "r0 = -r0", "w0 = -w0", "r0 = be16 r0", "r0 = be32 r0", "r0 = be64 r0", "r0 = le16 r0", "r0 = le32 r0",
        "r0 = le64 r0", "r0 = bswap16 r0", "r0 = bswap32 r0", "r0 = bswap64 r0",
    ];

    [Fact]
    public void Arithmetic_AtTheEdges_IsAsPreciseAsItWas() => Hold("edge-alu.txt",
        from op in Alu
        from pair in Pairs()
        select $"{op.Name} {pair.Name}: "
            + $"{Apply(ScalarAlu.Apply, op.Op, false, pair)} | {Apply(ScalarAlu.Apply, op.Op, true, pair)} | early "
            + $"{Apply(EarlyScalars.Apply, op.Op, false, pair)} | {Apply(EarlyScalars.Apply, op.Op, true, pair)}");

    [Fact]
    public void Quotients_AtTheEdges_AreAsPreciseAsTheyWere() => Hold("edge-quotient.txt",
        from op in Divisions
        from pair in Pairs()
        select $"{op.Name} {pair.Name}: " + string.Join(" | ", Enumerable.Range(0, 4).Select(
            form => Apply(
                (byte o, bool is32, ref ScalarRange dst, in ScalarRange src) =>
                    ArcRules.Instance.Apply(o, (form & 2) != 0, is32, ref dst, src),
                op.Op, (form & 1) != 0, pair))));

    /// <summary>Each number is compared with the ends of its own ranges.</summary>
    [Fact]
    public void Branches_AtTheEndsOfARange_AreAsPreciseAsTheyWere() => Hold("edge-branch.txt",
        from op in Jumps
        from i in Enumerable.Range(0, Samples.Length)
        from is32 in Widths
        from end in Ends(Samples[i], is32)
        select $"{op.Name}{(is32 ? 32 : 64)} {i} {Show(end)}: {Branch(op.Op, Samples[i], end, is32)}");

    [Fact]
    public void NegationAndSwaps_AreAsPreciseAsTheyWere() => Hold("swap.txt",
        from text in Swaps
        let insn = TextAssembler.Assemble(text).Insns[0]
        from i in Enumerable.Range(0, Samples.Length)
        let changed = Changed(Samples[i], (ref ScalarRange r) => ArcRules.Instance.NegateOrSwap(insn, ref r))
        select $"{text} {i}: {changed}");

    [Fact]
    public void Number_IsInARange_WhereNoViewExcludesIt()
    {
        ScalarRange.Unknown.Contains(5).Should().BeTrue();
        foreach (var change in new Change[]
        {
            (ref ScalarRange r) => r.Bits = Tnum.Const(4), (ref ScalarRange r) => r.UMin = 6,
            (ref ScalarRange r) => r.UMax = 4, (ref ScalarRange r) => r.SMin = 6, (ref ScalarRange r) => r.SMax = 4,
            (ref ScalarRange r) => r.U32Min = 6, (ref ScalarRange r) => r.U32Max = 4,
            (ref ScalarRange r) => r.S32Min = 6, (ref ScalarRange r) => r.S32Max = 4,
        })
        {
            var range = With(null, change);
            range.Contains(5).Should().BeFalse(range.ToString());
        }
    }

    [Fact]
    public void View_ThatDisagreesWithKnownBits_IsAViolation()
    {
        ScalarRange.Const(5).FindViolation().Should().BeNull();
        foreach (var change in new Change[]
        {
            (ref ScalarRange r) => r.UMin = 4, (ref ScalarRange r) => r.UMax = 6, (ref ScalarRange r) => r.SMin = 4,
            (ref ScalarRange r) => r.SMax = 6,
        })
        {
            With(5, change).FindViolation().Should().Be("const tnum out of sync with range bounds");
        }

        foreach (var change in new Change[]
        {
            (ref ScalarRange r) => r.U32Min = 4, (ref ScalarRange r) => r.U32Max = 6,
            (ref ScalarRange r) => r.S32Min = 4, (ref ScalarRange r) => r.S32Max = 6,
        })
        {
            With(5, change).FindViolation().Should().Be("const subreg tnum out of sync with range bounds");
        }
    }

    [Fact]
    public void Mask_OfALowHalfThatIsZeroOrMinusOne_AsksForAForkOf32Bits()
    {
        int Fork(int min, int max) => ScalarAlu.ForkWidthBits(
            BpfOp.And, With(null, (ref ScalarRange r) => (r.S32Min, r.S32Max) = (min, max)), ScalarRange.Const(1));

        (Fork(-1, 0), Fork(-1, 1), Fork(0, 0), Fork(1, 0), Fork(-2, 0)).Should().Be((32, 0, 0, 0, 0));
    }

    [Fact]
    public void Text_HasEveryView()
    {
        ScalarRange.Const(5).ToString().Should().Be(
            "u64=[5, 5] s64=[5, 5] u32=[5, 5] s32=[5, 5] bits=(0x5; 0x0)");
        new Tnum(1, 0xf0).ToString().Should().Be("(0x1; 0xf0)");
    }

    private delegate bool Operation(byte op, bool is32, ref ScalarRange dst, in ScalarRange src);

    private static IEnumerable<(string Name, ScalarRange Dst, ScalarRange Src)> Pairs() =>
        (from i in Enumerable.Range(0, Plain.Length)
         from j in Enumerable.Range(0, Edges.Length)
         where i >= 3
         select ($"plain {i} edge {j}", Plain[i], Edges[j]))
        .Concat(from i in Enumerable.Range(0, Edges.Length)
                from j in Enumerable.Range(0, Plain.Length)
                where (i + j) % 2 == 0 || j < 3
                select ($"edge {i} plain {j}", Edges[i], Plain[j]));

    private static string Apply(
        Operation operation, byte op, bool is32, (string Name, ScalarRange Dst, ScalarRange Src) pair)
    {
        var dst = pair.Dst;
        return operation(op, is32, ref dst, pair.Src) ? Show(dst) : $"unknown {Show(dst)}";
    }

    private static IEnumerable<ScalarRange> Ends(ScalarRange range, bool is32) => (is32
        ? new ulong[] { range.U32Min, range.U32Max, (uint)range.S32Min, (uint)range.S32Max, range.U32Max | (1UL << 40) }
        : [range.UMin, range.UMax, (ulong)range.SMin, (ulong)range.SMax]).Distinct().Select(ScalarRange.Const);

    private static string Branch(byte op, ScalarRange range, ScalarRange end, bool is32)
    {
        string Refined(bool holds)
        {
            var (a, b) = (range, end);
            ScalarBranch.Refine(op, holds, ref a, ref b, is32);
            return Now(a);
        }

        ScalarRange early = Synced(range), taken = early, takenSrc = Synced(end), other = early, src = takenSrc;
        EarlyScalars.Refine(op, is32, ref taken, ref takenSrc, ref other, ref src);
        return $"{ScalarBranch.Predict(op, range, end, is32)?.ToString() ?? "either"} {Refined(true)} {Refined(false)}"
            + $" | early {EarlyScalars.Predict(op, early, Synced(end), is32)?.ToString() ?? "either"} "
            + $"{Now(taken)} {Now(other)}";

        string Now(ScalarRange r) => r.Equals(range) ? "=" : Show(r);
    }

    private static ScalarRange Synced(ScalarRange range)
    {
        EarlyScalars.Sync(ref range);
        return range;
    }

    private static string Changed(ScalarRange range, Change change)
    {
        change(ref range);
        return Show(range);
    }

    private static ScalarRange With(ulong? number, Change change)
    {
        var range = number is { } known ? ScalarRange.Const(known) : ScalarRange.Unknown;
        change(ref range);
        return range;
    }
}
