using Kptr.Btf;

namespace Kptr.Objects;

// What TCP knows of its connection, as far as congestion control goes by it. Nothing in the model sends segments: who
// calls the operations says what was sent and acknowledged, by Read and Write of these fields (snd_una, delivered...).
public sealed partial class Sock
{
    internal const string CaPrivate = "inet_conn.icsk_ca_priv";
    internal const int CaPrivateBytes = 104;
    private const string CaStateBits = "inet_conn.icsk_ca_state";
    private const string CwndLimitedBits = "is_cwnd_limited";
    private const uint InitCwnd = 10; // TCP_INIT_CWND
    private const uint InfiniteSsthresh = 0x7fffffff; // TCP_INFINITE_SSTHRESH
    private const uint MssDefault = 536; // TCP_MSS_DEFAULT
    private const uint GsoSizeMax = 65536;
    private const uint PacingShift = 10;

    private static FieldSpec[] TcpFields =>
    [
        new("snd_cwnd", 4), new("snd_cwnd_cnt", 4), new("snd_cwnd_clamp", 4), new("snd_ssthresh", 4),
        new("prior_cwnd", 4), new("max_packets_out", 4), new("packets_out", 4), new("sacked_out", 4),
        new("lost_out", 4), new("retrans_out", 4), new("delivered", 4), new("delivered_ce", 4), new("lost", 4),
        new("app_limited", 4), new("lsndtime", 4), new("tcp_mstamp", 8), new("mss_cache", 4), new("srtt_us", 4),
        new("snd_una", 4), new("snd_nxt", 4), new("rcv_nxt", 4), new("ecn_flags", 1), new("sk_pacing_rate", 8),
        new("sk_max_pacing_rate", 8), new("delivered_mstamp", 8),
        new("sk_pacing_status", 4), new("sk_gso_max_size", 4), new("sk_pacing_shift", 1),
        new(CaPrivate, CaPrivateBytes),
    ];

    /// <summary>The state of a TCP connection's recovery (<c>icsk_ca_state</c>): 0 open, 1 disorder, 2 CWR, 3 recovery,
    /// 4 loss.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such state.</exception>
    public byte CongestionState
    {
        get => (byte)GetBits(CaStateBits);
        set
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThan(value, 4, nameof(value));
            PutBits(CaStateBits, value);
        }
    }

    /// <summary>Whether the congestion window is what keeps TCP from sending more (<c>is_cwnd_limited</c>).</summary>
    public bool IsCwndLimited
    {
        get => GetBits(CwndLimitedBits) != 0;
        set => PutBits(CwndLimitedBits, value ? 1u : 0);
    }

    /// <summary>The 104 bytes that belong to its congestion control.</summary>
    internal Span<byte> CaBytes => At(Layout.Field(CaPrivate).OffsetBytes, CaPrivateBytes);

    private void InitTcp()
    {
        if (!IsTcp)
        {
            return;
        }

        Put("snd_cwnd", InitCwnd);
        Put("snd_cwnd_clamp", uint.MaxValue);
        Put("snd_ssthresh", InfiniteSsthresh);
        Put("mss_cache", MssDefault);
        Put("sk_gso_max_size", GsoSizeMax);
        Put("sk_pacing_rate", ulong.MaxValue);
        Put("sk_max_pacing_rate", ulong.MaxValue);
        Put("sk_pacing_shift", PacingShift);
    }

    private uint GetBits(string path)
    {
        if (Layout.FindBits(path) is not { } bits || !IsInOneByte(bits))
        {
            return 0;
        }

        var value = At(bits.OffsetBits / 8, 1)[0] >> (bits.OffsetBits % 8) & ((1 << bits.SizeBits) - 1);
        return IsReadTooLate(path) ? 0 : (uint)value;
    }

    private static bool IsInOneByte(BtfBits bits) => (bits.OffsetBits % 8) + bits.SizeBits <= 8;

    private void PutBits(string path, uint value)
    {
        if (Layout.FindBits(path) is not { } bits || !IsInOneByte(bits) || !MayWrite(path))
        {
            return;
        }

        ref var place = ref At(bits.OffsetBits / 8, 1)[0];
        var mask = ((1 << bits.SizeBits) - 1) << (bits.OffsetBits % 8);
        place = (byte)((place & ~mask) | ((int)value << (bits.OffsetBits % 8) & mask));
    }
}
