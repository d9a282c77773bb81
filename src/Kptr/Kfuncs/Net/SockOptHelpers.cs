using System.Text;
using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>
/// Options of a socket, which are kept and given back. Kernel: net/core/filter.c
/// (<c>sol_socket_sockopt</c> and so on), 6.12.
/// </summary>
internal static class SockOptHelpers
{
    private const int SolIp = 0;
    private const int SolSocket = 1;
    private const int SolTcp = 6;
    private const int SolV6 = 41;
    private const int SendBuffer = 7;
    private const int ReceiveBuffer = 8;
    private const int Congestion = 13;
    private const int CongestionBytesMax = 16;

    /// <summary>Integer options that programs may get and set, with what they are before anybody sets them.</summary>
    private static readonly Dictionary<(int Level, int Name), int> s_integers = new()
    {
        [(SolSocket, 2)] = 0, [(SolSocket, SendBuffer)] = 87040, [(SolSocket, ReceiveBuffer)] =
            131072, [(SolSocket, 9)] = 0,
        [(SolSocket, 12)] = 0, [(SolSocket, 18)] = 1, [(SolSocket, 36)] = 0, [(SolSocket, 47)] = -1, [(SolSocket, 62)] =
            0, [(SolSocket, 74)] = 1,
        [(SolTcp, 1)] = 0, [(SolTcp, 2)] = 536, [(SolTcp, 4)] = 7200, [(SolTcp, 5)] = 75, [(SolTcp, 6)] =
            9, [(SolTcp, 7)] = 6, [(SolTcp, 10)] = 0,
        [(SolTcp, 16)] = 0, [(SolTcp, 18)] = 0, [(SolTcp, 25)] = 0, [(SolTcp, 27)] = 0,
        [(SolIp, 1)] = 0, [(SolV6, 67)] = 0, [(SolV6, 70)] = 1,
    };

    private static readonly string[] s_congestionControls = ["cubic", "reno", "bbr", "dctcp"];

    [Helper(HelperId.Setsockopt)]
    internal static Errno Set(ProgContext ctx, ulong context, int level, int name, ulong value, int length)
    {
        if (SockHelpers.SocketOf(ctx, context) is not { } sock || length <= 0)
        {
            return Errno.EINVAL;
        }

        var bytes = ctx.Memory(value, length, isWrite: false);
        if ((level, name) == (SolTcp, Congestion))
        {
            return SetCongestion(sock, bytes);
        }

        if (length != sizeof(int) || !s_integers.ContainsKey((level, name)))
        {
            return Errno.EINVAL;
        }

        sock.SetOption(level, name, AsKept(level, name, BitConverter.ToInt32(bytes)));
        return Errno.None;
    }

    /// <summary>Clears the program's buffer where there is nothing to give.</summary>
    [Helper(HelperId.Getsockopt)]
    internal static Errno Get(ProgContext ctx, ulong context, int level, int name, ulong value, int length)
    {
        var room = ctx.Memory(value, length);
        room.Clear();
        if (SockHelpers.SocketOf(ctx, context) is not { } sock || length <= 0)
        {
            return Errno.EINVAL;
        }

        if ((level, name) == (SolTcp, Congestion))
        {
            var text = Encoding.ASCII.GetBytes(sock.CongestionControl);
            text.AsSpan(0, Math.Min(text.Length, length - 1)).CopyTo(room);
            return Errno.None;
        }

        if (length != sizeof(int) || !s_integers.TryGetValue((level, name), out var initial))
        {
            return Errno.EINVAL;
        }

        BitConverter.TryWriteBytes(room, sock.OptionOr(level, name, initial));
        return Errno.None;
    }

    /// <summary>
    /// Checks the address and binds nothing: a socket of the model keeps the addresses it was opened with.
    /// </summary>
    [Helper(HelperId.Bind)]
    internal static Errno Bind(ProgContext ctx, ulong context, ulong address, int length)
    {
        const int v4Bytes = 16, v6Bytes = 24;
        _ = ctx.PacketAt(context);
        return length < sizeof(ushort) ? Errno.EINVAL : ctx.Read<ushort>(address) switch
        {
            2 => length < v4Bytes ? Errno.EINVAL : Errno.None,
            10 => length < v6Bytes ? Errno.EINVAL : Errno.None,
            _ => Errno.EAFNOSUPPORT,
        };
    }

    private static Errno SetCongestion(Sock sock, ReadOnlySpan<byte> bytes)
    {
        var end = bytes.IndexOf((byte)0);
        var name = Encoding.ASCII.GetString(bytes[..Math.Min(end < 0 ? bytes.Length : end, CongestionBytesMax - 1)]);
        if (!s_congestionControls.Contains(name))
        {
            return Errno.ENOENT;
        }

        sock.CongestionControl = name;
        return Errno.None;
    }

    // Linux doubles the size of buffers, for its own bookkeeping in them, and keeps a least size.
    private static int AsKept(int level, int name, int value) => (level, name) switch
    {
        (SolSocket, SendBuffer) => Math.Max(4608, Math.Min(value, int.MaxValue / 2) * 2),
        (SolSocket, ReceiveBuffer) => Math.Max(2304, Math.Min(value, int.MaxValue / 2) * 2),
        _ => value,
    };
}
