using FsCheck.Xunit;
using Kptr.Verifier.Scalars;

namespace Kptr.Tests.Verifier.Scalars;

/// <summary>The laws of numbers as kernels before 6.8 knew them.</summary>
[Properties(Arbitrary = [typeof(ScalarArbs)], MaxTest = 500)]
public class EarlyScalarTests : ScalarRulesLaws
{
    private protected override ScalarRules Rules => EarlyRules.Instance;

    [Property]
    public void Truncate_ContainsEveryResult(ulong[] numbers, byte forget)
    {
        foreach (var size in new[] { 1, 2, 4 })
        {
            var narrow = Synced(numbers, forget);
            Rules.Truncate(ref narrow, size);
            numbers.ShouldAll(
                n => narrow.Contains(n & ((1UL << (8 * size)) - 1)), n => $"{n:x} cut to {size}, got {narrow}");
        }
    }

    [Property]
    public void Predict_NeverContradictsTwoNumbers(ulong[] left, ulong right, byte forget, bool is32)
    {
        foreach (var op in ScalarRangeTests.JumpOps)
        {
            if (Rules.Predict(op, Synced(left, forget), ScalarRange.Const(right), is32, isSame: false) is { } taken)
            {
                left.ShouldAll(
                    x => ScalarRangeTests.Holds(op, is32, x, right) == taken,
                    x => $"{x:x} {op:x} {right:x} is {taken}");
            }
        }
    }

    /// <summary>What later kernels know is never less.</summary>
    [Property]
    public void Sync_OfLaterKernels_IsWithinTheEarlyOne(ulong[] numbers, byte forget)
    {
        var late = ScalarGen.Hull(numbers, forget);
        late.Sync();
        Synced(numbers, forget).IsSupersetOf(late).Should().BeTrue();
    }

    private protected override ScalarRange Around(ulong[] numbers, int forget) => ScalarGen.Hull(numbers, forget);
}
