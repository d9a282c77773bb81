using System.Globalization;
using Kptr.Tracing.Proc;

namespace Kptr.Tracing;

/// <summary>
/// The tasks, cgroups, open files and sockets of a machine at a moment, from its <c>/proc</c> and
/// <c>/sys/fs/cgroup</c>; needs no root.
/// </summary>
/// <remarks>
/// It is no atomic picture: tasks that begin or end while it is read may be missing. Does not change; safe for any
/// number of threads.
/// </remarks>
public sealed class ProcSnapshot
{
    // USER_HZ, in which /proc counts on every architecture that .NET runs on.
    private const long NsPerClockTick = 10_000_000;
    private const uint Kthread = 0x0020_0000;
    private const int CgroupDepthMax = 31;
    private const int CommMax = 15;

    private ProcSnapshot(long uptimeNs, IReadOnlyList<ProcTask> tasks, IReadOnlyList<string> cgroups,
        IReadOnlyList<ProcSocket> sockets, IReadOnlyList<ProcGap> gaps)
    {
        UptimeNs = uptimeNs;
        Tasks = tasks;
        Cgroups = cgroups;
        Sockets = sockets;
        Gaps = gaps;
    }

    /// <summary>How long the machine was up, in nanoseconds; 0 where that cannot be read.</summary>
    public long UptimeNs { get; }

    /// <summary>Its threads, by pid.</summary>
    public IReadOnlyList<ProcTask> Tasks { get; }

    /// <summary>Paths of its cgroups in the v2 tree, parents first, without the root.</summary>
    public IReadOnlyList<string> Cgroups { get; }

    /// <summary>The TCP and UDP sockets of the processes whose descriptors could be read, by inode.</summary>
    public IReadOnlyList<ProcSocket> Sockets { get; }

    /// <summary>What could not be read; empty when all was.</summary>
    public IReadOnlyList<ProcGap> Gaps { get; }

    /// <summary>Reads a machine's tasks and cgroups, and what its processes have open.</summary>
    /// <param name="proc">Where its proc file system is: this machine's, or another's that was unpacked.</param>
    /// <param name="cgroup">Where its cgroup file system is.</param>
    /// <param name="files">Whether to read what processes have open, which takes a look at each descriptor. Those of
    /// other users' processes can be read with privileges only.</param>
    /// <exception cref="IOException">There is no proc file system there.</exception>
    public static ProcSnapshot Read(string proc = "/proc", string cgroup = "/sys/fs/cgroup", bool files = true)
    {
        ArgumentException.ThrowIfNullOrEmpty(proc);
        ArgumentException.ThrowIfNullOrEmpty(cgroup);
        return Read(new(), proc, cgroup, files);
    }

    /// <summary>
    /// Reads another machine's tasks, cgroups, files and sockets from an archive by <c>tar</c> of copies of its
    /// <c>/proc</c> and <c>/sys/fs/cgroup</c>, which are called <c>proc</c> and <c>cgroup</c> there.
    /// </summary>
    /// <param name="path">The archive, compressed by gzip or not; at most 1 GiB unpacked, which is in memory.</param>
    /// <exception cref="IOException">It cannot be read, or there is no proc file system in it.</exception>
    public static ProcSnapshot ReadArchive(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return Read(new(ProcArchive.Read(path)), "proc", "cgroup", files: true);
    }

    private static ProcSnapshot Read(ProcFiles reader, string proc, string cgroup, bool files)
    {
        var tasks = ReadTasks(proc, reader);
        if (tasks.Count == 0)
        {
            throw new IOException($"{proc} shows no task: it is no proc file system, or all of it is hidden");
        }

        if (tasks[0].Pid != 1)
        {
            reader.Miss("processes of others are hidden", proc);
        }

        var net = new ProcNet(proc, reader);
        if (files)
        {
            tasks = tasks.ConvertAll(t => t.IsLeader && !t.IsZombie ? ReadOpen(t, proc, reader, net) : t);
        }

        return new(ReadUptime(proc, reader), tasks, ReadCgroups(cgroup, reader), net.Sockets, reader.Gaps);
    }

