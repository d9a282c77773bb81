namespace Kptr.Kfuncs;

// What BBR learns of the path: how much gets through, how long a round trip takes, whether somebody polices it.
internal readonly ref partial struct Bbr
{
    private const uint BwWindowRtts = CycleLength + 2;
    private const uint MinRttWindowJiffies = 10 * TcpCong.Hz;
    private const uint ProbeRttJiffies = TcpCong.Hz / 5;
    private const uint FullBwThreshold = GainUnit * 5 / 4;
    private const int FullBwRounds = 3;
    private const int LtRoundsMin = 4;
    private const int LtRoundsMax = 48;
    private const uint LtLossThreshold = 50;
    private const uint LtBwRatio = GainUnit / 8;
    private const uint LtBwDiffBytes = 4000 / 8;
    private const int ExtraWindowRtts = 5;
    private const uint AckEpochMax = 1 << 20;
    private const ulong ExtraAckedMaxUs = 100_000;

    private bool IsRoundStart => _bbr.Has(BbrFlags.RoundStart);

    private void UpdateModel(in BbrRateSample rs)
    {
        UpdateBw(rs);
        UpdateAggregation(rs);
        if (_bbr.Mode == BbrMode.ProbeBw && IsNextPhase(rs))
        {
            AdvancePhase();
        }

        LookForFullPipe(rs);
        Drain();
        UpdateMinRtt(rs);
        UpdateGains();
    }

    private void UpdateBw(in BbrRateSample rs)
    {
        _bbr.Set(BbrFlags.RoundStart, false);
        if (rs.Delivered < 0 || rs.IntervalUs <= 0)
        {
            return;
        }

        if (!TcpCong.IsBefore(rs.PriorDelivered, _bbr.NextRttDelivered))
        {
            (_bbr.NextRttDelivered, _bbr.RttCount) = (Delivered, _bbr.RttCount + 1);
            _bbr.Set(BbrFlags.RoundStart, true);
            _bbr.Set(BbrFlags.PacketConservation, false);
        }

        SampleLongTerm(rs);
        var bw = (uint)((ulong)rs.Delivered * BwUnit / (ulong)rs.IntervalUs);
        if (rs.IsAppLimited == 0 || bw >= MaxBw)
        {
            _bbr.Bw.Add(BwWindowRtts, _bbr.RttCount, bw);
        }
    }

    private bool IsNextPhase(in BbrRateSample rs)
    {
        var isFullLength = (long)(Mstamp - _bbr.CycleMstamp) > _bbr.MinRttUs;
        return _bbr.PacingGain switch
        {
            GainUnit => isFullLength,
            > GainUnit => isFullLength
                && (rs.Losses != 0 || rs.PriorInFlight + TsoSegsGoal() >= Inflight(MaxBw, _bbr.PacingGain)),
            _ => isFullLength || rs.PriorInFlight <= Inflight(MaxBw, GainUnit),
        };
    }

    private void AdvancePhase()
    {
        _bbr.CycleIdx = (byte)((_bbr.CycleIdx + 1) % CycleLength);
        _bbr.CycleMstamp = Mstamp;
    }

    // Anywhere in the cycle but where it drains.
    private void BeginProbeBw()
    {
        _bbr.Mode = BbrMode.ProbeBw;
        _bbr.CycleIdx = (byte)(CycleLength - 1 - (_ctx.Host.NextRandom() % CycleRandom));
        AdvancePhase();
    }

    private void LookForFullPipe(in BbrRateSample rs)
    {
        if (_bbr.Has(BbrFlags.FullBwReached) || !IsRoundStart || rs.IsAppLimited != 0)
        {
            return;
        }

        if (MaxBw >= (uint)((ulong)_bbr.FullBw * FullBwThreshold >> GainShift))
        {
            (_bbr.FullBw, _bbr.FullBwCount) = (MaxBw, 0);
            return;
        }

        _bbr.Set(BbrFlags.FullBwReached, ++_bbr.FullBwCount >= FullBwRounds);
    }

    private void Drain()
    {
        if (_bbr.Mode == BbrMode.Startup && _bbr.Has(BbrFlags.FullBwReached))
        {
            _bbr.Mode = BbrMode.Drain;
            _sock.Put("snd_ssthresh", Inflight(MaxBw, GainUnit));
        }

        if (_bbr.Mode == BbrMode.Drain && InFlight <= Inflight(MaxBw, GainUnit))
        {
            BeginProbeBw();
        }
    }

    private void UpdateMinRtt(in BbrRateSample rs)
    {
        var now = TcpCong.Jiffies(_sock);
        var isExpired = TcpCong.IsBefore(_bbr.MinRttStamp + MinRttWindowJiffies, now);
        if (rs.RttUs >= 0 && (rs.RttUs < _bbr.MinRttUs || (isExpired && rs.IsAckDelayed == 0)))
        {
            (_bbr.MinRttUs, _bbr.MinRttStamp) = ((uint)rs.RttUs, now);
        }

        if (isExpired && !_bbr.Has(BbrFlags.IdleRestart) && _bbr.Mode != BbrMode.ProbeRtt)
        {
            _bbr.Mode = BbrMode.ProbeRtt;
            SaveCwnd();
            _bbr.ProbeRttDoneStamp = 0;
        }

        if (_bbr.Mode == BbrMode.ProbeRtt)
        {
            ProbeRtt(now);
        }

        if (rs.Delivered > 0)
        {
            _bbr.Set(BbrFlags.IdleRestart, false);
        }
    }

    private void ProbeRtt(uint now)
    {
        _sock.Put("app_limited", Math.Max(Delivered + InFlight, 1));
        if (_bbr.ProbeRttDoneStamp == 0 && InFlight <= CwndMinTarget)
        {
            _bbr.ProbeRttDoneStamp = now + ProbeRttJiffies;
            _bbr.Set(BbrFlags.ProbeRttRoundDone, false);
            _bbr.NextRttDelivered = Delivered;
        }
        else if (_bbr.ProbeRttDoneStamp != 0)
        {
            _bbr.Set(BbrFlags.ProbeRttRoundDone, IsRoundStart || _bbr.Has(BbrFlags.ProbeRttRoundDone));
            if (_bbr.Has(BbrFlags.ProbeRttRoundDone))
            {
                EndProbeRttIfDone();
            }
        }
    }

    private void EndProbeRttIfDone()
    {
        var now = TcpCong.Jiffies(_sock);
        if (_bbr.ProbeRttDoneStamp == 0 || !TcpCong.IsBefore(_bbr.ProbeRttDoneStamp, now))
        {
            return;
        }

        _bbr.MinRttStamp = now;
        TcpCong.SetCwnd(_sock, Math.Max(TcpCong.Cwnd(_sock), _bbr.PriorCwnd));
        if (_bbr.Has(BbrFlags.FullBwReached))
        {
            BeginProbeBw();
        }
        else
        {
            _bbr.Mode = BbrMode.Startup;
        }
    }

    private void UpdateGains() => (_bbr.PacingGain, _bbr.CwndGain) = _bbr.Mode switch
    {
        BbrMode.Startup => (HighGain, HighGain),
        BbrMode.Drain => (DrainGain, HighGain),
        BbrMode.ProbeBw => (
            _bbr.Has(BbrFlags.LtUseBw) ? GainUnit : CycleGains[_bbr.CycleIdx % CycleLength], ProbeCwndGain),
        _ => (GainUnit, GainUnit),
    };

    private void ResetLongTerm()
    {
        _bbr.LtBw = 0;
        _bbr.Set(BbrFlags.LtUseBw | BbrFlags.LtIsSampling, false);
        BeginLongTermInterval();
    }

    private void BeginLongTermInterval()
    {
        _bbr.LtLastStampMs = (uint)(Mstamp / 1000);
        (_bbr.LtLastDelivered, _bbr.LtLastLost) = (Delivered, (uint)_sock.Get("lost"));
        _bbr.LtRttCount = 0;
    }

    /// <summary>Whether a policer drops what is beyond a rate: two intervals of much loss at about one rate.</summary>
    private void SampleLongTerm(in BbrRateSample rs)
    {
        if (_bbr.Has(BbrFlags.LtUseBw))
        {
            if (_bbr.Mode == BbrMode.ProbeBw && IsRoundStart && ++_bbr.LtRttCount >= LtRoundsMax)
            {
                ResetLongTerm();
                BeginProbeBw();
            }

            return;
        }

        if (!_bbr.Has(BbrFlags.LtIsSampling))
        {
            if (rs.Losses == 0)
            {
                return;
            }

            BeginLongTermInterval();
            _bbr.Set(BbrFlags.LtIsSampling, true);
        }

        if (rs.IsAppLimited != 0 || _bbr.LtRttCount + (IsRoundStart ? 1 : 0) > 4 * LtRoundsMin)
        {
            ResetLongTerm();
            return;
        }

        _bbr.LtRttCount += IsRoundStart ? (byte)1 : (byte)0;
        if (_bbr.LtRttCount >= LtRoundsMin && rs.Losses != 0)
        {
            EndLongTermInterval();
        }
    }

    private void EndLongTermInterval()
    {
        var lost = (uint)_sock.Get("lost") - _bbr.LtLastLost;
        var delivered = Delivered - _bbr.LtLastDelivered;
        var ms = (uint)(Mstamp / 1000) - _bbr.LtLastStampMs;
        if (delivered == 0 || lost << GainShift < LtLossThreshold * delivered || (int)ms < 1)
        {
            return;
        }

        if (ms >= uint.MaxValue / 1000)
        {
            ResetLongTerm();
            return;
        }

        var bw = (uint)(delivered * BwUnit / (ms * 1000));
        var difference = bw > _bbr.LtBw ? bw - _bbr.LtBw : _bbr.LtBw - bw;
        if (_bbr.LtBw != 0 && ((ulong)difference * GainUnit <= (ulong)LtBwRatio * _bbr.LtBw
            || BytesPerSecond(difference, GainUnit) <= LtBwDiffBytes))
        {
            _bbr.LtBw = (uint)(((ulong)bw + _bbr.LtBw) / 2);
            _bbr.Set(BbrFlags.LtUseBw, true);
            (_bbr.PacingGain, _bbr.LtRttCount) = (GainUnit, 0);
            return;
        }

        _bbr.LtBw = bw;
        BeginLongTermInterval();
    }

    /// <summary>How much more is acknowledged at once than the rate would have: the window has room for that.</summary>
    private void UpdateAggregation(in BbrRateSample rs)
    {
        if ((int)rs.AckedSacked <= 0 || rs.Delivered < 0 || rs.IntervalUs <= 0)
        {
            return;
        }

        if (IsRoundStart && ++_bbr.ExtraWinRtts >= ExtraWindowRtts)
        {
            _bbr.ExtraWinRtts = 0;
            _bbr.Flags ^= BbrFlags.ExtraWinSecond;
            Extra() = 0;
        }

        var expected = (uint)(unchecked(CurrentBw * (Mstamp - _bbr.AckEpochMstamp)) / BwUnit);
        if (_bbr.AckEpochAcked <= expected || (ulong)_bbr.AckEpochAcked + rs.AckedSacked >= AckEpochMax)
        {
            (_bbr.AckEpochAcked, _bbr.AckEpochMstamp, expected) = (0, Mstamp, 0);
        }

        _bbr.AckEpochAcked = (uint)Math.Min(_bbr.AckEpochAcked + (ulong)rs.AckedSacked, AckEpochMax - 1);
        var extra = Math.Min(_bbr.AckEpochAcked - expected, TcpCong.Cwnd(_sock));
        Extra() = (ushort)Math.Min(Math.Max(extra, Extra()), ushort.MaxValue);
    }

    private ref ushort Extra()
    {
        if (_bbr.Has(BbrFlags.ExtraWinSecond))
        {
            return ref _bbr.ExtraAcked1;
        }

        return ref _bbr.ExtraAcked0;
    }

    private uint AggregationCwnd() => !_bbr.Has(BbrFlags.FullBwReached) ? 0
        : (uint)Math.Min(Math.Max(_bbr.ExtraAcked0, _bbr.ExtraAcked1), CurrentBw * ExtraAckedMaxUs / BwUnit);
}
