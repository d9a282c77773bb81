using System.Runtime.InteropServices;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>
/// BBR: sends at the rate that it has measured to get through, and no more than that rate fills. Kernel:
/// net/ipv4/tcp_bbr.c, 6.12.
/// </summary>
[KfuncSet(KfuncHooks.StructOps)]
internal static class BbrKfuncs
{
    private const ulong MinTsoRate = 1_200_000;
    private const uint SendBufferFactor = 3;
    private const byte AckSampleBytes = 72;

    [Kfunc("bbr_init", Profiles = ProfileSet.All, Prototype = "void bbr_init(struct sock *sk)")]
    internal static void Init(ProgContext ctx, Sock sock) => new Bbr(ctx, sock).Init();

    /// <summary>Once an acknowledgement: what is learned from it, and the rate and window that follow.</summary>
    [Kfunc("bbr_main", Profiles = ProfileSet.All,
        Prototype = "void bbr_main(struct sock *sk, u32 ack, int flag, const struct rate_sample *rs)")]
    internal static void Main(ProgContext ctx, Sock sock, uint ack, int flag, ulong sample)
    {
        _ = (ack, flag);
        new Bbr(ctx, sock).OnAck(MemoryMarshal.Read<BbrRateSample>(ctx.KernelMemory(sample, AckSampleBytes)));
    }

    [Kfunc("bbr_cwnd_event", Profiles = ProfileSet.All,
        Prototype = "void bbr_cwnd_event(struct sock *sk, enum tcp_ca_event event)")]
    internal static void CwndEvent(ProgContext ctx, Sock sock, uint raised)
    {
        if (raised == TcpCong.EventTxStart)
        {
            TxStart(ctx, sock);
        }
    }

    /// <summary>The event of its own that 7.2 made of that.</summary>
    [Kfunc("bbr_cwnd_event_tx_start", Profiles = ProfileSet.Linux7_2,
        Prototype = "void bbr_cwnd_event_tx_start(struct sock *sk)")]
    internal static void TxStart(ProgContext ctx, Sock sock)
    {
        if (sock.Get("app_limited") != 0)
        {
            new Bbr(ctx, sock).RestartFromIdle();
        }
    }

    /// <summary>BBR has no threshold; it keeps the window to come back to.</summary>
    [Kfunc("bbr_ssthresh", Profiles = ProfileSet.All, Prototype = "u32 bbr_ssthresh(struct sock *sk)")]
    internal static uint Ssthresh(ProgContext ctx, Sock sock)
    {
        new Bbr(ctx, sock).SaveCwnd();
        return (uint)sock.Get("snd_ssthresh");
    }

    /// <summary>A loss was none: the pipe may hold more than it seemed.</summary>
    [Kfunc("bbr_undo_cwnd", Profiles = ProfileSet.All, Prototype = "u32 bbr_undo_cwnd(struct sock *sk)")]
    internal static uint UndoCwnd(ProgContext ctx, Sock sock)
    {
        new Bbr(ctx, sock).ForgetLoss();
        return TcpCong.Cwnd(sock);
    }

    [Kfunc("bbr_set_state", Profiles = ProfileSet.All,
        Prototype = "void bbr_set_state(struct sock *sk, u8 new_state)")]
    internal static void SetState(ProgContext ctx, Sock sock, byte newState)
    {
        if (newState == TcpCong.Loss)
        {
            new Bbr(ctx, sock).OnTimeout();
        }
    }

    /// <summary>A send buffer of so many windows.</summary>
    [Kfunc("bbr_sndbuf_expand", Profiles = ProfileSet.All, Prototype = "u32 bbr_sndbuf_expand(struct sock *sk)")]
    internal static uint SendBufferExpand(Sock sock)
    {
        _ = sock;
        return SendBufferFactor;
    }

    /// <summary>One segment at a time on slow paths, else two.</summary>
    [Kfunc("bbr_min_tso_segs", Profiles = ProfileSet.All, Prototype = "u32 bbr_min_tso_segs(struct sock *sk)")]
    internal static uint MinTsoSegs(Sock sock) => sock.Get("sk_pacing_rate") < MinTsoRate / 8 ? 1u : 2;
}
