using FsCheck.Xunit;
using Kptr.Isa;
using Kptr.Verifier.Scalars;

namespace Kptr.Tests.Verifier.Scalars;

/// <summary>The laws of numbers as kernels know them that keep arcs.</summary>
[Properties(Arbitrary = [typeof(ScalarArbs)], MaxTest = 150)]
public class ArcRulesTests : ScalarRulesLaws
{
    private protected override ScalarRules Rules => ArcRules.Instance;

    [Property]
    public void Truncate_AndExtensions_ContainEveryResult(ulong[] numbers, byte forget)
    {
        foreach (var size in new[] { 1, 2, 4 })
        {
            var mask = (1UL << (8 * size)) - 1;
            ScalarRange cut = Synced(numbers, forget), wide = cut, low = cut;
            Rules.Truncate(ref cut, size);
            numbers.ShouldAll(n => cut.Contains(n & mask), n => $"{n:x} cut to {size}, got {cut}");
            wide.SignExtend64(size);
            numbers.ShouldAll(
                n => wide.Contains((ulong)Extended(n, size)), n => $"{n:x} extended from {size}, got {wide}");
            low.SignExtend32(size);
            Rules.ZeroExtend32(ref low);
            Rules.Sync(ref low);
            numbers.ShouldAll(
                n => size == 4 || low.Contains((uint)Extended(n, size)), n => $"{n:x} from {size}, got {low}");
        }
    }

    [Property]
    public void ClampS32_KeepsWhatIsBetween(ulong[] numbers, byte forget, int min, int max)
    {
        (min, max) = (Math.Min(min, max), Math.Max(min, max));
        var clamped = Synced(numbers, forget);
        Rules.ClampS32(ref clamped, min, max);
        numbers.ShouldAll(
            n => (long)n < min || (long)n > max || clamped.Contains(n), n => $"{n:x} in {min}..{max}, got {clamped}");
    }

    [Property]
    public void Predict_NeverContradictsTwoNumbers(ulong[] left, ulong[] right, byte forget, bool is32)
    {
        ScalarRange a = Synced(left, forget), b = Synced(right, forget >> 4);
        foreach (var op in ScalarRangeTests.JumpOps)
        {
            if (Rules.Predict(op, a, b, is32, isSame: false) is { } taken)
            {
                foreach (var y in right)
                {
                    left.ShouldAll(
                        x => ScalarRangeTests.Holds(op, is32, x, y) == taken, x => $"{x:x} {op:x} {y:x} is {taken}");
                }
            }

            if (Rules.Predict(op, a, a, is32, isSame: true) is { } itself)
            {
                left.ShouldAll(
                    x => ScalarRangeTests.Holds(op, is32, x, x) == itself, x => $"{x:x} {op:x} itself is {itself}");
            }
        }
    }

    [Property]
    public void Include_ContainsTheNumbersOfBoth(ulong[] left, ulong[] right, byte forget)
    {
        var joined = Synced(left, forget);
        joined.Include(Synced(right, forget >> 4));
        left.Concat(right).ShouldAll(joined.Contains, n => $"{n:x}, got {joined}");
    }

    /// <summary>A number other than one, of which neither reading says a word.</summary>
    [Fact]
    public void Refine_ByADifference_RemembersIt()
    {
        ScalarRange taken = ScalarRange.Unknown, other = ScalarRange.Unknown;
        ScalarRange five = ScalarRange.Const(5), same = five;
        Rules.Refine(BpfOp.Jne, false, ref taken, ref five, ref other, ref same);
        taken.Contains(5).Should().BeFalse();
        taken.Contains(4).Should().BeTrue();
        (taken.UMin, taken.UMax).Should().Be((0ul, ulong.MaxValue));
        taken.Should().NotBe(ScalarRange.Unknown);
        ScalarRange.Unknown.IsSupersetOf(taken).Should().BeTrue();
        taken.IsSupersetOf(ScalarRange.Unknown).Should().BeFalse();
        Rules.Predict(BpfOp.Jeq, taken, ScalarRange.Const(5), false, false).Should().BeFalse();
        Rules.Apply(BpfOp.Add, false, false, ref taken, ScalarRange.Const(1)).Should().BeTrue();
        taken.Contains(6).Should().BeFalse();
        taken.Contains(5).Should().BeTrue();
    }

    private protected override ScalarRange Around(ulong[] numbers, int forget) => ScalarGen.Arcs(numbers, forget);

    private static long Extended(ulong n, int size) => size switch { 1 => (sbyte)n, 2 => (short)n, _ => (int)n };
}
