using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>
/// DCTCP: the window shrinks by the share of packets that were marked. Kernel: net/ipv4/tcp_dctcp.c, 6.12.
/// </summary>
/// <remarks>
/// Acknowledgements that a change of marks would send at once are not sent: sockets of the model send nothing.
/// </remarks>
[KfuncSet(KfuncHooks.StructOps)]
internal static class DctcpKfuncs
{
    private const uint AlphaMax = 1024;
    private const int ShiftG = 4;
    private const uint CwndMin = 2;
    private const ulong EcnOk = 1; // TCP_ECN_OK

    /// <summary>Begins; a connection without ECN goes on with Reno.</summary>
    [Kfunc("dctcp_init", Profiles = ProfileSet.All, Prototype = "void dctcp_init(struct sock *sk)")]
    internal static void Init(Sock sock)
    {
        if ((sock.Get("ecn_flags") & EcnOk) == 0 && !sock.IsListener)
        {
            sock.CongestionControl = "reno";
            return;
        }

        ref var ca = ref TcpCong.Private<Dctcp>(sock);
        ca = new() { PriorRcvNxt = (uint)sock.Get("rcv_nxt"), Alpha = AlphaMax };
        Reset(sock, ref ca);
    }

    /// <summary>Once a round trip: how many of the delivered packets were marked.</summary>
    [Kfunc("dctcp_update_alpha", Profiles = ProfileSet.All,
        Prototype = "void dctcp_update_alpha(struct sock *sk, u32 flags)")]
    internal static void UpdateAlpha(Sock sock, uint flags)
    {
        _ = flags;
        ref var ca = ref TcpCong.Private<Dctcp>(sock);
        if (TcpCong.IsBefore((uint)sock.Get("snd_una"), ca.NextSeq))
        {
            return;
        }

        var marked = (uint)sock.Get("delivered_ce") - ca.OldDeliveredCe;
        var alpha = ca.Alpha;
        var less = alpha >> ShiftG;
        alpha -= less == 0 ? alpha : less;
        if (marked != 0)
        {
            var delivered = (uint)sock.Get("delivered") - ca.OldDelivered;
            alpha = Math.Min(alpha + ((marked << (10 - ShiftG)) / Math.Max(1, delivered)), AlphaMax);
        }

        ca.Alpha = alpha;
        Reset(sock, ref ca);
    }

    [Kfunc("dctcp_ssthresh", Profiles = ProfileSet.All, Prototype = "u32 dctcp_ssthresh(struct sock *sk)")]
    internal static uint Ssthresh(Sock sock)
    {
        ref var ca = ref TcpCong.Private<Dctcp>(sock);
        var cwnd = TcpCong.Cwnd(sock);
        ca.LossCwnd = cwnd;
        return Math.Max(cwnd - ((cwnd * ca.Alpha) >> 11), CwndMin);
    }

    [Kfunc("dctcp_cwnd_undo", Profiles = ProfileSet.All, Prototype = "u32 dctcp_cwnd_undo(struct sock *sk)")]
    internal static uint Undo(Sock sock) => Math.Max(TcpCong.Cwnd(sock), TcpCong.Private<Dctcp>(sock).LossCwnd);

    [Kfunc("dctcp_state", Profiles = ProfileSet.All, Prototype = "void dctcp_state(struct sock *sk, u8 new_state)")]
    internal static void State(Sock sock, byte newState)
    {
        if (newState == TcpCong.Recovery && newState != sock.CongestionState)
        {
            ReactToLoss(sock);
        }
    }

    [Kfunc("dctcp_cwnd_event", Profiles = ProfileSet.All,
        Prototype = "void dctcp_cwnd_event(struct sock *sk, enum tcp_ca_event ev)")]
    internal static void CwndEvent(Sock sock, uint raised)
    {
        switch (raised)
        {
            case TcpCong.EventEcnIsCe or TcpCong.EventEcnNoCe:
                ref var ca = ref TcpCong.Private<Dctcp>(sock);
                ca.CeState = raised == TcpCong.EventEcnIsCe ? 1u : 0;
                ca.PriorRcvNxt = (uint)sock.Get("rcv_nxt");
                break;
            case TcpCong.EventLoss:
                ReactToLoss(sock);
                break;
        }
    }

    /// <summary>Load balancing between paths, which is off where nobody turned it on, begins anew.</summary>
    [Kfunc("dctcp_cwnd_event_tx_start", Profiles = ProfileSet.Linux7_2,
        Prototype = "void dctcp_cwnd_event_tx_start(struct sock *sk)")]
    internal static void TxStart(Sock sock) => _ = sock;

    private static void ReactToLoss(Sock sock)
    {
        var cwnd = TcpCong.Cwnd(sock);
        TcpCong.Private<Dctcp>(sock).LossCwnd = cwnd;
        sock.Put("snd_ssthresh", Math.Max(cwnd / 2, CwndMin));
    }

    private static void Reset(Sock sock, ref Dctcp ca)
    {
        ca.NextSeq = (uint)sock.Get("snd_nxt");
        ca.OldDelivered = (uint)sock.Get("delivered");
        ca.OldDeliveredCe = (uint)sock.Get("delivered_ce");
    }

    private struct Dctcp
    {
        internal uint OldDelivered;
        internal uint OldDeliveredCe;
        internal uint PriorRcvNxt;
        internal uint Alpha;
        internal uint NextSeq;
        internal uint CeState;
        internal uint LossCwnd;
    }
}
