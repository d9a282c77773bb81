using System.Runtime.InteropServices;

namespace Kptr.Kfuncs;

/// <summary>What BBR keeps in a socket's 104 bytes for its congestion control, all of them.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct BbrState
{
    internal uint MinRttUs;
    internal uint MinRttStamp;
    internal uint ProbeRttDoneStamp;
    internal BbrMaxFilter Bw;
    internal uint RttCount;
    internal uint NextRttDelivered;
    internal BbrFlags Flags;
    internal BbrMode Mode;
    internal byte PrevCaState;
    internal ulong CycleMstamp;
    internal ulong AckEpochMstamp;
    internal uint LtBw;
    internal uint LtLastDelivered;
    internal uint LtLastStampMs;
    internal uint LtLastLost;
    internal uint PriorCwnd;
    internal uint FullBw;
    internal uint AckEpochAcked;
    internal ushort ExtraAcked0;
    internal ushort ExtraAcked1;
    internal ushort PacingGain;
    internal ushort CwndGain;
    internal byte LtRttCount;
    internal byte FullBwCount;
    internal byte CycleIdx;
    internal byte ExtraWinRtts;

    internal readonly bool Has(BbrFlags flag) => (Flags & flag) != 0;

    internal void Set(BbrFlags flag, bool value) => Flags = value ? Flags | flag : Flags & ~flag;
}

/// <summary>What BBR is about.</summary>
internal enum BbrMode : byte
{
    /// <summary>Growing fast, to fill the pipe.</summary>
    Startup,

    /// <summary>Draining what that has queued.</summary>
    Drain,

    /// <summary>Sharing the bottleneck, looking for more now and then.</summary>
    ProbeBw,

    /// <summary>Sending little, to see the shortest round trip.</summary>
    ProbeRtt,
}

/// <summary>Bits of BBR's state.</summary>
[Flags]
internal enum BbrFlags : ushort
{
    None = 0,
    PacketConservation = 1,
    RoundStart = 2,
    IdleRestart = 4,
    ProbeRttRoundDone = 8,
    LtIsSampling = 16,
    LtUseBw = 32,
    FullBwReached = 64,
    HasSeenRtt = 128,
    ExtraWinSecond = 256,
}

/// <summary>The largest measure of a window of time: three samples, best first. Kernel: lib/win_minmax.c.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct BbrMaxFilter
{
    private Sample _first;
    private Sample _second;
    private Sample _third;

    internal readonly uint Max => _first.Value;

    internal void Reset(uint time, uint value) => _first = _second = _third = new(time, value);

    internal void Add(uint window, uint time, uint value)
    {
        var sample = new Sample(time, value);
        if (value >= _first.Value || time - _third.Time > window)
        {
            Reset(time, value);
            return;
        }

        if (value >= _second.Value)
        {
            _second = _third = sample;
        }
        else if (value >= _third.Value)
        {
            _third = sample;
        }

        Age(window, sample);
    }

    // As time passes the second and third best take the place of the best, and each quarter has one of its own.
    private void Age(uint window, Sample sample)
    {
        var age = sample.Time - _first.Time;
        if (age > window)
        {
            (_first, _second, _third) = (_second, _third, sample);
            if (sample.Time - _first.Time > window)
            {
                (_first, _second, _third) = (_second, _third, sample);
            }
        }
        else if (_second.Time == _first.Time && age > window / 4)
        {
            _second = _third = sample;
        }
        else if (_third.Time == _second.Time && age > window / 2)
        {
            _third = sample;
        }
    }

    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct Sample(uint Time, uint Value);
}

/// <summary><c>struct rate_sample</c>: what the last acknowledgement says of the rate of delivery.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct BbrRateSample
{
    internal ulong PriorMstamp;
    internal uint PriorDelivered;
    internal uint PriorDeliveredCe;
    internal int Delivered;
    internal int DeliveredCe;
    internal long IntervalUs;
    internal uint SendIntervalUs;
    internal uint ReceiveIntervalUs;
    internal long RttUs;
    internal int Losses;
    internal uint AckedSacked;
    internal uint PriorInFlight;
    internal uint LastEndSeq;
    internal byte IsAppLimited;
    internal byte IsRetrans;
    internal byte IsAckDelayed;
}
