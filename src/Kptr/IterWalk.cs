using Kptr.Kfuncs;
using Kptr.Maps;
using Kptr.Objects;

namespace Kptr;

/// <summary>
/// What iterator programs of each section go over: for every step the arguments behind <c>meta</c>, nulls at the end.
/// </summary>
/// <remarks>
/// The walk is over what was there when it began. Each object is pinned while its program runs; one that is gone by
/// then is left out. Kernel: kernel/bpf/task_iter.c, cgroup_iter.c, map_iter.c, 6.12.
/// </remarks>
internal static class IterWalk
{
    /// <summary>Calls <paramref name="run"/> for every step until it says that it is enough.</summary>
    /// <exception cref="NotSupportedException">The model cannot walk over that.</exception>
    /// <exception cref="ArgumentException">The options do not name what this walk needs, or what is another kernel's.
    /// </exception>
    internal static void Go(KernelModel kernel, string target, IterOptions options, Func<ulong[], bool> run)
    {
        RequireOwn(kernel, options);
        switch (target)
        {
            case "task":
                _ = Tasks(kernel, options).All(t => Pinned(t, () => run([t.Address]))) && run([0]);
                break;
            case "task_vma":
                _ = Leaders(kernel, options).All(t => Vmas(t, run)) && run([0, 0]);
                break;
            case "task_file":
                _ = Leaders(kernel, options).All(t => Files(t, run)) && run([0, 0, 0]);
                break;
            case "cgroup":
                _ = CgroupWalk.From(kernel, options.Cgroup ?? kernel.Cgroups.Root, (int)options.Order)
                    .ToList().All(c => Pinned(c, () => run([c.Address]))) && run([0]);
                break;
            case "bpf_map":
                _ = kernel.Ledger.Sources().OfType<BpfMap>().OrderBy(m => m.Id).All(m => run([m.Address])) && run([0]);
                break;
            case "bpf_map_elem":
                Elements(options.Map ?? throw new ArgumentException("the options name no map", nameof(options)), run);
                break;
            case "tcp" or "udp":
                _ = kernel.Sockets.All
                    .Where(s => s.IsTcp == (target == "tcp"))
                    .All(s => Pinned(s, () => run([s.Address, 0, 0]))) && run([0, 0, 0]);
                break;
            default:
                throw new NotSupportedException($"iter/{target}: the model has nothing to go over");
        }
    }

    private static void RequireOwn(KernelModel kernel, IterOptions options)
    {
        foreach (var named in new KernelObject?[] { options.Task, options.Cgroup }.OfType<KernelObject>())
        {
            kernel.CheckOwn(named, nameof(options));
        }

        if (options.Map is { } map && map.Core != kernel)
        {
            throw new ArgumentException($"{map} is another kernel's", nameof(options));
        }
    }

    private static List<TaskStruct> Tasks(KernelModel kernel, IterOptions options) =>
        [.. (options.Task is { } task ? kernel.Tasks.ThreadsOf(task) : kernel.Tasks.All).OrderBy(t => t.Pid)];

    private static List<TaskStruct> Leaders(KernelModel kernel, IterOptions options) =>
        options.Task is { } task ? [task] : [.. kernel.Tasks.All.Where(t => t.IsLeader).OrderBy(t => t.Pid)];

    private static bool Vmas(TaskStruct task, Func<ulong[], bool> run)
    {
        if (task.Mm is not { } mm || !mm.TryAcquireCount())
        {
            return true;
        }

        try
        {
            return Pinned(task, () => mm.VmasFrom(0).All(vma => run([task.Address, vma])));
        }
        finally
        {
            mm.ReleaseCount();
        }
    }

    // Threads that share their files with their leader are passed over, and here all do (task_seq_get_next).
    private static bool Files(TaskStruct task, Func<ulong[], bool> run) => task.Files is not { } files
        || Pinned(task, () => files.All.All(
            f => Pinned(f.File, () => run([task.Address, (ulong)f.Fd, f.File.Address]))));

    private static void Elements(BpfMap map, Func<ulong[], bool> run)
    {
        var goesOn = true;
        map.ForEachElem(
            (key, value) =>
            {
                goesOn = run([map.Address, key, value]);
                return goesOn ? 0ul : 1;
            },
            0, map.Core.CurrentCpu);
        _ = goesOn && run([map.Address, 0, 0]);
    }

    private static bool Pinned(KernelObject obj, Func<bool> run)
    {
        if (!obj.TryAcquireCount())
        {
            return true;
        }

        try
        {
            return run();
        }
        finally
        {
            obj.ReleaseCount();
        }
    }
}
