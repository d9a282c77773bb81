using FsCheck.Xunit;
using Kptr.Isa;
using Kptr.Verifier.Scalars;

namespace Kptr.Tests.Verifier.Scalars;

/// <summary>The laws of numbers as kernels before 6.8 knew them.</summary>
[Properties(Arbitrary = [typeof(ScalarArbs)], MaxTest = 500)]
public class EarlyScalarTests
{
    [Property]
    public void Sync_LosesNoNumberAndGrowsNoRange(ulong[] numbers, byte forget)
    {
        var before = ScalarGen.Hull(numbers, forget);
        var after = before;
        EarlyScalars.Sync(ref after);
        numbers.ShouldAll(after.Contains, n => $"{n:x} of {before}, got {after}");
        before.IsSupersetOf(after).Should().BeTrue($"{before} before, {after} after");
    }

    [Property]
    public void Apply_OnTwoRanges_ContainsEveryResult(ulong[] left, ulong[] right, byte forget, bool is32)
    {
        foreach (var op in ScalarRangeTests.AluOps)
        {
            ScalarRange dst = Synced(left, forget), src = Synced(right, forget >> 4);
            var result = dst;
            EarlyScalars.Apply(op, is32, ref result, src);
            foreach (var y in right)
            {
                left.ShouldAll(
                    x => result.Contains(ScalarRangeTests.Compute(op, is32, x, y)),
                    x => $"{x:x} {op:x} {y:x} of {dst} and {src}, got {result}");
            }
        }
    }

    [Property]
    public void Apply_WithAConstant_ContainsEveryResult(ulong[] left, ulong constant, byte forget, bool is32)
    {
        foreach (var op in ScalarRangeTests.AluOps)
        {
            var isShift = op is BpfOp.Lsh or BpfOp.Rsh or BpfOp.Arsh;
            var y = isShift ? constant % (is32 ? 32u : 64u) : constant;
            var result = Synced(left, forget);
            EarlyScalars.Apply(op, is32, ref result, ScalarRange.Const(y));
            left.ShouldAll(
                x => result.Contains(ScalarRangeTests.Compute(op, is32, x, y)),
                x => $"{x:x} {op:x} {y:x}, got {result}");
        }
    }

    [Property]
    public void Truncate_ContainsEveryResult(ulong[] numbers, byte forget)
    {
        foreach (var size in new[] { 1, 2, 4 })
        {
            var narrow = Synced(numbers, forget);
            EarlyScalars.Truncate(ref narrow, size);
            numbers.ShouldAll(
                n => narrow.Contains(n & ((1UL << (8 * size)) - 1)), n => $"{n:x} cut to {size}, got {narrow}");
        }
    }

    [Property]
    public void Predict_NeverContradictsTwoNumbers(ulong[] left, ulong right, byte forget, bool is32)
    {
        foreach (var op in ScalarRangeTests.JumpOps)
        {
            if (EarlyScalars.Predict(op, Synced(left, forget), ScalarRange.Const(right), is32) is { } taken)
            {
                left.ShouldAll(
                    x => ScalarRangeTests.Holds(op, is32, x, right) == taken,
                    x => $"{x:x} {op:x} {right:x} is {taken}");
            }
        }
    }

    [Property]
    public void Refine_KeepsEveryPairOnItsBranch(ulong[] left, ulong[] right, byte forget, bool is32, bool constant)
    {
        right = constant && right.Length > 0 ? right[..1] : right;
        foreach (var op in ScalarRangeTests.JumpOps)
        {
            ScalarRange taken = Synced(left, forget), takenSrc = Synced(right, constant ? 0 : forget >> 4);
            ScalarRange other = taken, src = takenSrc;
            EarlyScalars.Refine(op, is32, ref taken, ref takenSrc, ref other, ref src);
            foreach (var y in right)
            {
                left.ShouldAll(
                    x => ScalarRangeTests.Holds(op, is32, x, y)
                        ? taken.Contains(x) && takenSrc.Contains(y) : other.Contains(x) && src.Contains(y),
                    x => $"{x:x} {op:x} {y:x}: {taken}, {takenSrc}; {other}, {src}");
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

    private static ScalarRange Synced(ulong[] numbers, int forget)
    {
        var range = ScalarGen.Hull(numbers, forget);
        EarlyScalars.Sync(ref range);
        return range;
    }
}
