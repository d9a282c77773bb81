using Kptr.Diagnostics;
using Kptr.Verifier;

namespace Kptr.Tests.Golden;

/// <summary>Every file under <c>tests/data/verifier</c>: one program, one verdict, one reason.</summary>
public class VerdictTests
{
    private const int UnprunedInsnsMax = 100_000;

    private static readonly string[] Names = [.. Directory
        .GetFiles(TestData.Path("verifier"), "*.txt", SearchOption.AllDirectories)
        .Select(f => Path.GetRelativePath(TestData.Path("verifier"), f)).Order(StringComparer.Ordinal)];

    public static TheoryData<string> Files { get; } = new(Names);

    public static TheoryData<string> StrictFiles { get; } =
        new(Names.Where(n => VerdictFile.Read(TestData.Path("verifier", n)).IsStrict));

    [Theory]
    [MemberData(nameof(Files))]
    public void Program_FromFile_HasItsVerdict(string file)
    {
        var golden = VerdictFile.Read(TestData.Path("verifier", file));
        Judge(golden);
        golden.OtherKernels.ToList().ForEach(k => Judge(golden.Under(k)));
    }

    private static void Judge(VerdictFile golden)
    {
        var result = golden.Verify();
        VerdictFile.Describe(result).Should().Be(golden.Expected, "the message is: {0}", result.Message);
        var told = result.Message + "\n" + string.Join('\n', result.Story?.Steps.Select(s => s.Text) ?? []) + "\n"
            + result.Story?.Suggestion;
        foreach (var part in golden.ExpectedParts)
        {
            told.Should().Contain(part);
        }
    }

    /// <summary><c>KPTR_UPDATE_DOCS=1</c> writes the stories anew into the files that have one.</summary>
    [Theory]
    [MemberData(nameof(Files))]
    public void Story_OfAFile_IsToldWordForWord(string file)
    {
        var path = TestData.Path("verifier", file);
        var golden = VerdictFile.Read(path);
        if (golden.Story is null)
        {
            return;
        }

        var told = golden.Verify().Story!.ToString();
        if (Environment.GetEnvironmentVariable("KPTR_UPDATE_DOCS") == "1")
        {
            var text = File.ReadAllText(path);
            var start = text.IndexOf("-- story\n", StringComparison.Ordinal) + "-- story\n".Length;
            var end = text.IndexOf("\n-- ", start - 1, StringComparison.Ordinal) is var at
                and >= 0 ? at + 1 : text.Length;
            File.WriteAllText(path, text[..start] + told + "\n" + text[end..]);
            return;
        }

        told.Should().Be(golden.Story);
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
        var result = golden.Verify(pruning: false, insnsMax: UnprunedInsnsMax);
        switch (golden.Code)
        {
            case DiagCode.InfiniteLoop: // runs into the limit where no states are compared
                result.Diagnostics[^1].Code.Should().Be(DiagCode.ComplexityExceeded);
                break;
            case DiagCode.StrictLoopRounds: // is about the comparison; without one the fault itself is found
                result.Diagnostics[^1].Code.Should().Be(DiagCode.MemAccessInvalid);
                break;
            default:
                VerdictFile.Describe(result).Should().Be(golden.Expected);
                break;
        }
    }

    [Theory]
    [MemberData(nameof(StrictFiles))]
    public void StrictProgram_WhereStrictnessIsNotAsked_IsAcceptedWithItsWarning(string file)
    {
        var golden = VerdictFile.Read(TestData.Path("verifier", file));
        var result = golden.Verify(isStrict: false);

        VerdictFile.Describe(result).Should().Be("accept");
        result.Warnings.Should().ContainSingle().Which.Code.Should().Be(golden.Code);
        golden.Mend().Verify(isStrict: false).Warnings.Should().BeEmpty();
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void MendedProgram_OfAFile_IsAccepted(string file)
    {
        var golden = VerdictFile.Read(TestData.Path("verifier", file));
        golden.IsMended.Should().Be(golden.Doc.Length > 0, "what the docs explain they also mend");
        if (golden.IsMended)
        {
            var result = golden.Mend().Verify();
            VerdictFile.Describe(result).Should().Be("accept", "the message is: {0}", result.Message);
        }
    }
}
