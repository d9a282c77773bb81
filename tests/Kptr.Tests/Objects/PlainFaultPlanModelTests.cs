using Kptr.Objects;

namespace Kptr.Tests.Objects;

/// <summary>Plans at random, against rules that are counted out one by one.</summary>
public class PlainFaultPlanModelTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Passes_FailAsPlainRulesSay(int seed)
    {
        var random = new Random(seed);
        string[] points = ["grow", "shrink"], subjects = ["a", "b", ""];
        var plan = new FaultPlan().Declare(new("grow", "no room")).Declare(new("shrink", "no need"));
        List<Rule> rules = [];
        var passes = new Dictionary<string, long> { ["grow"] = 0, ["shrink"] = 0 };
        List<InjectedFault> expected = [];
        for (var step = 0; step < 500; step++)
        {
            var (point, subject) = (points[random.Next(2)], subjects[random.Next(3)]);
            if (random.Next(12) == 0)
            {
                var (nth, times) = (random.Next(1, 5), random.Next(1, 4));
                var only = random.Next(2) == 0 ? null : subject;
                plan.Fail(point, nth, times, only).Should().BeSameAs(plan);
                rules.Add(new(point, only) { Wait = nth - 1, Left = times });
            }
            else if (random.Next(150) == 0)
            {
                plan.Clear();
                rules.Clear();
            }

            Assert.Equal(rules.Count > 0, plan.IsArmed);
            Assert.Equal($"{rules.Count} rules, {expected.Count} failures injected", plan.ToString());
            passes[point] += rules.Count > 0 ? 1 : 0;
            var fails = rules.Select(r => r.Takes(point, subject)).ToList().Contains(true); // each counts
            rules.RemoveAll(r => r.Left == 0);
            if (fails)
            {
                expected.Add(new(point, passes[point], subject, RefSite.Unknown));
            }

            Assert.Equal(fails, plan.ShouldFail(point, subject));
            Assert.Equal(passes[point], plan.PassesOf(point));
        }

        plan.Injected.Should().Equal(expected);
        plan.InjectedCount.Should().Be(expected.Count).And.BeGreaterThan(20);
    }

    // The numbers are SplitMix64's: a seed that somebody wrote down fails the same passes tomorrow.
    [Fact]
    public void Seed_ChoosesTheSamePasses_InEachVersion()
    {
        string[] texts =
        [
            .. new[] { (0, 3), (7, 3), (-1, 3), (7, 10) }.Select(s =>
            {
                var plan = new FaultPlan().Declare(new("grow", "")).FailAtRandom("grow", s.Item1, s.Item2);
                return string.Concat(Enumerable.Range(0, 40).Select(_ => plan.ShouldFail("grow") ? 'x' : '.'));
            }),
        ];
        texts.Should().Equal(
            [.. new[] { (0, 3), (7, 3), (-1, 3), (7, 10) }.Select(s => string.Concat(
                Enumerable.Range(1, 40).Select(n => SplitMix((ulong)(uint)s.Item1 << 32, n) % (ulong)s.Item2 == 0
                    ? 'x' : '.')))]);
    }

    [Fact]
    public void Wrong_IsRefused_AndTextsSayWhat()
    {
        var plan = new FaultPlan();
        plan.Invoking(p => p.Fail("acquire", nth: 0)).Should().Throw<ArgumentOutOfRangeException>();
        plan.Invoking(p => p.Fail("acquire", times: 0)).Should().Throw<ArgumentOutOfRangeException>();
        plan.Invoking(p => p.FailAtRandom("acquire", 1, oneIn: 0)).Should().Throw<ArgumentOutOfRangeException>();
        plan.Invoking(p => p.Fail("")).Should().Throw<ArgumentException>();
        plan.Invoking(p => p.Declare(null!)).Should().Throw<ArgumentNullException>();
        plan.Invoking(p => p.Declare(new("", "x"))).Should().Throw<ArgumentException>();
        plan.Invoking(p => p.ShouldFail("acquire", null!)).Should().Throw<ArgumentNullException>();
        plan.PassesOf("acquire").Should().Be(0);
        plan.Points.Select(p => p.Name).Should().Equal(
            "acquire", "alloc_elem", "alloc_map_memory", "alloc_object", "lock_bucket", "saturate");
        plan.Points.Should().OnlyContain(p => p.What.Length > 10 && p.ToString() == $"{p.Name}: {p.What}");
        new InjectedFault("grow", 3, "a", new RefSite("x.cs", 7)).ToString().Should().Be("grow #3 of \"a\" at x.cs:7");
        new InjectedFault("grow", 3, "", RefSite.Unknown).ToString().Should().Be("grow #3");
    }

    private static ulong SplitMix(ulong state, int n)
    {
        var z = unchecked(state + ((ulong)n * 0x9e3779b97f4a7c15));
        z = unchecked((z ^ (z >> 30)) * 0xbf58476d1ce4e5b9);
        z = unchecked((z ^ (z >> 27)) * 0x94d049bb133111eb);
        return z ^ (z >> 31);
    }

    private sealed class Rule(string point, string? subject)
    {
        internal int Wait { get; set; }

        internal int Left { get; set; }

        internal bool Takes(string passed, string of)
        {
            if (passed != point || (subject is not null && subject != of) || Wait-- > 0)
            {
                return false;
            }

            Left--;
            return true;
        }
    }
}
