using System.Globalization;
using System.Net;
using Kptr.Objects;

namespace Kptr.Tracing.Proc;

/// <summary>The sockets in <c>/proc/PID/net</c> of each network namespace that is met.</summary>
/// <remarks>Kernel: <c>get_tcp4_sock</c> and its kin (net/ipv4/tcp_ipv4.c, 6.12).</remarks>
internal sealed class ProcNet(string proc, ProcFiles files)
{
    private const byte Tcp = 6;
    private const byte Udp = 17;
    private const int WordHexDigits = 8;
    private static readonly (string Name, byte Protocol)[] Tables =
        [("tcp", Tcp), ("tcp6", Tcp), ("udp", Udp), ("udp6", Udp)];

    private readonly HashSet<string> _namespaces = [];
    private readonly Dictionary<ulong, ProcSocket> _sockets = [];

    internal IReadOnlyList<ProcSocket> Sockets => [.. _sockets.Values.OrderBy(s => s.Inode)];

    /// <summary>Reads the tables of a process that has sockets, unless one of its namespace was read.</summary>
    internal void ReadOf(int tgid)
    {
        var folder = $"{proc}/{tgid}";
        if (!_namespaces.Add(files.Tree.TargetOf($"{folder}/ns/net") ?? ""))
        {
            return;
        }

        var net = files.Tree.IsFolder($"{folder}/net") ? $"{folder}/net" : $"{proc}/net";
        foreach (var (name, protocol) in Tables.Where(t => files.Tree.IsFile($"{net}/{t.Name}")))
        {
            foreach (var line in (files.Read($"{net}/{name}", "sockets") ?? "").Split('\n').Skip(1))
            {
                if (line.Trim() is { Length: > 0 } text)
                {
                    Add(text, protocol, net);
                }
            }
        }
    }

    // SL: LOCAL:PORT REMOTE:PORT STATE TX:RX TR:WHEN RETRNSMT UID TIMEOUT INODE ...
    private void Add(string line, byte protocol, string net)
    {
        var words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (words.Length < 10 || EndOf(words[1]) is not { } local || EndOf(words[2]) is not { } remote
            || local.AddressFamily != remote.AddressFamily
            || !ulong.TryParse(words[9], NumberStyles.None, CultureInfo.InvariantCulture, out var inode))
        {
            files.Miss("socket not understood", net);
            return;
        }

        // One without an inode belongs to nobody any more (TIME_WAIT, accept queues).
        if (inode != 0)
        {
            _sockets.TryAdd(inode, new(inode, FlowTuple.Between(local, remote, protocol)));
        }
    }

    // The address is one word of the host's byte order in hexadecimal, or four of them; the port is a plain number.
    private static IPEndPoint? EndOf(string text)
    {
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        if (colon is not (WordHexDigits or 4 * WordHexDigits) || !ushort.TryParse(
            text.AsSpan(colon + 1), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var port))
        {
            return null;
        }

        var bytes = new byte[colon / 2];
        for (var at = 0; at < colon; at += WordHexDigits)
        {
            if (!uint.TryParse(text.AsSpan(at, WordHexDigits), NumberStyles.AllowHexSpecifier,
                CultureInfo.InvariantCulture, out var word) || !BitConverter.TryWriteBytes(bytes.AsSpan(at / 2), word))
            {
                return null;
            }
        }

        return new(new IPAddress(bytes), port);
    }
}
