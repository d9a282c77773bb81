using System.Globalization;
using System.Text;
using Kptr.Isa;
using Kptr.Verifier.Scalars;

namespace Kptr.Tests.Verifier.Scalars;

/// <summary>
/// How precise numbers are: the properties hold results to be wide enough, these files hold them to be
/// no wider and no narrower.
/// </summary>
/// <remarks>
/// Verdicts depend on the precision, and it is Linux 6.12's on purpose (in the early files 6.1's, in those of arcs,
/// quotients and swaps 7.2's). The files under
/// <c>tests/data/scalars</c> were recorded when all verdicts over Linux's selftests and their mutants were Linux's;
/// <c>KPTR_RECORD=1</c> records them again, for a change that is meant to change verdicts.
/// </remarks>
public class ScalarPinTests
{
    private const int Forgotten64 = 1;
    private const int Forgotten32 = 2;
    private const int ForgottenBits = 4;
    private const int ForgottenUnsigned = 8;

    internal static readonly ScalarRange[] Samples =
    [
        .. new ulong[] { 0, 1, 5, 31, 0x80000000, 0x1_0000_0000, ulong.MaxValue, 1UL << 63 }.Select(ScalarRange.Const),
        Hull(0, 0, 7), Hull(0, 1, 8, 64), Hull(0, 16, 48), Hull(ForgottenBits, 3, 200), Hull(ForgottenUnsigned, 3, 200),
        Hull(0, Neg(8), Neg(1)), Hull(0, Neg(4), 4), Hull(ForgottenBits, Neg(1), 0),
        Hull(ForgottenBits | Forgotten32, Neg(100), 100),
        Hull(0, 0x7fffffff, 0x80000001), Hull(ForgottenBits, 0xfffffffe, 0x100000001),
        Hull(0, 0xffffffff_80000000, 0xffffffff_80000007),
        Hull(ForgottenBits, long.MaxValue - 3, long.MaxValue), Hull(ForgottenBits, long.MaxValue, 1UL << 63),
        Hull(Forgotten64 | ForgottenBits, 2, 9),
        Hull(Forgotten64 | Forgotten32, 0x1200, 0x1234), ScalarRange.Unknown,
    ];

    internal static readonly (string Name, byte Op)[] Alu =
    [
        ("add", BpfOp.Add), ("sub", BpfOp.Sub), ("mul", BpfOp.Mul), ("and", BpfOp.And),
        ("or", BpfOp.Or), ("xor", BpfOp.Xor),
        ("lsh", BpfOp.Lsh), ("rsh", BpfOp.Rsh), ("arsh", BpfOp.Arsh), ("div", BpfOp.Div),
    ];

    internal static readonly (string Name, byte Op)[] Jumps =
    [
        ("jeq", BpfOp.Jeq), ("jne", BpfOp.Jne), ("jset", BpfOp.Jset), ("jgt", BpfOp.Jgt),
        ("jge", BpfOp.Jge), ("jlt", BpfOp.Jlt),
        ("jle", BpfOp.Jle), ("jsgt", BpfOp.Jsgt), ("jsge", BpfOp.Jsge), ("jslt", BpfOp.Jslt), ("jsle", BpfOp.Jsle),
    ];

    [Fact]
    public void Samples_AreWhatTheyWere() => Hold("samples.txt", Samples.Select((s, i) => $"{i} {Show(s)}"));

    [Fact]
    public void Arithmetic_IsAsPreciseAsItWas() => Hold("alu.txt", AluLines());

    [Fact]
    public void Branches_AreAsPreciseAsTheyWere() => Hold("branch.txt", BranchLines());

    [Fact]
    public void Quotients_AreAsPreciseAsTheyWere() => Hold("quotient.txt", QuotientLines());

    [Fact]
    public void EarlyArithmetic_IsAsPreciseAsItWas() => Hold("early-alu.txt", EarlyAluLines());

    [Fact]
    public void EarlyBranches_AreAsPreciseAsTheyWere() => Hold("early-branch.txt", EarlyBranchLines());

    [Fact]
    public void Casts_AreAsPreciseAsTheyWere() => Hold("cast.txt", CastLines());

