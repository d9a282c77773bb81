namespace Kptr.Tracing.Replay;

/// <summary>What runs on each CPU of the trace, and since when: CPU time comes from here.</summary>
/// <remarks>
/// <c>sched_stat_runtime</c> says what Linux itself accounted. Where a trace lacks it, or a scheduling class does not
/// tell, the time between two switches is taken.
/// </remarks>
internal sealed class ReplayCpus(IssueLog issues)
{
    private const int CpusMax = 8192;
    private readonly List<CpuState> _cpus = [];

    /// <summary>A CPU switches from a task to another; null is its idle task.</summary>
    internal void Switch(ReplayTask? prev, ReplayTask? next, TraceEvent at)
    {
        if (StateOf(at.Cpu) is not { } cpu)
        {
            return;
        }

        if (cpu.IsKnown && cpu.Current == prev)
        {
            Account(cpu, at.TimestampNs);
        }
        else if (cpu.IsKnown)
        {
            issues.Add(TraceIssueKind.SwitchNeverSeen, at,
                $"is switched away from, but CPU {at.Cpu} was at pid {cpu.Current?.Pid ?? 0}", prev?.Pid ?? 0);
        }

        cpu.IsKnown = true;
        cpu.Current = next;
        cpu.SinceNs = at.TimestampNs;
        if (next is not null)
        {
            next.HasRuntime = false;
        }
    }

    /// <summary>Linux has accounted CPU time.</summary>
    internal static void AddRuntime(ReplayTask task, long ns)
    {
        task.HasRuntime = true;
        task.AddCpuTime(ns);
    }

    /// <summary>Events were lost: what a CPU does is not known until it switches; of all CPUs for -1.</summary>
    internal void Forget(int cpu)
    {
        for (var i = 0; i < _cpus.Count; i++)
        {
            if (cpu < 0 || cpu == i)
            {
                (_cpus[i].IsKnown, _cpus[i].Current) = (false, null);
            }
        }
    }

    /// <summary>The trace ends: what runs has run until now.</summary>
    internal void End(long ns)
    {
        foreach (var cpu in _cpus.Where(c => c.IsKnown))
        {
            Account(cpu, ns);
        }
    }

    private static void Account(CpuState cpu, long ns)
    {
        if (cpu.Current is { HasRuntime: false, IsGone: false } task && ns > cpu.SinceNs)
        {
            task.AddCpuTime(ns - cpu.SinceNs);
        }
    }

    private CpuState? StateOf(int cpu)
    {
        if (cpu is < 0 or >= CpusMax)
        {
            return null;
        }

        while (_cpus.Count <= cpu)
        {
            _cpus.Add(new());
        }

        return _cpus[cpu];
    }

    private sealed class CpuState
    {
        internal bool IsKnown { get; set; }

        internal ReplayTask? Current { get; set; }

        internal long SinceNs { get; set; }
    }
}
