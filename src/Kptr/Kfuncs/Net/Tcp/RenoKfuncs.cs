using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>
/// TCP's congestion control as it was first, which others build on. Kernel: net/ipv4/tcp_cong.c, 6.12.
/// </summary>
[KfuncSet(KfuncHooks.StructOps)]
internal static class RenoKfuncs
{
    private const uint CwndMin = 2;

    /// <summary>The window grows by what was acknowledged, up to the threshold.</summary>
    /// <returns>What was acknowledged beyond that.</returns>
    [Kfunc("tcp_slow_start", Profiles = ProfileSet.All,
        Prototype = "u32 tcp_slow_start(struct tcp_sock *tp, u32 acked)")]
    internal static uint SlowStart(Sock sock, uint acked)
    {
        var cwnd = TcpCong.Cwnd(sock);
        var grown = (uint)Math.Min(cwnd + (ulong)acked, sock.Get("snd_ssthresh"));
        TcpCong.SetCwnd(sock, Math.Min(grown, (uint)sock.Get("snd_cwnd_clamp")));
        return acked - (grown - cwnd);
    }

    /// <summary>The window grows by one for every so many acknowledged.</summary>
    /// <remarks>Linux divides by that number unasked; here 0 is the program's fault.</remarks>
    [Kfunc("tcp_cong_avoid_ai", Profiles = ProfileSet.All,
        Prototype = "void tcp_cong_avoid_ai(struct tcp_sock *tp, u32 w, u32 acked)")]
    internal static void CongAvoidAi(Sock sock, uint every, uint acked)
    {
        if (every == 0)
        {
            throw new ProgramFaultException(
                DiagCode.RunCallFailed, "tcp_cong_avoid_ai divides by the number it is given, which is 0");
        }

        var (cwnd, count) = (TcpCong.Cwnd(sock), (uint)sock.Get("snd_cwnd_cnt"));
        if (count >= every)
        {
            (cwnd, count) = (cwnd + 1, 0);
        }

        count += acked;
        sock.Put("snd_cwnd_cnt", count % every);
        TcpCong.SetCwnd(sock, Math.Min(cwnd + (count / every), (uint)sock.Get("snd_cwnd_clamp")));
    }

    [Kfunc("tcp_reno_cong_avoid", Profiles = ProfileSet.All,
        Prototype = "void tcp_reno_cong_avoid(struct sock *sk, u32 ack, u32 acked)")]
    internal static void CongAvoid(Sock sock, uint ack, uint acked)
    {
        _ = ack;
        if (!TcpCong.IsCwndLimited(sock))
        {
            return;
        }

        if (TcpCong.IsInSlowStart(sock))
        {
            acked = SlowStart(sock, acked);
            if (acked == 0)
            {
                return;
            }
        }

        CongAvoidAi(sock, TcpCong.Cwnd(sock), acked);
    }

    /// <summary>Half of the window.</summary>
    [Kfunc("tcp_reno_ssthresh", Profiles = ProfileSet.All,
        Prototype = "u32 tcp_reno_ssthresh(struct sock *sk)")]
    internal static uint Ssthresh(Sock sock) => Math.Max(TcpCong.Cwnd(sock) / 2, CwndMin);

    /// <summary>The window before a loss that was none.</summary>
    [Kfunc("tcp_reno_undo_cwnd", Profiles = ProfileSet.All,
        Prototype = "u32 tcp_reno_undo_cwnd(struct sock *sk)")]
    internal static uint UndoCwnd(Sock sock) => Math.Max(TcpCong.Cwnd(sock), (uint)sock.Get("prior_cwnd"));
}
