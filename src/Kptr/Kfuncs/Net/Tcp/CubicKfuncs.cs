using System.Buffers.Binary;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>
/// CUBIC: the window follows a cubic function of the time since the last loss, after a slow start that ends where round
/// trips become longer (HyStart). Kernel: net/ipv4/tcp_cubic.c, 6.12, with the parameters that it starts with.
/// </summary>
/// <remarks>The cube root is exact here, where Linux comes within a fifth of a percent.</remarks>
[KfuncSet(KfuncHooks.StructOps)]
internal static class CubicKfuncs
{
    private const uint BetaScale = 1024;
    private const uint Beta = 717;
    private const uint RttScale = 410;
    private const uint FriendlyScale = 8 * (BetaScale + Beta) / 3 / (BetaScale - Beta);
    private const ulong CubeFactor = (1UL << 40) / RttScale;
    private const int TimeShift = 10; // BICTCP_HZ: time in units of 1/1024 s
    private const uint CwndMin = 2;
    private const uint HystartCwndMin = 16;
    private const int HystartSamples = 8;
    private const int TrainGapMaxUs = 2000;
    private const uint DelayMinUs = 4000;
    private const uint DelayMaxUs = 16000;
    private const uint UsPerJiffy = 1_000_000 / TcpCong.Hz;

    [Kfunc("cubictcp_init", Profiles = ProfileSet.All, Prototype = "void cubictcp_init(struct sock *sk)")]
    internal static void Init(Sock sock)
    {
        ref var ca = ref TcpCong.Private<Cubic>(sock);
        ca = default;
        BeginRound(sock, ref ca);
    }

    /// <summary>After a pause the time of the pause does not count.</summary>
    [Kfunc("cubictcp_cwnd_event", Profiles = ProfileSet.All,
        Prototype = "void cubictcp_cwnd_event(struct sock *sk, enum tcp_ca_event event)")]
    internal static void CwndEvent(Sock sock, uint raised)
    {
        if (raised == TcpCong.EventTxStart)
        {
            TxStart(sock);
        }
    }

    /// <summary>The event of its own that 7.2 made of that.</summary>
    [Kfunc("cubictcp_cwnd_event_tx_start", Profiles = ProfileSet.Linux7_2,
        Prototype = "void cubictcp_cwnd_event_tx_start(struct sock *sk)")]
    internal static void TxStart(Sock sock)
    {
        ref var ca = ref TcpCong.Private<Cubic>(sock);
        var now = TcpCong.Jiffies(sock);
        var idle = (int)(now - (uint)sock.Get("lsndtime"));
        if (ca.EpochStart != 0 && idle > 0)
        {
            ca.EpochStart += (uint)idle;
            ca.EpochStart = TcpCong.IsBefore(now, ca.EpochStart) ? now : ca.EpochStart;
        }
    }

    [Kfunc("cubictcp_cong_avoid", Profiles = ProfileSet.All,
        Prototype = "void cubictcp_cong_avoid(struct sock *sk, u32 ack, u32 acked)")]
    internal static void CongAvoid(Sock sock, uint ack, uint acked)
    {
        _ = ack;
        if (!TcpCong.IsCwndLimited(sock))
        {
            return;
        }

        if (TcpCong.IsInSlowStart(sock))
        {
            acked = RenoKfuncs.SlowStart(sock, acked);
            if (acked == 0)
            {
                return;
            }
        }

        ref var ca = ref TcpCong.Private<Cubic>(sock);
        Update(ref ca, TcpCong.Cwnd(sock), acked, TcpCong.Jiffies(sock));
        RenoKfuncs.CongAvoidAi(sock, Math.Max(ca.Count, CwndMin), acked);
    }

    /// <summary>Seven tenths of the window; the window at the loss is what the next one grows to.</summary>
    [Kfunc("cubictcp_recalc_ssthresh", Profiles = ProfileSet.All,
        Prototype = "u32 cubictcp_recalc_ssthresh(struct sock *sk)")]
    internal static uint RecalcSsthresh(Sock sock)
    {
        ref var ca = ref TcpCong.Private<Cubic>(sock);
        var cwnd = TcpCong.Cwnd(sock);
        ca.EpochStart = 0;
        ca.LastMaxCwnd = cwnd < ca.LastMaxCwnd ? cwnd * (BetaScale + Beta) / (2 * BetaScale) : cwnd;
        return Math.Max(cwnd * Beta / BetaScale, CwndMin);
    }

    [Kfunc("cubictcp_state", Profiles = ProfileSet.All,
        Prototype = "void cubictcp_state(struct sock *sk, u8 new_state)")]
    internal static void State(Sock sock, byte newState)
    {
        if (newState == TcpCong.Loss)
        {
            Init(sock);
        }
    }

    [Kfunc("cubictcp_acked", Profiles = ProfileSet.All,
        Prototype = "void cubictcp_acked(struct sock *sk, const struct ack_sample *sample)")]
    internal static void Acked(ProgContext ctx, Sock sock, ulong sample)
    {
        const int sampleBytes = 12, rttUs = 4;
        var rtt = BinaryPrimitives.ReadInt32LittleEndian(ctx.KernelMemory(sample, sampleBytes)[rttUs..]);
        ref var ca = ref TcpCong.Private<Cubic>(sock);

        // Not every acknowledgement measures a round trip; those of a fresh recovery mislead.
        if (rtt < 0 || (ca.EpochStart != 0 && (int)(TcpCong.Jiffies(sock) - ca.EpochStart) < TcpCong.Hz))
        {
            return;
        }

        var delay = Math.Max((uint)rtt, 1);
        ca.DelayMin = ca.DelayMin == 0 ? delay : Math.Min(ca.DelayMin, delay);
        if (ca.Found == 0 && TcpCong.IsInSlowStart(sock) && TcpCong.Cwnd(sock) >= HystartCwndMin)
        {
            LookForExit(sock, ref ca, delay);
        }
    }

