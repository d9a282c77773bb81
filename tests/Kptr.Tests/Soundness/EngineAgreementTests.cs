using Kptr.Diagnostics;
using Kptr.Kfuncs;
using Kptr.Soundness;
using Kptr.Specs;
using Kptr.Tests.Golden;
using Kptr.Verifier;

namespace Kptr.Tests.Soundness;

/// <summary>
/// Interpreted, checked and trusted: results, faults, maps and references of verified programs are the same.
/// </summary>
public class EngineAgreementTests
{
    private const int ProgramsPerSeed = 48;
    private static readonly KernelSpec s_kernel = BuiltinKernel.Spec(KernelProfile.Linux6_12);

    [Theory]
    [InlineData(41_000)]
    [InlineData(42_000)]
    public void GeneratedPrograms_InEachEngine_DoTheSame(int seed)
    {
        int comparable = 0, proven = 0;
        for (var at = seed; at < seed + ProgramsPerSeed; at++)
        {
            var program = ProgGenerator.Generate(at);
            if (program.TryLink(s_kernel, new DiagSink()) is not { } linked || program.IsLong
                || BpfVerifier.Verify(linked, s_kernel).Program is not { } verified)
            {
                continue;
            }

            var result = EngineCheck.Compare(new(verified, null), at);
            result.Difference.Should().BeNull("seed {0}\n{1}", at, program);
            comparable += result.IsComparable ? 1 : 0;
            proven += verified.Proof.ProvenCount > 0 ? 1 : 0;
        }

        comparable.Should().BeGreaterThan(ProgramsPerSeed / 6);
        proven.Should().BeGreaterThan(ProgramsPerSeed / 6, "where nothing is proven, trusted is checked");
    }

    [Theory]
    [MemberData(nameof(VerdictTests.Files), MemberType = typeof(VerdictTests))]
    public void GoldenPrograms_InEachEngine_DoTheSame(string file)
    {
        var golden = VerdictFile.Read(TestData.Path("verifier", file));
        foreach (var each in golden.IsMended ? (VerdictFile[])[golden, golden.Mend()] : [golden])
        {
            if (each.Verify(isStrict: false).Program is { } verified)
            {
                var runs = verified.Spec.Insns.Any(i => i.IsMayGoto) ? 1 : EngineCheck.Runs;
                EngineCheck.Compare(new(verified, null), seed: 7, runs: runs).Difference.Should().BeNull();
            }
        }
    }
}
