using Kptr.Diagnostics;
using Kptr.Objects;

namespace Kptr.Tests.Objects;

/// <summary>The clock that stands still, and the timers on it, against a plain list of what is due.</summary>
public class PlainClockModelTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Timers_FireAsAPlainListSays(int seed)
    {
        var random = new Random(seed);
        var clock = new VirtualClock();
        List<(int Timer, long At)> fired = [], expected = [];
        var timers = Enumerable.Range(0, 5).Select(i => clock.CreateTimer(
            _ => fired.Add((i, clock.GetTimestamp())), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan))
            .ToList();
        var plain = new (long? Due, long Period)[5];
        var now = 0L;
        for (var step = 0; step < 600; step++)
        {
            var (timer, ticks) = (random.Next(5), random.Next(8));
            switch (random.Next(6))
            {
                case 0 or 1:
                    var period = random.Next(3) == 0 ? random.Next(1, 9) : random.Next(2) - 1;
                    var isOff = random.Next(6) == 0;
                    timers[timer].Change(
                        isOff ? Timeout.InfiniteTimeSpan : TimeSpan.FromTicks(ticks), TimeSpan.FromTicks(period))
                        .Should().BeTrue();
                    plain[timer] = (isOff ? null : now + ticks, Math.Max(0, period));
                    break;
                case 2:
                    timers[timer].Dispose();
                    plain[timer] = (null, 0);
                    break;
                case 3:
                    clock.Skip(TimeSpan.FromTicks(ticks));
                    now += ticks;
                    plain = [.. plain.Select(p => (p.Due + ticks, p.Period))];
                    break;
                default:
                    clock.Advance(TimeSpan.FromTicks(ticks));
                    var end = now + ticks;
                    while (plain.Index().Where(p => p.Item.Due <= end).OrderBy(p => p.Item.Due).ToList()
                        is [var next, ..])
                    {
                        now = Math.Max(now, next.Item.Due!.Value);
                        expected.Add((next.Index, now));
                        plain[next.Index].Due = next.Item.Period > 0 ? next.Item.Due + next.Item.Period : null;
                    }

                    now = end;
                    break;
            }

            Assert.Equal(now, clock.GetTimestamp());
            Assert.Equal(expected.Count, fired.Count);
        }

        fired.Should().NotBeEmpty().And.Equal(expected);
    }

    [Fact]
    public void Clock_BeginsWhereItIsTold_AndEndsWithTheLastOfAllTimes()
    {
        new VirtualClock().GetUtcNow().Should().Be(new DateTimeOffset(2025, 1, 1, 0, 0, 0, TimeSpan.Zero));
        var clock = new VirtualClock(DateTimeOffset.MaxValue - TimeSpan.FromTicks(5));
        clock.TimestampFrequency.Should().Be(TimeSpan.TicksPerSecond);
        clock.ToString().Should().Be($"virtual clock at {DateTimeOffset.MaxValue.AddTicks(-5):O}");
        foreach (var wrong in new[] { -1, 6 }.Select(t => TimeSpan.FromTicks(t)))
        {
            clock.Invoking(c => c.Advance(wrong)).Should().Throw<ArgumentOutOfRangeException>();
            clock.Invoking(c => c.Skip(wrong)).Should().Throw<ArgumentOutOfRangeException>();
        }

        clock.Invoking(c => c.CreateTimer(null!, null, TimeSpan.Zero, TimeSpan.Zero)).Should()
            .Throw<ArgumentNullException>();
        clock.Advance(TimeSpan.FromTicks(2));
        clock.Skip(TimeSpan.FromTicks(3));
        clock.GetUtcNow().Should().Be(DateTimeOffset.MaxValue);
    }

    /// <summary>A time that no number holds is never: it is not one that is over.</summary>
    [Fact]
    public void Timer_BeyondAllTimes_DoesNotFire()
    {
        var clock = new VirtualClock();
        clock.Advance(TimeSpan.FromDays(1));
        var fired = new int[3];
        using var due = clock.CreateTimer(_ => fired[0]++, null, TimeSpan.MaxValue, Timeout.InfiniteTimeSpan);
        using var again = clock.CreateTimer(_ => fired[1]++, null, TimeSpan.Zero, TimeSpan.MaxValue);
        using var put = clock.CreateTimer(_ => fired[2]++, null, TimeSpan.Zero, Timeout.InfiniteTimeSpan);
        put.Change(TimeSpan.MaxValue - TimeSpan.FromDays(1), Timeout.InfiniteTimeSpan);

        clock.Advance(TimeSpan.FromDays(1));
        clock.Skip(TimeSpan.FromDays(1));
        clock.Advance(TimeSpan.FromDays(1));

        fired.Should().Equal(0, 1, 0);
    }

    [Fact]
    public async Task Timer_ThatIsDisposedLater_IsOffToo()
    {
        var clock = new VirtualClock();
        var fired = 0;
        var state = new object();
        var timer = clock.CreateTimer(
            s => fired += s == state ? 1 : 100, state, TimeSpan.FromTicks(1), TimeSpan.FromTicks(1));
        clock.Advance(TimeSpan.FromTicks(2));
        await timer.DisposeAsync();
        clock.Advance(TimeSpan.FromTicks(2));
        fired.Should().Be(2);
    }

    /// <summary>What a clock counts in is coarser than nanoseconds: a timer is late by the rest, never early.</summary>
    [Theory]
    [InlineData(-5, 0)]
    [InlineData(0, 0)]
    [InlineData(100, 100)]
    [InlineData(101, 200)]
    [InlineData(199, 200)]
    [InlineData(60L * 24 * 3600 * 1_000_000_000, 60L * 24 * 3600 * 1_000_000_000)] // more than a real clock takes
    public void KernelTimer_FiresAtTheNextTick(long ns, long firesAt)
    {
        using var core = TestKernel.Boot();
        var clock = (VirtualClock)core.Clock;
        List<long> fired = [];
        foreach (var isAbsolute in new[] { false, true })
        {
            var begin = core.NowNs;
            var timer = new KernelTimer(core, () => fired.Add(core.NowNs - begin));
            timer.Start(isAbsolute ? begin + ns : ns, isAbsolute).Should().Be(Errno.None);
            timer.IsArmed.Should().BeTrue();
            clock.Advance(TimeSpan.FromDays(100));
            timer.IsArmed.Should().BeFalse();
        }

        fired.Should().Equal(firesAt, firesAt);
    }

    [Fact]
    public void KernelTimer_AtTheEndOfAllNumbers_IsArmedAndDoesNotFire()
    {
        using var core = TestKernel.Boot();
        var clock = (VirtualClock)core.Clock;
        clock.Advance(TimeSpan.FromDays(1));
        var fired = 0;
        var timer = new KernelTimer(core, () => fired++);
        timer.Start(long.MaxValue, isAbsolute: false).Should().Be(Errno.None);
        clock.Advance(TimeSpan.FromDays(365));
        (timer.IsArmed, fired).Should().Be((true, 0));

        timer.Start(100, isAbsolute: false);
        timer.Start(300, isAbsolute: false);
        clock.Advance(TimeSpan.FromTicks(2));
        fired.Should().Be(0, "what was asked last counts");
        timer.Kill();
        clock.Advance(TimeSpan.FromTicks(2));
        (timer.IsArmed, fired, timer.Cancel()).Should().Be((false, 0, 0));
        timer.Start(100, isAbsolute: true).Should().Be(Errno.EINVAL);
        timer.Free();
    }

    [Fact]
    public void KernelTimer_ThatThrows_IsSeenByTheNextQuiesce_AndIsGoodForMore()
    {
        using var core = TestKernel.Boot();
        var clock = (VirtualClock)core.Clock;
        var fired = 0;
        var timer = new KernelTimer(core, () => throw new FormatException($"{++fired}"));
        timer.Start(100, isAbsolute: false);
        clock.Advance(TimeSpan.FromTicks(1));
        core.Invoking(c => c.Quiesce()).Should().Throw<FormatException>().WithMessage("1");
        timer.Cancel().Should().Be(0);
        timer.Start(100, isAbsolute: false);
        clock.Advance(TimeSpan.FromTicks(1));
        timer.Start(100, isAbsolute: false);
        clock.Advance(TimeSpan.FromTicks(1));
        core.Invoking(c => c.Quiesce()).Should().Throw<AggregateException>()
            .Which.InnerExceptions.Select(e => e.Message).Should().Equal("2", "3");
        core.Quiesce();
        core.Context.Should().Be(ExecContext.Process);
    }
}
