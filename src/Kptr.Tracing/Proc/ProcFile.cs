using System.Globalization;

namespace Kptr.Tracing;

/// <summary>An open descriptor of a process, as <c>/proc/PID/fd</c> shows it.</summary>
/// <param name="Fd">Its number.</param>
/// <param name="Target">
/// What is open: a path, <c>socket:[INODE]</c>, <c>pipe:[INODE]</c>, <c>anon_inode:...</c>.
/// </param>
public readonly record struct ProcFile(int Fd, string Target)
{
    /// <summary>The inode of a socket, by which <see cref="ProcSnapshot.Sockets"/> lists it; null for other
    /// files.</summary>
    public ulong? SocketInode
    {
        get
        {
            const string Start = "socket:[";
            return Target is not null && Target.StartsWith(Start, StringComparison.Ordinal) && Target.EndsWith(']')
                && ulong.TryParse(Target.AsSpan(Start.Length, Target.Length - Start.Length - 1), NumberStyles.None,
                    CultureInfo.InvariantCulture, out var inode) ? inode : null;
        }
    }
}
