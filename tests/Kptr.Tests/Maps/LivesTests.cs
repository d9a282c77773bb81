using Kptr.Soundness.Lives;
using Kptr.Specs;
using Kptr.Tests.Shared;

namespace Kptr.Tests.Maps;

/// <summary>
/// Maps live and die here as in real kernels: what each call answered there, each value, each count of references.
/// <c>cells/judge-cells.sh ... lives</c> of Kptr.KernelSelftests asks a kernel anew, with any seed.
/// </summary>
public class LivesTests
{
    [Theory, InlineData("6.12"), InlineData("7.2")]
    public void EveryStep_IsAnsweredAsARealKernelAnsweredIt(string version)
    {
        var player = new LifePlayer(KernelProfile.Find($"linux-{version}")!);
        var lives = LifeTable.Read(Path.Combine(RepoRoot.Path, "tests", "data", $"lives-{version}.txt")).ToList();

        lives.Should().HaveCountGreaterThan(100);
        lives.Select(l => LifeTable.Difference(l.Life, l.Answers, player.Play(l.Life)))
            .Should().OnlyContain(d => d == null);
    }

    [Fact]
    public void AnotherAnswer_IsADifference_AndAnotherOrderOfAHashIsNone()
    {
        List<LifeStep> life = [LifeStep.Parse("# 1 4 16"), LifeStep.Parse("W"), LifeStep.Parse(".")];
        LifeTable.Difference(life, ["0", "a b 2", "0 0"], ["0", "b a 2", "0 0"]).Should().BeNull();
        LifeTable.Difference(life, ["0", "a b 2", "0 0"], ["0", "b 2", "0 0"])
            .Should().EndWith("W = a b 2, and here b 2");
        LifeTable.Difference(life, ["0", "2", "0 0"], ["0", "2", "0 1"]).Should().Contain("and here 0 1");
    }
}
