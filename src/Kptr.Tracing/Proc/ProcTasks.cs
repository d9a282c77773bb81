using Kptr.Diagnostics;
using Kptr.Objects;

namespace Kptr.Tracing.Proc;

/// <summary>The tasks and cgroups of a machine in a model, by pid and path.</summary>
internal sealed class ProcTasks(KernelModel kernel)
{
    private readonly Dictionary<int, TaskStruct> _made = [];
    private readonly Dictionary<string, Cgroup> _cgroups = [];
    private readonly List<string> _refused = [];

    /// <summary>Why something could not be made or changed; taken away when asked.</summary>
    internal List<string> TakeRefused()
    {
        List<string> refused = [.. _refused];
        _refused.Clear();
        return refused;
    }

    /// <summary>Null for what was refused.</summary>
    internal TaskStruct? Find(int pid) => _made.GetValueOrDefault(pid);

    /// <summary>Makes tasks, parents before children and leaders before threads.</summary>
    /// <param name="tasks">Those that are not made yet.</param>
    /// <param name="areBorn">They are forked, and tracepoints fire; else they were there before.</param>
    internal void Make(IReadOnlyList<ProcTask> tasks, bool areBorn)
    {
        // Leaders from parents to children, then threads; a leader that has exited must live as long as those.
        var leaders = tasks.Where(t => t.IsLeader).ToDictionary(t => t.Pid);
        foreach (var leader in leaders.Values)
        {
            MakeLeader(leader, leaders, areBorn);
        }

        foreach (var thread in tasks.Where(t => !t.IsLeader && _made.ContainsKey(t.Tgid)))
        {
            Make(thread, _made[thread.Tgid], CloneFlags.Thread | CloneFlags.Vm, areBorn);
        }

        foreach (var zombie in tasks.Where(t => t.IsZombie && t.Pid != 1 && _made.ContainsKey(t.Pid)))
        {
            Exit(zombie.Pid);
        }
    }

    /// <summary>Opens what processes have open; they are made.</summary>
    internal void Open(IReadOnlyList<ProcTask> tasks, IReadOnlyList<ProcSocket> sockets)
    {
        var files = new ProcOpenFiles(kernel, sockets, _refused);
        foreach (var task in tasks)
        {
            if (task.Files.Count > 0 && Find(task.Pid) is { Files: { } table } made)
            {
                files.Open(made, table, task.Files);
            }
        }

        files.CloseOwn();
    }

    /// <summary>A task has exited, and waits to be reaped.</summary>
    internal void Exit(int pid) => Try(pid, task =>
    {
        // Nobody reaps a thread that is no leader: it is gone with its exit, and may be freed.
        if (!task.IsLeader)
        {
            _made.Remove(pid);
        }

        if (task.Phase == TaskPhase.Alive)
        {
            kernel.Tasks.Exit(task);
        }
    });

    /// <summary>A task is gone.</summary>
    internal void End(int pid)
    {
        Exit(pid);
        Try(pid, task => _ = task.IsLeader && kernel.Tasks.Reap(task));
        _made.Remove(pid);
    }

    /// <summary>A task has another name: a process by <c>execve</c>, where nothing tells otherwise.</summary>
    internal void Rename(int pid, string comm, bool mayHaveExeced) => Try(pid, task =>
    {
        if (mayHaveExeced && task.IsLeader && task != kernel.Tasks.Init && task.Phase == TaskPhase.Alive)
        {
            kernel.Tasks.Exec(task, comm);
        }
        else
        {
            kernel.Tasks.Rename(task, comm);
        }
    });

    /// <summary>A task used the CPU.</summary>
    internal void Spend(int pid, long userNs, long systemNs) => Try(pid, task => task.AddCpuTime(userNs, systemNs));

    /// <summary>A process is in another cgroup.</summary>
    internal void Move(int pid, string path) => Try(pid, task => Attach(task, path));

    internal Cgroup? CgroupAt(string path)
    {
        if (_cgroups.TryGetValue(path, out var known))
        {
            return known;
        }

        try
        {
            return _cgroups[path] = kernel.Cgroups.GetOrCreate(path);
        }
        catch (Exception error) when (error is InvalidOperationException or ArgumentException)
        {
            _refused.Add($"cgroup {path}: {error.Message}");
            return null;
        }
    }

    /// <summary>A cgroup is gone; one that still has tasks in the model goes with a later try.</summary>
    /// <returns>Whether it went.</returns>
    internal bool RemoveCgroup(string path) => !_cgroups.TryGetValue(path, out var cgroup)
        || (kernel.Cgroups.Remove(cgroup) == Errno.None && _cgroups.Remove(path));

    // Without recursion: a broken snapshot may say any parents, in a circle too.
    private void MakeLeader(ProcTask task, Dictionary<int, ProcTask> leaders, bool areBorn)
    {
        var line = new Stack<ProcTask>();
        for (var at = task; at is not null && !_made.ContainsKey(at.Pid) && !line.Contains(at);
            at = leaders.GetValueOrDefault(at.ParentPid))
        {
            line.Push(at);
        }

        foreach (var at in line)
        {
            Make(at, _made.GetValueOrDefault(at.ParentPid, kernel.Tasks.Init), CloneFlags.None, areBorn);
        }
    }

    private void Make(ProcTask task, TaskStruct parent, CloneFlags flags, bool isBorn)
    {
        try
        {
            var made = task.Pid == 1 ? kernel.Tasks.Init
                : isBorn ? Fork(task, parent, flags)
                : kernel.Tasks.Adopt(parent, OptionsOf(task, task.Comm, flags), task.IsKthread);
            _made[task.Pid] = made;
            if (task.Pid == 1)
            {
                kernel.Tasks.Rename(made, task.Comm);
            }

            made.AddCpuTime(task.UserTimeNs, task.SystemTimeNs);
            if (task.User is { } user)
            {
                made.SetUser(user.Uid, user.Gid);
            }

            if (task.IsLeader && task.CgroupPath is { } path)
            {
                Attach(made, path);
            }
        }
        catch (Exception error) when (error is InvalidOperationException or ArgumentException)
        {
            _refused.Add($"pid {task.Pid}: {error.Message}");
        }
    }

    // A process that has another name than its parent got it by execve.
    private TaskStruct Fork(ProcTask task, TaskStruct parent, CloneFlags flags)
    {
        var made = kernel.Tasks.Fork(parent, OptionsOf(task, task.IsLeader ? parent.Comm : task.Comm, flags));
        if (task.IsLeader && task.Comm != parent.Comm)
        {
            kernel.Tasks.Exec(made, task.Comm);
        }

        return made;
    }

    // What began while the rest was read began now.
    private ForkOptions OptionsOf(ProcTask task, string comm, CloneFlags flags) => new()
    {
        Pid = task.Pid,
        Comm = comm,
        Flags = flags,
        StartTimeNs = Math.Min(task.StartTimeNs, kernel.NowNs),
    };

    private void Attach(TaskStruct task, string path)
    {
        if (CgroupAt(path) is { } cgroup && task.Cgroup != cgroup
            && kernel.Cgroups.Attach(cgroup, task) is not Errno.None and var errno)
        {
            _refused.Add($"pid {task.Pid} cannot be attached to {path}: {errno}");
        }
    }

    private void Try(int pid, Action<TaskStruct> act)
    {
        if (Find(pid) is not { } task)
        {
            return;
        }

        try
        {
            act(task);
        }
        catch (Exception error) when (error is InvalidOperationException or ArgumentException)
        {
            _refused.Add($"pid {pid}: {error.Message}");
        }
    }
}
