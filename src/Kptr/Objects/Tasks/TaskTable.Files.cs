using Kptr.Diagnostics;

namespace Kptr.Objects;

// Kernel: do_sys_openat2 and do_dentry_open (fs/open.c, 6.12).
public sealed partial class TaskTable
{
    /// <summary>A task opens a file, once the LSM hook <c>file_open</c> lets it.</summary>
    /// <param name="task">Who opens it, alive and no kernel thread.</param>
    /// <param name="path">Its path, at most 4095 characters. There is no file system: any is there.</param>
    /// <param name="fd">The lowest descriptor that was free; -1 where it is refused.</param>
    /// <returns>What the first LSM program says that refuses.</returns>
    /// <exception cref="ArgumentException">The path is longer.</exception>
    /// <exception cref="InvalidOperationException">The task is not alive or has no files, or all its descriptors are
    /// open.</exception>
    public Errno Open(TaskStruct task, string path, out int fd)
    {
        _core.CheckOwn(task);
        fd = -1;
        var file = new KernelFile(_core, path);
        FilesStruct? files = null;
        try
        {
            files = FilesOf(task) ?? throw new InvalidOperationException($"{task} has no files");
            using (Run(task))
            {
                if (_core.CallHook("file_open", file.Address) is not 0 and var refusal)
                {
                    return (Errno)refusal;
                }
            }

            fd = files.Open(file);
            return Errno.None;
        }
        finally
        {
            files?.ReleaseCount();
            file.Close();
        }
    }

    // With a count of its own, so that the table outlives a task that exits meanwhile.
    private FilesStruct? FilesOf(TaskStruct task)
    {
        using (_core.HoldFaults())
        using (_lock.Enter())
        {
            RequireAlive(task);
            return task.Files?.ShareLocked();
        }
    }
}
