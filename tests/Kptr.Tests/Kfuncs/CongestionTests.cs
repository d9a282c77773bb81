using Kptr.Kfuncs;
using Kptr.Objects;

namespace Kptr.Tests.Kfuncs;

/// <summary>TCP congestion control, driven as its caller in Linux drives it: by acknowledgements and losses.</summary>
public sealed class CongestionTests : IDisposable
{
    private readonly KernelModel _kernel = new(new() { Driver = DeferredDriver.Manual });
    private readonly Sock _sock;

    public CongestionTests() => _sock = new(_kernel, new(0x7f000001, 80, 0x7f000001, 4000, 6)) { IsCwndLimited = true };

    private uint Cwnd
    {
        get => _sock.Read<uint>("snd_cwnd");
        set => _sock.Write("snd_cwnd", value);
    }

    public void Dispose()
    {
        _sock.Close();
        _kernel.Dispose();
    }

    [Fact]
    public void Sock_OfTcp_BeginsAsLinuxHasIt()
    {
        Cwnd.Should().Be(10);
        _sock.Read<uint>("snd_ssthresh").Should().Be(0x7fffffff);
        _sock.CongestionState.Should().Be(0);
        _sock.IsCwndLimited.Should().BeTrue();
        _sock.CongestionState = 4;
        _sock.CongestionState.Should().Be(4);
        var set = () => _sock.CongestionState = 5;
        set.Should().Throw<ArgumentOutOfRangeException>();
    }

    [Fact]
    public void Reno_GrowsToItsThreshold_AndByOneAWindowThen()
    {
        _sock.Write("snd_ssthresh", 12u);

        RenoKfuncs.SlowStart(_sock, 5).Should().Be(3, "two of them reach the threshold");
        Cwnd.Should().Be(12);
        RenoKfuncs.CongAvoid(_sock, 0, 12);
        Cwnd.Should().Be(13);
        RenoKfuncs.CongAvoidAi(_sock, 4, 9);
        (Cwnd, _sock.Read<uint>("snd_cwnd_cnt")).Should().Be((15u, 1u));
        RenoKfuncs.Ssthresh(_sock).Should().Be(7);
        _sock.IsCwndLimited = false;
        RenoKfuncs.CongAvoid(_sock, 0, 100);
        Cwnd.Should().Be(15, "more than the window keeps it from sending");
        var byZero = () => RenoKfuncs.CongAvoidAi(_sock, 0, 1);
        byZero.Should().Throw<ProgramFaultException>();
    }

    [Fact]
    public void Dctcp_ShrinksByTheShareOfMarks()
    {
        _sock.Write("ecn_flags", (byte)1);
        Cwnd = 100;
        DctcpKfuncs.Init(_sock);

        _sock.Write("delivered", 100u);
        _sock.Write("delivered_ce", 50u);
        DctcpKfuncs.UpdateAlpha(_sock, 0);

        // alpha: 1024 - 1024/16 + 50 * 64 / 100
        DctcpKfuncs.Ssthresh(_sock).Should().Be(100 - (100 * 992 / 2048));
        Cwnd = 52;
        DctcpKfuncs.Undo(_sock).Should().Be(100);
    }

    [Fact]
    public void Cubic_ComesBackToItsWindow_AtTheTimeThatTheCubeRootSays()
    {
        CubicKfuncs.Init(_sock);
        Cwnd = 100;
        var threshold = CubicKfuncs.RecalcSsthresh(_sock);
        threshold.Should().Be(70);
        _sock.Write("snd_ssthresh", threshold);
        Cwnd = threshold;

        GrowFor(seconds: 2);
        Cwnd.Should().BeInRange(85, 99, "it slows down where the loss was");
        GrowFor(seconds: 2.2);
        Cwnd.Should().BeInRange(98, 103, "K is 4.2 s");
        GrowFor(seconds: 3);
        Cwnd.Should().BeGreaterThan(105, "and looks for more behind it");
    }

    [Fact]
    public void Bbr_PacesAtTheRateThatGetsThrough()
    {
        const uint perSecond = 1000, mss = 536;
        var ctx = new ProgContext(_kernel, new("p", Kptr.Specs.ProgType.StructOps, []));
        var bbr = new Bbr(ctx, _sock);
        bbr.Init();
        for (uint round = 1; round <= 40; round++)
        {
            // Ten packets in ten milliseconds, round after round.
            _kernel.VirtualClock.Advance(TimeSpan.FromMilliseconds(10));
            _sock.Write("delivered", round * 10);
            _sock.Write("delivered_mstamp", round * 10_000UL);
            bbr.OnAck(new()
            {
                PriorDelivered = (round - 1) * 10, Delivered = 10, IntervalUs = 10_000, RttUs = 10_000,
                AckedSacked = 10, PriorInFlight = 10,
            });
        }

        var rate = _sock.Read<ulong>("sk_pacing_rate") / (double)(perSecond * mss * 0.99);
        rate.Should().BeInRange(0.74, 1.26, "the gains of its cycle");
        Cwnd.Should().BeInRange(20, 40, "two round trips' worth, and some for offloads");
        ctx.End();
    }

    // One round trip of 100 ms after the other, each with a window of acknowledgements: too long for Reno to be faster.
    private void GrowFor(double seconds)
    {
        for (var ms = 0; ms < seconds * 1000; ms += 100)
        {
            _kernel.VirtualClock.Advance(TimeSpan.FromMilliseconds(100));
            CubicKfuncs.CongAvoid(_sock, 0, Cwnd);
        }
    }
}
