using Kptr.Fuzz;

namespace Kptr.Tests.Fuzz;

/// <summary>The harness notices what it is there for, and shrinks what it noticed.</summary>
public class HarnessTests
{
    [Fact]
    public void Exception_OfATarget_IsShrunkToTheBytesItNeeds()
    {
        var target = Fake(i => i.Contains((byte)7) && i.Contains((byte)9) ? throw new InvalidCastException() : true);
        byte[] input = [1, 2, 7, 3, 4, 5, 9, 6, 6, 6, 6];

        var fault = Shrinker.FaultOf(target, input);

        fault.Should().StartWith("InvalidCastException in ");
        Shrinker.Shrink(target, input, fault!).Should().Equal(7, 9);
        Shrinker.FaultOf(target, [1, 2, 3]).Should().BeNull();
    }

    [Fact]
    public void Memory_BeyondTheBound_IsAFinding()
    {
        var target = Fake(input => new byte[input.Length << 20].Length > 0);

        Finding.Look(target, new byte[1]).Should().BeTrue();
        FluentActions.Invoking(() => Finding.Look(target, new byte[300]))
            .Should().Throw<Finding>().WithMessage("* bytes allocated for an input of 300");
    }

    [Fact]
    public void Mutations_OfOneSeed_AreTheSameAndDifferByTheirSeed()
    {
        var input = Enumerable.Range(0, 64).Select(i => (byte)i).ToArray();

        Mutator.Mutate(input, 3).Should().Equal(Mutator.Mutate(input, 3));
        Enumerable.Range(0, 50).Select(seed => Convert.ToHexString(Mutator.Mutate(input, seed)))
            .Distinct().Should().HaveCountGreaterThan(40);
        Mutator.Mutate([], 1).Should().BeEmpty();
        FluentActions.Invoking(() => FuzzTarget.Find("none"))
            .Should().Throw<ArgumentException>().WithMessage("no target none: elf, btf,*");
    }

    private static FuzzTarget Fake(Func<byte[], bool> run) => new("fake", run, () => []);
}
