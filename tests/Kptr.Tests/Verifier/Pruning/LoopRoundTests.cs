using Kptr.Tests.Golden;
using Kptr.Verifier;

namespace Kptr.Tests.Verifier.Pruning;

/// <summary>A loop one round of which writes outside the stack, where another round stood for it too early.</summary>
public class LoopRoundTests
{
    private static string Loop { get; } =
        File.ReadAllText(TestData.Path("verifier", "kernels", "loop_round_unseen.txt"));

    [Fact]
    public void Round_IsMissedBy6_12_AndByNoStrictRun()
    {
        var text = Loop.Replace("linux-7.2", "linux-6.12", StringComparison.Ordinal);
        var program = new VerdictProgram(VerdictFile.Parse(text));
        VerifyResult usual = BpfVerifier.Verify(program.Link(), program.Kernel),
            unpruned = BpfVerifier.Verify(program.Link(), program.Kernel, new() { Pruning = false }),
            strict = BpfVerifier.Verify(program.Link(), program.Kernel, new() { Strict = true });

        usual.Verdict.Should().Be(Verdict.Accept, "Linux 6.12 accepts it");
        unpruned.Verdict.Should().Be(Verdict.Reject, "it is wrong");
        strict.Verdict.Should().Be(Verdict.Reject);
    }
}