    private static IEnumerable<string> AluLines()
    {
        foreach (var (name, op) in Alu)
        {
            foreach (var (i, j) in op == BpfOp.Div ? [(2, 3)] : IsShift(op) ? Shifts() : Pairs(5))
            {
                yield return $"{name} {i} {j}: {Apply(op, false, Samples[i], Samples[j])} | "
                    + $"{Apply(op, true, Samples[i], Samples[j])}";
            }
        }

        static string Apply(byte op, bool is32, ScalarRange dst, ScalarRange src) =>
            ScalarAlu.Apply(op, is32, ref dst, src) ? Show(dst) : $"unknown {Show(dst)}";
    }

    private static IEnumerable<string> QuotientLines()
    {
        foreach (var (name, op) in new[] { ("div", BpfOp.Div), ("mod", BpfOp.Mod) })
        {
            foreach (var (i, j) in Pairs(2))
            {
                yield return $"{name} {i} {j}: " + string.Join(
                    " | ", Apply(false, false), Apply(false, true), Apply(true, false), Apply(true, true));

                string Apply(bool isSigned, bool is32)
                {
                    var dst = Samples[i];
                    return ArcRules.Instance.Apply(op, isSigned, is32, ref dst, Samples[j])
                        ? Show(dst) : $"unknown {Show(dst)}";
                }
            }
        }
    }

    // Numbers as those kernels have them: their own, weaker deduction between the views.
    private static ScalarRange Early(int sample)
    {
        var range = Samples[sample];
        EarlyScalars.Sync(ref range);
        return range;
    }

    private static IEnumerable<string> EarlyAluLines()
    {
        foreach (var (name, op) in Alu)
        {
            foreach (var (i, j) in IsShift(op) ? Shifts() : Pairs(4))
            {
                yield return $"{name} {i} {j}: {Apply(op, false, i, j)} | {Apply(op, true, i, j)}";
            }
        }

        foreach (var size in new[] { 1, 2, 4 })
        {
            for (var i = 0; i < Samples.Length; i++)
            {
                var narrow = Early(i);
                EarlyScalars.Truncate(ref narrow, size);
                yield return $"cut {i} {size}: {Show(narrow)}";
            }
        }

        static string Apply(byte op, bool is32, int left, int right)
        {
            var dst = Early(left);
            return EarlyScalars.Apply(op, is32, ref dst, Early(right)) ? Show(dst) : $"unknown {Show(dst)}";
        }
    }

    private static IEnumerable<string> EarlyBranchLines()
    {
        foreach (var (name, op) in Jumps)
        {
            foreach (var (i, j) in Pairs(13))
            {
                foreach (var is32 in new[] { false, true })
                {
                    ScalarRange taken = Early(i), takenSrc = Early(j), other = Early(i), src = Early(j);
                    EarlyScalars.Refine(op, is32, ref taken, ref takenSrc, ref other, ref src);
                    yield return $"{name}{(is32 ? 32 : 64)} {i} {j}: "
                        + $"{EarlyScalars.Predict(op, Early(i), Early(j), is32)?.ToString() ?? "either"}, "
                        + $"{Now(taken, i)} {Now(takenSrc, j)}, else {Now(other, i)} {Now(src, j)}";
                }
            }
        }

        static string Now(ScalarRange range, int sample) => range.Equals(Early(sample)) ? "=" : Show(range);
    }

    private static IEnumerable<string> BranchLines()
    {
        foreach (var (name, op) in Jumps)
        {
            foreach (var (i, j) in Pairs(13))
            {
                foreach (var is32 in new[] { false, true })
                {
                    var taken = ScalarBranch.Predict(op, Samples[i], Samples[j], is32);
                    yield return $"{name}{(is32 ? 32 : 64)} {i} {j}: {taken?.ToString() ?? "either"}, {Refine(true)}, "
                        + $"else {Refine(false)}";

                    string Refine(bool holds)
                    {
                        var (a, b) = (Samples[i], Samples[j]);
                        ScalarBranch.Refine(op, holds, ref a, ref b, is32);
                        return $"{(a.Equals(Samples[i]) ? "=" : Show(a))} {(b.Equals(Samples[j]) ? "=" : Show(b))}";
                    }
                }
            }
        }
    }

