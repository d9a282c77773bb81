using Kptr.Diagnostics;
using Kptr.Verifier;

namespace Kptr.Tests.Golden;

/// <summary>Every file under <c>tests/data/verifier</c>: one program, one verdict, one reason.</summary>
public class VerdictTests
{
    private static readonly string[] Names = [.. Directory
        .GetFiles(TestData.Path("verifier"), "*.txt", SearchOption.AllDirectories)
        .Select(f => Path.GetRelativePath(TestData.Path("verifier"), f)).Order(StringComparer.Ordinal)];

    public static TheoryData<string> Files { get; } = new(Names);

    [Theory]
    [MemberData(nameof(Files))]
    public void Program_FromFile_HasItsVerdict(string file)
    {
        var golden = VerdictFile.Read(TestData.Path("verifier", file));
        var result = golden.Verify();
        VerdictFile.Describe(result).Should().Be(golden.Expected, "the message is: {0}", result.Message);
        var told = result.Message + "\n" + string.Join('\n', result.Story?.Steps.Select(s => s.Text) ?? []) + "\n" + result.Story?.Suggestion;
        foreach (var part in golden.ExpectedParts)
        {
            told.Should().Contain(part);
        }
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void Program_VerifiedTwiceAtOnce_HasOneVerdict(string file)
    {
        var golden = VerdictFile.Read(TestData.Path("verifier", file));
        var results = new VerifyResult[4];
        Parallel.For(0, results.Length, i => results[i] = golden.Verify());
        results.Select(VerdictFile.Describe).Distinct().Should().ContainSingle();
        results.Select(r => r.InsnsProcessed).Distinct().Should().ContainSingle();
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void Program_WithoutPruning_HasTheSameVerdict(string file)
    {
        var golden = VerdictFile.Read(TestData.Path("verifier", file));
        var result = golden.Verify(pruning: false);
        if (!golden.Expected.Contains(nameof(DiagCode.InfiniteLoop), StringComparison.Ordinal))
        {
            VerdictFile.Describe(result).Should().Be(golden.Expected);
            return;
        }

        // Without states to compare a loop without end runs into the limit instead.
        result.Diagnostics[^1].Code.Should().Be(DiagCode.ComplexityExceeded);
    }

    [Fact]
    public void VerifierCodes_AllReachedByAProgram()
    {
        var reached = Names.Select(n => VerdictFile.Read(TestData.Path("verifier", n)).Expected.Split(' '))
            .Where(w => w.Length > 1).Select(w => w[1]).ToHashSet();
        var codes = Enum.GetValues<DiagCode>().Where(c => (int)c is >= 4000 and < 7002 or >= 9000 and < 9003)
            .Select(c => c.ToString()).Except(Elsewhere);
        codes.Except(reached).Should().BeEmpty("every code has a golden file");
    }

    /// <summary>
    /// Codes of faults only unprivileged programs have, which are not modelled; that need a kernel BTF with holes, or a
    /// weakness in Linux's own ranges; and those
    /// of calls, whose programs are in the calls' own tests.
    /// </summary>
    private static readonly string[] Elsewhere =
    [
        nameof(DiagCode.BackEdge), nameof(DiagCode.PrivilegeMissing), nameof(DiagCode.PtrLeak),
        nameof(DiagCode.UnsupportedKernelType), nameof(DiagCode.RangeContradiction),
        nameof(DiagCode.ReleaseUnowned), nameof(DiagCode.DynptrInvalid), nameof(DiagCode.IterInvalid),
        nameof(DiagCode.UntrustedArg), nameof(DiagCode.LockMisuse), nameof(DiagCode.GraphMisuse),
    ];
}
