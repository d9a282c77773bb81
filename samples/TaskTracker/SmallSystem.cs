using Kptr;
using Kptr.Objects;

namespace TaskTracker;

/// <summary>A few tasks in two cgroups, each at another point of its life.</summary>
internal sealed record SmallSystem(TaskStruct Shell, TaskStruct Server, TaskStruct Worker, TaskStruct Backup)
{
    public IReadOnlyList<TaskStruct> Tasks => [Shell, Server, Worker, Backup];

    public static SmallSystem Boot(KernelModel kernel)
    {
        var (tasks, cgroups) = (kernel.Tasks, kernel.Cgroups);
        var web = cgroups.Create("web");
        var batch = cgroups.Create("batch");

        var shell = tasks.Fork(tasks.Init, "bash");
        var server = Start(kernel, shell, "nginx", web);
        var worker = Start(kernel, shell, "indexer", batch);
        var backup = Start(kernel, shell, "backup", batch);
        server.AddCpuTime(user: TimeSpan.FromMilliseconds(420), system: TimeSpan.FromMilliseconds(80));
        worker.AddCpuTime(user: TimeSpan.FromMilliseconds(1300), system: TimeSpan.FromMilliseconds(45));
        backup.AddCpuTime(user: TimeSpan.FromMilliseconds(15), system: TimeSpan.FromMilliseconds(230));

        tasks.Exit(worker);
        tasks.Exit(backup);
        tasks.Reap(backup);
        return new(shell, server, worker, backup);
    }

    private static TaskStruct Start(KernelModel kernel, TaskStruct parent, string comm, Cgroup cgroup)
    {
        var task = kernel.Tasks.Fork(parent);
        kernel.Cgroups.Attach(cgroup, task);
        kernel.Tasks.Exec(task, comm);
        return task;
    }
}
