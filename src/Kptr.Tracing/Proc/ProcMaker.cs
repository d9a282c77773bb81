namespace Kptr.Tracing.Proc;

/// <summary>Makes the tasks and cgroups of a snapshot in a model.</summary>
internal static class ProcMaker
{
    /// <summary>Makes all of it, as what was there before.</summary>
    internal static void Make(KernelModel kernel, ProcSnapshot snapshot, ProcTasks tasks)
    {
        BringClockTo(kernel, snapshot.UptimeNs);
        foreach (var path in snapshot.Cgroups)
        {
            tasks.CgroupAt(path);
        }

        tasks.Make(snapshot.Tasks, areBorn: false);
        tasks.Open(snapshot.Tasks, snapshot.Sockets);
    }

    internal static void BringClockTo(KernelModel kernel, long uptimeNs)
    {
        if (uptimeNs > kernel.NowNs)
        {
            kernel.VirtualClock.Advance(TimeSpan.FromTicks((uptimeNs - kernel.NowNs) / 100));
        }
    }
}
