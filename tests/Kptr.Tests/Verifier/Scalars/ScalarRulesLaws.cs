using FsCheck.Xunit;
using Kptr.Isa;
using Kptr.Verifier.Scalars;

namespace Kptr.Tests.Verifier.Scalars;

/// <summary>The laws that hold for every kernel's rules of numbers.</summary>
public abstract class ScalarRulesLaws
{
    private protected abstract ScalarRules Rules { get; }

    [Property]
    public void Sync_LosesNoNumberAndGrowsNoRange(ulong[] numbers, byte forget)
    {
        var before = Around(numbers, forget);
        var after = before;
        Rules.Sync(ref after);
        numbers.ShouldAll(after.Contains, n => $"{n:x} of {before}, got {after}");
        before.IsSupersetOf(after).Should().BeTrue($"{before} before, {after} after");
        after.IsEmpty.Should().BeFalse();
    }

    [Property]
    public void Apply_OnTwoRanges_ContainsEveryResult(ulong[] left, ulong[] right, byte forget, bool is32)
    {
        foreach (var op in ScalarRangeTests.AluOps)
        {
            ScalarRange dst = Synced(left, forget), src = Synced(right, forget >> 4);
            var result = dst;
            Rules.Apply(op, false, is32, ref result, src);
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
            Rules.Apply(op, false, is32, ref result, ScalarRange.Const(y));
            left.ShouldAll(
                x => result.Contains(ScalarRangeTests.Compute(op, is32, x, y)),
                x => $"{x:x} {op:x} {y:x}, got {result}");
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
            Rules.Refine(op, is32, ref taken, ref takenSrc, ref other, ref src);
            foreach (var y in right)
            {
                left.ShouldAll(
                    x => ScalarRangeTests.Holds(op, is32, x, y)
                        ? taken.Contains(x) && takenSrc.Contains(y) : other.Contains(x) && src.Contains(y),
                    x => $"{x:x} {op:x} {y:x}: {taken}, {takenSrc}; {other}, {src}");
            }
        }
    }

    /// <summary>A range around the numbers as this kernel keeps ranges, with some views forgotten.</summary>
    private protected abstract ScalarRange Around(ulong[] numbers, int forget);

    private protected ScalarRange Synced(ulong[] numbers, int forget)
    {
        var range = Around(numbers, forget);
        Rules.Sync(ref range);
        return range;
    }
}
