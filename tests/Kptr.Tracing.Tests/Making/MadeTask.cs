namespace Kptr.Tracing.Tests.Making;

/// <summary>A task of a made trace, as it really was.</summary>
internal sealed class MadeTask(int pid, int tgid, string comm)
{
    public int Pid { get; } = pid;

    public int Tgid { get; } = tgid;

    public string Comm { get; set; } = comm;

    /// <summary>How long it was on a CPU.</summary>
    public long RunNs { get; set; }

    /// <summary>Threads of its process that live, itself included; only leaders keep it.</summary>
    public int Threads { get; set; } = 1;

    public bool IsLeader => Pid == Tgid;

    /// <summary>Whether a reader of the trace cannot know that it has exited.</summary>
    public bool IsExitLost { get; set; }

    /// <summary>Whether a reader cannot know that it was freed.</summary>
    public bool IsFreeLost { get; set; }

    /// <summary>Whether a reader cannot know that it was forked.</summary>
    public bool IsForkLost { get; set; }
}
