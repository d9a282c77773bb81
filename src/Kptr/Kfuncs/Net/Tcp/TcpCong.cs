using System.Runtime.InteropServices;
using Kptr.Objects;

namespace Kptr.Kfuncs;

/// <summary>What all congestion controls do with a socket's window. Kernel: net/ipv4/tcp_cong.c, 6.12.</summary>
internal static class TcpCong
{
    /// <summary><c>TCP_CA_Recovery</c>.</summary>
    internal const byte Recovery = 3;

    /// <summary><c>TCP_CA_Loss</c>.</summary>
    internal const byte Loss = 4;

    /// <summary><c>CA_EVENT_TX_START</c>.</summary>
    internal const uint EventTxStart = 0;

    /// <summary><c>CA_EVENT_LOSS</c>.</summary>
    internal const uint EventLoss = 3;

    /// <summary><c>CA_EVENT_ECN_NO_CE</c>.</summary>
    internal const uint EventEcnNoCe = 4;

    /// <summary><c>CA_EVENT_ECN_IS_CE</c>.</summary>
    internal const uint EventEcnIsCe = 5;

    /// <summary><c>CONFIG_HZ</c>, as Debian has it.</summary>
    internal const int Hz = 250;

    private const long NsPerJiffy = 1_000_000_000 / Hz;

    internal static uint Cwnd(Sock sock) => (uint)sock.Get("snd_cwnd");

    internal static void SetCwnd(Sock sock, uint value) => sock.Put("snd_cwnd", value);

    internal static bool IsInSlowStart(Sock sock) => Cwnd(sock) < sock.Get("snd_ssthresh");

    /// <summary><c>tcp_is_cwnd_limited</c>: in slow start also where half of the window was used.</summary>
    internal static bool IsCwndLimited(Sock sock) => sock.IsCwndLimited
        || (IsInSlowStart(sock) && Cwnd(sock) < 2 * sock.Get("max_packets_out"));

    /// <summary><c>tcp_jiffies32</c>.</summary>
    internal static uint Jiffies(Sock sock) => (uint)(sock.Core.NowNs / NsPerJiffy);

    /// <summary>Whether a sequence number comes before another one (<c>before</c>).</summary>
    internal static bool IsBefore(uint first, uint second) => (int)(first - second) < 0;

    /// <summary>The congestion control's own bytes in the socket, as it uses them.</summary>
    internal static ref T Private<T>(Sock sock)
        where T : unmanaged => ref MemoryMarshal.AsRef<T>(sock.CaBytes);
}
