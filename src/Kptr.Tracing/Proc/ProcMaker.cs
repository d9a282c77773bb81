using Kptr.Diagnostics;
using Kptr.Objects;

namespace Kptr.Tracing.Proc;

/// <summary>Makes the tasks and cgroups of a snapshot in a model.</summary>
internal sealed class ProcMaker(KernelModel kernel, ProcSnapshot snapshot)
{
    private readonly Dictionary<int, TaskStruct> _made = [];
    private readonly Dictionary<string, Cgroup> _cgroups = [];
    private readonly List<string> _refused = [];

    /// <summary>Makes all of it.</summary>
    /// <returns>Why something could not be made.</returns>
    internal IReadOnlyList<string> Make()
    {
        if (snapshot.UptimeNs > kernel.NowNs)
        {
            kernel.VirtualClock.Advance(TimeSpan.FromTicks((snapshot.UptimeNs - kernel.NowNs) / 100));
        }

        foreach (var path in snapshot.Cgroups)
        {
            CgroupAt(path);
        }

        // Leaders from parents to children, then threads; a leader that has exited must live as long as those.
        var leaders = snapshot.Tasks.Where(t => t.IsLeader).ToDictionary(t => t.Pid);
        foreach (var leader in leaders.Values)
        {
            MakeLeader(leader, leaders);
        }

        foreach (var thread in snapshot.Tasks.Where(t => !t.IsLeader && _made.ContainsKey(t.Tgid)))
        {
            Make(thread, _made[thread.Tgid], CloneFlags.Thread | CloneFlags.Vm);
        }

        foreach (var zombie in snapshot.Tasks.Where(t => t.IsZombie && t.Pid != 1 && _made.ContainsKey(t.Pid)))
        {
            kernel.Tasks.Exit(_made[zombie.Pid]);
        }

        return _refused;
    }

    // Without recursion: a broken snapshot may say any parents, in a circle too.
    private void MakeLeader(ProcTask task, Dictionary<int, ProcTask> leaders)
    {
        var line = new Stack<ProcTask>();
        for (var at = task; at is not null && !_made.ContainsKey(at.Pid) && !line.Contains(at);
            at = leaders.GetValueOrDefault(at.ParentPid))
        {
            line.Push(at);
        }

        foreach (var at in line)
        {
            Make(at, _made.GetValueOrDefault(at.ParentPid, kernel.Tasks.Init), CloneFlags.None);
        }
    }

    private void Make(ProcTask task, TaskStruct parent, CloneFlags flags)
    {
        try
        {
            var made = task.Pid == 1
                ? kernel.Tasks.Init
                : kernel.Tasks.Adopt(parent, OptionsOf(task, flags), task.IsKthread);
            if (task.Pid == 1)
            {
                kernel.Tasks.Rename(made, task.Comm);
            }

            made.AddCpuTime(task.UserTimeNs, task.SystemTimeNs);
            if (task.User is { } user)
            {
                made.SetUser(user.Uid, user.Gid);
            }

            if (task.IsLeader && task.CgroupPath is { } path && CgroupAt(path) is { Parent: not null } cgroup
                && kernel.Cgroups.Attach(cgroup, made) is not Errno.None and var errno)
            {
                _refused.Add($"pid {task.Pid} cannot be attached to {path}: {errno}");
            }

            _made[task.Pid] = made;
        }
        catch (Exception error) when (error is InvalidOperationException or ArgumentException)
        {
            _refused.Add($"pid {task.Pid}: {error.Message}");
        }
    }

    // What began while the rest was read began now.
    private ForkOptions OptionsOf(ProcTask task, CloneFlags flags) => new()
    {
        Pid = task.Pid,
        Comm = task.Comm,
        Flags = flags,
        StartTimeNs = Math.Min(task.StartTimeNs, kernel.NowNs),
    };

    private Cgroup? CgroupAt(string path)
    {
        if (_cgroups.TryGetValue(path, out var known))
        {
            return known;
        }

        try
        {
            var at = kernel.Cgroups.Root;
            foreach (var name in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
            {
                at = kernel.Cgroups.ChildrenOf(at).FirstOrDefault(c => c.Name == name)
                    ?? kernel.Cgroups.Create(at, name);
            }

            return _cgroups[path] = at;
        }
        catch (Exception error) when (error is InvalidOperationException or ArgumentException)
        {
            _refused.Add($"cgroup {path}: {error.Message}");
            return null;
        }
    }
}