    private static IEnumerable<string> CastLines()
    {
        for (var i = 0; i < Samples.Length; i++)
        {
            foreach (var size in new[] { 1, 2, 4 })
            {
                yield return $"cut {i} {size}: {Changed(i, (ref ScalarRange r) => r.Truncate(size))}";
                yield return $"extend64 {i} {size}: {Changed(i, (ref ScalarRange r) => r.SignExtend64(size))}";
                yield return $"extend32 {i} {size}: {Changed(i, (ref ScalarRange r) => r.SignExtend32(size))}";
            }

            yield return $"zero {i}: {Changed(i, (ref ScalarRange r) => r.ZeroExtend32())}";
            yield return $"clamp {i}: {Changed(i, (ref ScalarRange r) => r.ClampS32(-3, 4))}";
            yield return $"const32 {i}: {Changed(i, (ref ScalarRange r) => r.SetConst32(0x80000001))}";
            yield return $"include {i}: "
                + $"{Changed(i, (ref ScalarRange r) => r.Include(Samples[(i + 5) % Samples.Length]))}";
            yield return $"contained {i}: "
                + string.Join(' ', Enumerable.Range(0, Samples.Length).Where(j => Samples[i].IsSupersetOf(Samples[j])));
            yield return $"questions {i}: {Questions(Samples[i])}";
        }
    }

    private delegate void Change(ref ScalarRange range);

    private static string Changed(int sample, Change change)
    {
        var range = Samples[sample];
        change(ref range);
        return Show(range);
    }

    private static string Questions(ScalarRange range) => string.Create(
        CultureInfo.InvariantCulture,
        $"const {range.IsConst} {range.IsConstIn(true)}, 5 {range.IsConstEqual(5)}, width {range.WidthBits}, "
            + $"low {range.ConstValueIn(true):x}");

    /// <summary>One of so many pairs of samples, spread over all.</summary>
    private static IEnumerable<(int, int)> Pairs(int oneOf) =>
        from i in Enumerable.Range(0, Samples.Length)
        from j in Enumerable.Range(0, Samples.Length)
        where ((i * 7) + (j * 3) + (i * j)) % oneOf == 0
        select (i, j);

    private static readonly int[] ShiftSamples = [0, 1, 2, 3, 4, 8];

    /// <summary>Every sample, shifted by the first ones, which are constants, and by one that is none.</summary>
    private static IEnumerable<(int, int)> Shifts() =>
        from i in Enumerable.Range(0, Samples.Length)
        from j in ShiftSamples
        select (i, j);

    private static bool IsShift(byte op) => op is BpfOp.Lsh or BpfOp.Rsh or BpfOp.Arsh;

    /// <summary>The views that say something: bits, u64, s64, u32, s32.</summary>
    internal static string Show(ScalarRange r)
    {
        if (r.Equals(ScalarRange.Const(r.ConstValue)))
        {
            return $"{r.ConstValue:x}";
        }

        var text = new StringBuilder();
        Add("b", r.Bits != Tnum.Unknown, $"{r.Bits.Value:x}/{r.Bits.Mask:x}");
        Add("u", r.UMin != 0 || r.UMax != ulong.MaxValue, $"{r.UMin:x}-{r.UMax:x}");
        Add("s", r.SMin != long.MinValue || r.SMax != long.MaxValue, $"{r.SMin:x}-{r.SMax:x}");
        Add("U", r.U32Min != 0 || r.U32Max != uint.MaxValue, $"{r.U32Min:x}-{r.U32Max:x}");
        Add("S", r.S32Min != int.MinValue || r.S32Max != int.MaxValue, $"{r.S32Min:x}-{r.S32Max:x}");
        Add("w", r.KeepsArc, $"{r.Wide.First:x}+{r.Wide.Span:x}");
        Add("W", r.KeepsArc, $"{r.Low.First:x}+{r.Low.Span:x}");
        return text.Length == 0 ? "any" : $"[{text.ToString().TrimEnd()}]";

        void Add(string view, bool isKnown, string words) => text.Append(isKnown ? $"{view}{words} " : "");
    }

    internal static void Hold(string file, IEnumerable<string> lines)
    {
        var path = TestData.Path("scalars", file);
        if (Environment.GetEnvironmentVariable("KPTR_RECORD") == "1")
        {
            File.WriteAllLines(path, lines);
        }

        lines.Should().Equal(File.ReadAllLines(path));
    }

    internal static ScalarRange Hull(int forget, params ulong[] numbers)
    {
        var range = ScalarGen.Hull(numbers, forget);
        range.Sync();
        return range;
    }

    internal static ulong Neg(long magnitude) => (ulong)-magnitude;
}