    /// <summary>
    /// Makes its tasks, cgroups, files and sockets in a model, as ones that were there before: no tracepoint fires. Its
    /// clock is brought to <see cref="UptimeNs"/>, if it is not past that.
    /// </summary>
    /// <remarks>
    /// Each descriptor is a file of its own: <c>/proc</c> does not tell which share one, but of sockets.
    /// </remarks>
    /// <param name="kernel">The model, on a virtual clock. Its first task plays the machine's.</param>
    /// <returns>What could not be made, and why; empty when all was.</returns>
    /// <exception cref="InvalidOperationException">The model runs on a clock of the user's own.</exception>
    public IReadOnlyList<string> MakeIn(KernelModel kernel)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        var tasks = new ProcTasks(kernel);
        ProcMaker.Make(kernel, this, tasks);
        return tasks.TakeRefused();
    }

    /// <summary>How much there is.</summary>
    public override string ToString() =>
        $"{Tasks.Count(t => t.IsLeader)} processes of {Tasks.Count} threads, {Cgroups.Count} cgroups"
        + (Tasks.Sum(t => t.Files.Count) is > 0 and var open
            ? $", {open} descriptors, {Sockets.Count} TCP and UDP sockets" : "")
        + (Gaps.Count == 0 ? "" : $"; {string.Join("; ", Gaps)}");

    private static List<ProcTask> ReadTasks(string proc, ProcFiles files)
    {
        List<ProcTask> tasks = [];
        foreach (var tgid in files.Numbers(proc, "proc"))
        {
            foreach (var pid in files.Numbers($"{proc}/{tgid}/task", "threads"))
            {
                if (ReadTask($"{proc}/{tgid}/task/{pid}", pid, tgid, files) is { } task)
                {
                    tasks.Add(task);
                }
            }
        }

        // While it was read a number may have gone from one task to another: the younger has it.
        List<ProcTask> each = [.. tasks
            .OrderByDescending(t => t.StartTimeNs)
            .DistinctBy(t => t.Pid)
            .OrderBy(t => t.Pid)];
        foreach (var old in tasks.Except(each, ReferenceEqualityComparer.Instance).Cast<ProcTask>())
        {
            files.Miss("pid used again meanwhile", $"{proc}/{old.Tgid}/task/{old.Pid}");
        }

        // The picture of a process that ended meanwhile may have threads without their leader.
        var leaders = each.Where(t => t.IsLeader).Select(t => t.Pid).ToHashSet();
        foreach (var thread in each.Where(t => !leaders.Contains(t.Tgid)))
        {
            files.Miss("leader of a thread not readable", $"{proc}/{thread.Tgid}/task/{thread.Pid}");
        }

        return each.FindAll(t => leaders.Contains(t.Tgid));
    }

    // PID (COMM) STATE PPID ...: proc_pid_stat(5). The name may hold anything, so that the last parenthesis counts.
    private static ProcTask? ReadTask(string folder, int pid, int tgid, ProcFiles files)
    {
        if (files.Read($"{folder}/stat", "stat") is not { } stat)
        {
            return null;
        }

        var (open, close) = (stat.IndexOf('('), stat.LastIndexOf(')'));
        var words = stat[(close + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (open < 0 || close < open || words.Length < 20)
        {
            files.Miss("stat not understood", folder);
            return null;
        }

        var isKthread = (Number(words[6]) & Kthread) != 0;
        return new(pid, tgid, (int)Number(words[1]), NameOf(stat[(open + 1)..close], isKthread))
        {
            State = words[0][0],
            IsKthread = isKthread,
            UserTimeNs = Number(words[11]) * NsPerClockTick,
            SystemTimeNs = Number(words[12]) * NsPerClockTick,
            StartTimeNs = Number(words[19]) * NsPerClockTick,
            User = ReadUser(folder, files),
            CgroupPath = ReadCgroup(folder, files),
        };
    }

    // Of the kernel's threads /proc tells more than their name in the task has room for (kthread's full_name), and of
    // workers what they last worked at, behind a - or, while they do, a + (wq_worker_comm).
    private static string NameOf(string comm, bool isKthread)
    {
        const string Worker = "kworker/";
        if (!isKthread)
        {
            return comm;
        }

        var end = comm.StartsWith(Worker, StringComparison.Ordinal)
            ? comm.AsSpan(Worker.Length).IndexOfAny('-', '+') : -1;
        var bare = end < 0 ? comm : comm[..(Worker.Length + end)];
        return bare.Length <= CommMax ? bare : bare[..CommMax];
    }

    // Uid: REAL EFFECTIVE SAVED FS
    private static (uint Uid, uint Gid)? ReadUser(string folder, ProcFiles files)
    {
        var lines = files.Read($"{folder}/status", "status")?.Split('\n') ?? [];
        return First(lines, "Uid:") is { } uid && First(lines, "Gid:") is { } gid ? (uid, gid) : null;

        static uint? First(string[] lines, string key) =>
            lines.FirstOrDefault(l => l.StartsWith(key, StringComparison.Ordinal)) is { } line
                && uint.TryParse(line[key.Length..].Trim().Split('\t')[0], NumberStyles.None,
                    CultureInfo.InvariantCulture, out var number) ? number : null;
    }

    // Kernel threads have no files of their own.
    private static ProcTask ReadOpen(ProcTask task, string proc, ProcFiles files, ProcNet net)
    {
        if (task.IsKthread)
        {
            return task;
        }

        var open = files.Links($"{proc}/{task.Tgid}/fd", "descriptors");
        if (open.Any(f => f.SocketInode is not null))
        {
            net.ReadOf(task.Tgid);
        }

        return task with { Files = open };
    }

    // The v2 tree is the line 0::PATH. Paths with .. lead out of what this cgroup namespace shows.
    private static string? ReadCgroup(string folder, ProcFiles files)
    {
        var line = files.Read($"{folder}/cgroup", "cgroup")?.Split('\n')
            .FirstOrDefault(l => l.StartsWith("0::", StringComparison.Ordinal));
        if (line is null)
        {
            return null;
        }

        if (!line.Split('/').Contains(".."))
        {
            return line[3..];
        }

        files.Miss("cgroup outside of the namespace", folder);
        return null;
    }

    private static long ReadUptime(string proc, ProcFiles files)
    {
        var text = files.Read($"{proc}/uptime", "uptime")?.Split(' ')[0];
        var isRead = decimal.TryParse(
            text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var seconds);
        return isRead && seconds < 9_000_000_000 ? (long)(seconds * 1_000_000_000) : 0;
    }

    private static List<string> ReadCgroups(string root, ProcFiles files)
    {
        List<string> found = [];

        // Where both versions are mounted, the v2 tree is one folder down.
        var top = files.Tree.IsFile($"{root}/cgroup.controllers") ? root : $"{root}/unified";
        if (!files.Tree.IsFile($"{top}/cgroup.controllers"))
        {
            files.Miss("cgroups of v2 not mounted", root);
            return found;
        }

        var open = new Queue<(string Folder, string Path, int Depth)>([(top, "", 0)]);
        while (open.TryDequeue(out var at))
        {
            foreach (var child in files.Folders(at.Folder, "cgroup folder").Order(StringComparer.Ordinal))
            {
                var path = $"{at.Path}/{child}";
                found.Add(path);
                if (at.Depth + 1 < CgroupDepthMax)
                {
                    open.Enqueue(($"{at.Folder}/{child}", path, at.Depth + 1));
                }
            }
        }

        return found;
    }

    private static long Number(string word) =>
        long.TryParse(word, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
            && number is >= 0 and <= long.MaxValue / NsPerClockTick ? number : 0;
}
