using Kptr.Objects;

namespace Kptr.Tracing.Proc;

/// <summary>Opens in a model what processes of a machine have open.</summary>
/// <param name="kernel">The model.</param>
/// <param name="sockets">The sockets whose addresses are known.</param>
/// <param name="refused">Takes why something could not be opened.</param>
internal sealed class ProcOpenFiles(KernelModel kernel, IReadOnlyList<ProcSocket> sockets, List<string> refused)
{
    private readonly Dictionary<ulong, FlowTuple> _tuples = sockets.ToDictionary(s => s.Inode, s => s.Tuple);

    // A socket has one file, however many descriptors.
    private readonly Dictionary<ulong, KernelFile> _ofSockets = [];

    /// <summary>Opens the descriptors of one process.</summary>
    internal void Open(TaskStruct task, FilesStruct table, IReadOnlyList<ProcFile> files)
    {
        foreach (var file in files)
        {
            try
            {
                if (file.SocketInode is { } inode)
                {
                    table.Open(SocketFile(task, inode, file.Target), file.Fd);
                }
                else
                {
                    var opened = new KernelFile(kernel, file.Target);
                    table.Open(opened, file.Fd);
                    opened.Close();
                }
            }
            catch (Exception error) when (error is InvalidOperationException or ArgumentException)
            {
                refused.Add($"descriptor {file.Fd} of pid {task.Pid}: {error.Message}");
            }
        }
    }

    /// <summary>From here on the descriptors alone keep the sockets' files.</summary>
    internal void CloseOwn()
    {
        foreach (var file in _ofSockets.Values)
        {
            file.Close();
        }
    }

    // Of sockets that are not TCP's or UDP's only the file is made.
    private KernelFile SocketFile(TaskStruct task, ulong inode, string target)
    {
        if (_ofSockets.TryGetValue(inode, out var known))
        {
            return known;
        }

        if (!_tuples.TryGetValue(inode, out var tuple))
        {
            return _ofSockets[inode] = new(kernel, target);
        }

        Sock socket;
        using (kernel.Tasks.Run(task))
        {
            socket = new(kernel, tuple);
        }

        try
        {
            kernel.Sockets.Add(socket);
        }
        catch (InvalidOperationException)
        {
            // Several may share an address (SO_REUSEPORT), or be of another namespace: packets find the first.
        }

        return _ofSockets[inode] = new(kernel, socket);
    }
}
