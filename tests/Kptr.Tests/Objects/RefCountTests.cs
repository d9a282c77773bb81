using Kptr.Objects;

namespace Kptr.Tests.Objects;

public class RefCountTests
{
    [Fact]
    public void DecAndTest_LastReference_ReachesZeroOnce()
    {
        using var core = TestKernel.Boot();
        var count = new Widget(core).Count;             // 1
        count.Inc().Should().Be(RefCountOutcome.Counted); // 2
        count.DecAndTest().Should().Be(RefCountOutcome.Counted); // 1
        count.DecAndTest().Should().Be(RefCountOutcome.Zero); // 0
        count.Value.Should().Be(0);
    }

    [Fact]
    public void TryIncNotZero_AtZero_LeavesZero()
    {
        using var core = TestKernel.Boot();
        var count = new Widget(core).Count;
        count.DecAndTest();
        count.TryIncNotZero().Should().Be(RefCountOutcome.Zero);
        count.Value.Should().Be(0);
    }

    [Fact]
    public void Inc_AtZero_SaturatesAndIsAFault()
    {
        using var core = TestKernel.Boot();
        var count = new Widget(core).Count;
        count.DecAndTest();
        count.Inc().Should().Be(RefCountOutcome.UseAfterFree);
        count.Value.Should().Be(RefCount.SaturatedValue);
    }

    [Fact]
    public void DecAndTest_AtZero_SaturatesAndIsAFault()
    {
        using var core = TestKernel.Boot();
        var count = new Widget(core).Count;
        count.DecAndTest();
        count.DecAndTest().Should().Be(RefCountOutcome.UseAfterFree);
        count.Value.Should().Be(RefCount.SaturatedValue);
        count.DecAndTest().Should().Be(RefCountOutcome.Saturated);
        count.Value.Should().Be(RefCount.SaturatedValue);
    }

    [Theory]
    [InlineData(int.MaxValue)]
    [InlineData(-5)]
    public void Increments_PastTheMaximum_Saturate(int value)
    {
        using var core = TestKernel.Boot();
        var count = new Widget(core).Count;
        count.Set(value);
        count.TryIncNotZero().Should().Be(RefCountOutcome.Saturated);
        count.Value.Should().Be(RefCount.SaturatedValue);
        count.Set(value);
        count.Inc().Should().Be(RefCountOutcome.Saturated);
        count.Value.Should().Be(RefCount.SaturatedValue);
    }
}
