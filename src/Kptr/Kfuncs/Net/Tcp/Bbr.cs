using Kptr.Objects;

namespace Kptr.Kfuncs;

/// <summary>BBR at work on one socket: its model of the path, and what follows from it.</summary>
/// <remarks>
/// Rates are packets a microsecond, shifted by 24; gains are shifted by 8. What waits in a pacer is not counted, since
/// the model has none. Kernel: net/ipv4/tcp_bbr.c, 6.12.
/// </remarks>
internal readonly ref partial struct Bbr
{
    private const int BwShift = 24;
    private const ulong BwUnit = 1UL << BwShift;
    private const int GainShift = 8;
    private const ushort GainUnit = 1 << GainShift;
    private const ushort HighGain = (GainUnit * 2885 / 1000) + 1;
    private const ushort DrainGain = GainUnit * 1000 / 2885;
    private const ushort ProbeCwndGain = GainUnit * 2;
    private const int CycleLength = 8;
    private const uint CycleRandom = 7;
    private const uint InitCwnd = 10;
    private const uint CwndMinTarget = 4;
    private const uint InfiniteSsthresh = 0x7fffffff;
    private const uint MaxTcpHeaderBytes = 320;
    private const uint GsoSizeMax = 65536;
    private const uint TsoSegsMax = 0x7f;
    private const uint DefaultRttUs = 1000;
    private readonly ref BbrState _bbr;
    private readonly Sock _sock;
    private readonly ProgContext _ctx;

    internal Bbr(ProgContext ctx, Sock sock)
    {
        (_ctx, _sock) = (ctx, sock);
        _bbr = ref TcpCong.Private<BbrState>(sock);
    }

    private static ReadOnlySpan<ushort> CycleGains =>
        [GainUnit * 5 / 4, GainUnit * 3 / 4, GainUnit, GainUnit, GainUnit, GainUnit, GainUnit, GainUnit];

    private uint MaxBw => _bbr.Bw.Max;

    private uint CurrentBw => _bbr.Has(BbrFlags.LtUseBw) ? _bbr.LtBw : MaxBw;

    private uint Delivered => (uint)_sock.Get("delivered");

    private ulong Mstamp => _sock.Get("delivered_mstamp");

    private uint InFlight => (uint)(_sock.Get("packets_out") - (_sock.Get("sacked_out") + _sock.Get("lost_out"))
        + _sock.Get("retrans_out"));

    internal void Init()
    {
        _bbr = new()
        {
            NextRttDelivered = Delivered, MinRttUs = uint.MaxValue, MinRttStamp = TcpCong.Jiffies(_sock),
            AckEpochMstamp = _sock.Get("tcp_mstamp"),
        };
        _sock.Put("snd_ssthresh", InfiniteSsthresh);
        InitPacingRate();
        ResetLongTerm();
        if (_sock.Get("sk_pacing_status") == 0)
        {
            _sock.Put("sk_pacing_status", 1); // SK_PACING_NEEDED
        }
    }

    internal void OnAck(in BbrRateSample rs)
    {
        UpdateModel(rs);
        var bw = CurrentBw;
        SetPacingRate(bw, _bbr.PacingGain);
        SetCwnd(rs, bw, _bbr.CwndGain);
    }

    internal void RestartFromIdle()
    {
        _bbr.Set(BbrFlags.IdleRestart, true);
        (_bbr.AckEpochMstamp, _bbr.AckEpochAcked) = (_sock.Get("tcp_mstamp"), 0);
        if (_bbr.Mode == BbrMode.ProbeBw)
        {
            SetPacingRate(CurrentBw, GainUnit);
        }
        else if (_bbr.Mode == BbrMode.ProbeRtt)
        {
            EndProbeRttIfDone();
        }
    }

    internal void SaveCwnd()
    {
        var cwnd = TcpCong.Cwnd(_sock);
        _bbr.PriorCwnd = _bbr.PrevCaState < TcpCong.Recovery && _bbr.Mode != BbrMode.ProbeRtt
            ? cwnd : Math.Max(_bbr.PriorCwnd, cwnd);
    }

    internal void ForgetLoss()
    {
        (_bbr.FullBw, _bbr.FullBwCount) = (0, 0);
        ResetLongTerm();
    }

    internal void OnTimeout()
    {
        _bbr.PrevCaState = TcpCong.Loss;
        _bbr.FullBw = 0;
        _bbr.Set(BbrFlags.RoundStart, true);
        SampleLongTerm(new() { Losses = 1 });
    }

    // Bytes a second; one percent below what is measured, so that no queue builds up.
    private ulong BytesPerSecond(ulong rate, uint gain)
    {
        const ulong usPerSecondLessOnePercent = 1_000_000 / 100 * 99;
        rate = unchecked(rate * _sock.Get("mss_cache") * gain) >> GainShift;
        return unchecked(rate * usPerSecondLessOnePercent) >> BwShift;
    }

    private ulong PacingRateOf(uint bw, uint gain) =>
        Math.Min(BytesPerSecond(bw, gain), _sock.Get("sk_max_pacing_rate"));

    private void InitPacingRate()
    {
        var rttUs = DefaultRttUs;
        if (_sock.Get("srtt_us") is not 0 and var smoothed)
        {
            rttUs = Math.Max((uint)smoothed >> 3, 1);
            _bbr.Set(BbrFlags.HasSeenRtt, true);
        }

        var bw = (uint)(TcpCong.Cwnd(_sock) * BwUnit / rttUs);
        _sock.Put("sk_pacing_rate", PacingRateOf(bw, HighGain));
    }

    private void SetPacingRate(uint bw, uint gain)
    {
        var rate = PacingRateOf(bw, gain);
        if (!_bbr.Has(BbrFlags.HasSeenRtt) && _sock.Get("srtt_us") != 0)
        {
            InitPacingRate();
        }

        if (_bbr.Has(BbrFlags.FullBwReached) || rate > _sock.Get("sk_pacing_rate"))
        {
            _sock.Put("sk_pacing_rate", rate);
        }
    }

    private uint TsoSegsGoal()
    {
        var bytes = Math.Min(
            _sock.Get("sk_pacing_rate") >> (int)(_sock.Get("sk_pacing_shift") & 63),
            GsoSizeMax - 1 - MaxTcpHeaderBytes);
        var segs = (uint)(bytes / Math.Max(1, _sock.Get("mss_cache")));
        return Math.Min(Math.Max(segs, BbrKfuncs.MinTsoSegs(_sock)), TsoSegsMax);
    }

    /// <summary>Packets that fill the path at a rate, with a gain.</summary>
    private uint Bdp(uint bw, uint gain) => _bbr.MinRttUs == uint.MaxValue
        ? InitCwnd // no round trip was measured yet
        : (uint)(((unchecked((ulong)bw * _bbr.MinRttUs * gain) >> GainShift) + BwUnit - 1) / BwUnit);

    // Room for what offloads send and acknowledge at once.
    private uint WithQuanta(uint cwnd)
    {
        cwnd = unchecked(cwnd + (3 * TsoSegsGoal()) + 1) & ~1u;
        return _bbr is { Mode: BbrMode.ProbeBw, CycleIdx: 0 } ? cwnd + 2 : cwnd;
    }

    private uint Inflight(uint bw, uint gain) => WithQuanta(Bdp(bw, gain));

    private void SetCwnd(in BbrRateSample rs, uint bw, uint gain)
    {
        var (cwnd, acked) = (TcpCong.Cwnd(_sock), rs.AckedSacked);
        if (acked != 0 && !TryRecover(rs, acked, ref cwnd))
        {
            var target = WithQuanta(Bdp(bw, gain) + AggregationCwnd());
            cwnd = _bbr.Has(BbrFlags.FullBwReached) ? Math.Min(cwnd + acked, target)
                : cwnd < target || Delivered < InitCwnd ? cwnd + acked : cwnd;
            cwnd = Math.Max(cwnd, CwndMinTarget);
        }

        cwnd = Math.Min(cwnd, (uint)_sock.Get("snd_cwnd_clamp"));
        TcpCong.SetCwnd(_sock, _bbr.Mode == BbrMode.ProbeRtt ? Math.Min(cwnd, CwndMinTarget) : cwnd);
    }

    /// <summary>In recovery as many packets go out as come in; behind it the window is what it was.</summary>
    private bool TryRecover(in BbrRateSample rs, uint acked, ref uint cwnd)
    {
        var (before, state) = (_bbr.PrevCaState, _sock.CongestionState);
        if (rs.Losses > 0)
        {
            cwnd = (uint)Math.Max((int)cwnd - rs.Losses, 1);
        }

        if (state == TcpCong.Recovery && before != TcpCong.Recovery)
        {
            _bbr.Set(BbrFlags.PacketConservation, true);
            _bbr.NextRttDelivered = Delivered;
            cwnd = InFlight + acked;
        }
        else if (before >= TcpCong.Recovery && state < TcpCong.Recovery)
        {
            cwnd = Math.Max(cwnd, _bbr.PriorCwnd);
            _bbr.Set(BbrFlags.PacketConservation, false);
        }

        _bbr.PrevCaState = state;
        if (!_bbr.Has(BbrFlags.PacketConservation))
        {
            return false;
        }

        cwnd = Math.Max(cwnd, InFlight + acked);
        return true;
    }
}
