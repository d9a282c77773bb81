namespace Kptr.Tracing.Tests.Making;

/// <summary>What happened on the machine of a made trace, and what a replay can know of it.</summary>
internal sealed class Truth
{
    private readonly Dictionary<int, MadeTask> _last = [];

    /// <summary>By number, the last task that was seen to be forked: what a program that keeps new tasks has.</summary>
    public Dictionary<int, MadeTask> LastForked { get; } = [];

    public long Execs { get; set; }

    /// <summary>Exits that a replay lets happen: those told, and those of tasks whose number began anew.</summary>
    public long Exits { get; private set; }

    public long Lost { get; set; }

    public long ExitsNeverSeen { get; private set; }

    public long FreesNeverSeen { get; private set; }

    public long ForksNeverSeen { get; private set; }

    /// <summary>Tasks that a replay has alive at the end.</summary>
    public int Alive { get; private set; }

    public bool IsExitLost(int pid) => _last.GetValueOrDefault(pid)?.IsExitLost == true;

    public MadeTask Leader(MadeTask task) => _last[task.Tgid];

    public void Begin(MadeTask task)
    {
        if (_last.GetValueOrDefault(task.Pid) is { } before)
        {
            if (before.IsExitLost)
            {
                ExitsNeverSeen++;
                Exits++;
                Alive--;
            }

            FreesNeverSeen += before.IsFreeLost ? 1 : 0;
        }

        _last[task.Pid] = task;
        Alive++;
        if (task.IsForkLost)
        {
            ForksNeverSeen++;
        }
        else
        {
            LastForked[task.Pid] = task;
        }
    }

    public void End(MadeTask task)
    {
        if (!task.IsExitLost)
        {
            Exits++;
            Alive--;
        }
    }
}
