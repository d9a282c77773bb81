namespace Kptr.Tracing;

/// <summary>A thread of a machine, as <c>/proc</c> shows it.</summary>
/// <param name="Pid">Its number.</param>
/// <param name="Tgid">Its process's number.</param>
/// <param name="ParentPid">Its parent process's number; 0 where it has none that can be seen.</param>
/// <param name="Comm">Its name.</param>
public sealed record ProcTask(int Pid, int Tgid, int ParentPid, string Comm)
{
    /// <summary>Its state as a letter: <c>R</c>, <c>S</c>, <c>Z</c> and so on.</summary>
    public char State { get; init; } = 'S';

    /// <summary>Whether it is a thread of the kernel.</summary>
    public bool IsKthread { get; init; }

    /// <summary>When it was forked, in nanoseconds since boot; <c>/proc</c> counts hundredths of a second.</summary>
    public long StartTimeNs { get; init; }

    /// <summary>CPU time in user mode, in nanoseconds.</summary>
    public long UserTimeNs { get; init; }

    /// <summary>CPU time in the kernel, in nanoseconds.</summary>
    public long SystemTimeNs { get; init; }

    /// <summary>Real user and group; null where that cannot be read.</summary>
    public (uint Uid, uint Gid)? User { get; init; }

    /// <summary>Its cgroup in the v2 tree, from the root; null where that cannot be read.</summary>
    public string? CgroupPath { get; init; }

    /// <summary>
    /// The open descriptors of its process, by number; empty for threads that do not lead, and where they cannot be
    /// read.
    /// </summary>
    public IReadOnlyList<ProcFile> Files { get; init; } = [];

    /// <summary>Whether it leads its process.</summary>
    public bool IsLeader => Pid == Tgid;

    /// <summary>Whether it has exited and waits to be reaped.</summary>
    public bool IsZombie => State is 'Z' or 'X';

    /// <summary>Pid, process and name.</summary>
    public override string ToString() =>
        $"pid {Pid}{(IsLeader ? "" : $" of process {Tgid}")} \"{Comm}\"{(IsZombie ? ", a zombie" : "")}";
}