    /// <summary>How many acknowledgements the window grows by one for (<c>bictcp_update</c>).</summary>
    private static void Update(ref Cubic ca, uint cwnd, uint acked, uint now)
    {
        ca.AckCount += acked;
        if (ca.LastCwnd == cwnd && (int)(now - ca.LastTime) <= TcpCong.Hz / 32)
        {
            return;
        }

        if (ca.EpochStart == 0 || now != ca.LastTime)
        {
            (ca.LastCwnd, ca.LastTime) = (cwnd, now);
            if (ca.EpochStart == 0)
            {
                BeginEpoch(ref ca, cwnd, acked, now);
            }

            var target = Target(ca, now);
            ca.Count = target > cwnd ? cwnd / (target - cwnd) : 100 * cwnd;
            ca.Count = ca.LastMaxCwnd == 0 ? Math.Min(ca.Count, 20) : ca.Count;
        }

        BeFriendly(ref ca, cwnd);
        ca.Count = Math.Max(ca.Count, CwndMin);
    }

    private static void BeginEpoch(ref Cubic ca, uint cwnd, uint acked, uint now)
    {
        (ca.EpochStart, ca.AckCount, ca.RenoCwnd) = (now, acked, cwnd);
        (ca.K, ca.Origin) = ca.LastMaxCwnd <= cwnd ? (0, cwnd)
            : (CubeRoot(CubeFactor * (ca.LastMaxCwnd - cwnd)), ca.LastMaxCwnd);
    }

    // W(t) = C * (t - K)^3 + origin, a round trip from now.
    private static uint Target(in Cubic ca, uint now)
    {
        var jiffies = (ulong)((int)(now - ca.EpochStart) + (long)((ca.DelayMin + UsPerJiffy - 1) / UsPerJiffy));
        var time = (jiffies << TimeShift) / TcpCong.Hz;
        var distance = time < ca.K ? ca.K - time : time - ca.K;
        var delta = (uint)(RttScale * distance * distance * distance >> (10 + (3 * TimeShift)));
        return time < ca.K ? ca.Origin - delta : ca.Origin + delta;
    }

    /// <summary>Never slower than Reno would be.</summary>
    private static void BeFriendly(ref Cubic ca, uint cwnd)
    {
        var every = Math.Max((cwnd * FriendlyScale) >> 3, 1);
        if (ca.AckCount > every)
        {
            var rounds = (ca.AckCount - 1) / every;
            (ca.AckCount, ca.RenoCwnd) = (ca.AckCount - (rounds * every), ca.RenoCwnd + rounds);
        }

        if (ca.RenoCwnd > cwnd)
        {
            ca.Count = Math.Min(ca.Count, cwnd / (ca.RenoCwnd - cwnd));
        }
    }

    /// <summary>Ends the slow start where acknowledgements of a train are spread, or round trips get longer.</summary>
    private static void LookForExit(Sock sock, ref Cubic ca, uint delay)
    {
        if (TcpCong.IsBefore(ca.EndSeq, (uint)sock.Get("snd_una")))
        {
            BeginRound(sock, ref ca);
        }

        var now = (uint)sock.Get("tcp_mstamp");
        if ((int)(now - ca.LastAck) <= TrainGapMaxUs)
        {
            ca.LastAck = now;
            var threshold = ca.DelayMin + AckDelay(sock);
            threshold = sock.Get("sk_pacing_status") == 0 ? threshold / 2 : threshold;
            ca.Found = (int)(now - ca.RoundStart) > threshold ? (byte)1 : ca.Found;
        }

        ca.CurrentRtt = Math.Min(ca.CurrentRtt, delay);
        if (ca.SampleCount < HystartSamples)
        {
            ca.SampleCount++;
        }
        else if (ca.CurrentRtt > ca.DelayMin + Math.Clamp(ca.DelayMin >> 3, DelayMinUs, DelayMaxUs))
        {
            ca.Found = 1;
        }

        if (ca.Found != 0)
        {
            sock.Put("snd_ssthresh", TcpCong.Cwnd(sock));
        }
    }

    private static uint AckDelay(Sock sock)
    {
        var rate = sock.Get("sk_pacing_rate");
        return rate == 0 ? 0 : (uint)Math.Min(1000, sock.Get("sk_gso_max_size") * 4 * 1_000_000 / rate);
    }

    private static void BeginRound(Sock sock, ref Cubic ca)
    {
        ca.RoundStart = ca.LastAck = (uint)sock.Get("tcp_mstamp");
        ca.EndSeq = (uint)sock.Get("snd_nxt");
        (ca.CurrentRtt, ca.SampleCount) = (uint.MaxValue, 0);
    }

    private static uint CubeRoot(ulong value)
    {
        var root = (UInt128)Math.Cbrt(value);
        while (root * root * root > value)
        {
            root--;
        }

        while ((root + 1) * (root + 1) * (root + 1) <= value)
        {
            root++;
        }

        return (uint)root;
    }

    private struct Cubic
    {
        internal uint Count;
        internal uint LastMaxCwnd;
        internal uint LastCwnd;
        internal uint LastTime;
        internal uint Origin;
        internal uint K;
        internal uint DelayMin;
        internal uint EpochStart;
        internal uint AckCount;
        internal uint RenoCwnd;
        internal byte SampleCount;
        internal byte Found;
        internal uint RoundStart;
        internal uint EndSeq;
        internal uint LastAck;
        internal uint CurrentRtt;
    }
}
