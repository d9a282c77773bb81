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
    public void TryIncNotZero_TwoMillionTimesAtZero_NeverComesBackAndNeverHidesAnUnderflow()
    {
        using var core = TestKernel.Boot();
        var count = new Widget(core).Count;
        count.DecAndTest().Should().Be(RefCountOutcome.Zero);
        Enumerable.Range(0, 2_000_000).Count(_ => count.TryIncNotZero() == RefCountOutcome.Zero).Should().Be(2_000_000);
        count.Value.Should().Be(0);
        count.DecAndTest().Should().Be(RefCountOutcome.UseAfterFree);
    }

    [Fact]
    public void LastRelease_AgainstAcquireOnAnotherThread_IsSeenByExactlyOne()
    {
        const int Rounds = 200_000;
        using var core = TestKernel.Boot();
        var memory = core.Heap.AllocateBlock("counts", Rounds * 4);
        RefCount At(int i) => new(memory + ((ulong)i * 4));
        for (var i = 0; i < Rounds; i++)
        {
            At(i).Set(1);
        }

        var (zerosOfOwner, zerosOfGuest) = (new int[Rounds], new int[Rounds]);
        var guest = new Thread(() =>
        {
            for (var i = 0; i < Rounds; i++)
            {
                var isTaken = At(i).TryIncNotZero() == RefCountOutcome.Counted;
                zerosOfGuest[i] = isTaken && At(i).DecAndTest() == RefCountOutcome.Zero ? 1 : 0;
            }
        });
        guest.Start();
        for (var i = 0; i < Rounds; i++)
        {
            zerosOfOwner[i] = At(i).DecAndTest() == RefCountOutcome.Zero ? 1 : 0;
        }

        guest.Join();
        zerosOfOwner.Zip(zerosOfGuest, (a, b) => a + b).Count(zeros => zeros == 1).Should().Be(Rounds);
        Enumerable.Range(0, Rounds).Count(i => At(i).TryIncNotZero() == RefCountOutcome.Zero).Should().Be(Rounds);
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
