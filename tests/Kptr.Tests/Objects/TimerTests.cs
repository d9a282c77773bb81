using Kptr.Diagnostics;
using Kptr.Objects;

namespace Kptr.Tests.Objects;

public class TimerTests
{
    [Fact]
    public void Timers_FireInOrder_EachAtItsOwnTime()
    {
        using var core = TestKernel.Boot();
        var clock = (VirtualClock)core.Clock;
        List<(int, long, ExecContext)> fired = [];
        var late = new KernelTimer(core, () => fired.Add((2, core.NowNs, core.Context)));
        var early = new KernelTimer(core, () => fired.Add((1, core.NowNs, core.Context)));
        late.Start(2_000_000, isAbsolute: false);
        early.Start(1_000_000, isAbsolute: true);
        clock.Advance(TimeSpan.FromMilliseconds(1.5));
        fired.Should().Equal((1, 1_000_000, ExecContext.SoftIrq));
        late.IsArmed.Should().BeTrue();
        clock.Advance(TimeSpan.FromMilliseconds(1));
        fired.Should().HaveCount(2).And.Contain((2, 2_000_000, ExecContext.SoftIrq));
        core.NowNs.Should().Be(2_500_000);
    }

    [Fact]
    public void Callback_MayArmAgain()
    {
        using var core = TestKernel.Boot();
        var times = new List<long>();
        KernelTimer? timer = null;
        timer = new KernelTimer(core, () =>
        {
            times.Add(core.NowNs);
            if (times.Count < 3)
            {
                timer!.Start(1000, isAbsolute: false);
            }
        });
        timer.Start(1000, isAbsolute: false);
        ((VirtualClock)core.Clock).Advance(TimeSpan.FromSeconds(1));
        times.Should().Equal(1000, 2000, 3000);
    }

    [Fact]
    public void Cancel_SaysWhetherItWasArmed_AndRefusesToWaitForItself()
    {
        using var core = TestKernel.Boot();
        KernelTimer? timer = null;
        var fromInside = 0;
        timer = new KernelTimer(core, () => fromInside = timer!.Cancel());
        timer.Cancel().Should().Be(0);
        timer.Start(1000, isAbsolute: false);
        timer.Cancel().Should().Be(1);
        timer.Start(1000, isAbsolute: false);
        ((VirtualClock)core.Clock).Advance(TimeSpan.FromSeconds(1));
        fromInside.Should().Be((int)Errno.EDEADLK);
        timer.Free();
        timer.Start(1000, isAbsolute: false).Should().Be(Errno.EINVAL);
    }
}
