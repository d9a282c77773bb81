using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Testing.Cells;

/// <summary>An owner of local storage, and how it ends.</summary>
internal sealed class CellOwner
{
    private readonly Action _end;
    private bool _hasEnded;

    internal CellOwner(KernelCore kernel, BpfMapType type, int number)
    {
        switch (type)
        {
            case BpfMapType.TaskStorage:
                var task = kernel.Tasks.Fork(kernel.Tasks.Init, $"owner {number}");
                (Object, Key) = (task, task.Pid);
                _end = () =>
                {
                    kernel.Tasks.Exit(task);
                    kernel.Tasks.Reap(task);
                };
                break;
            case BpfMapType.CgrpStorage:
                var group = kernel.Cgroups.Create($"owner {kernel.Single(static _ => new Counter()).Next()}");
                (Object, Key) = (group, (int)group.Id);
                _end = () => kernel.Cgroups.Remove(group);
                break;
            case BpfMapType.SkStorage:
                var sock = new Sock(kernel, new(1, (ushort)(1000 + number), 2, 80, 6));
                (Object, Key) = (sock, (int)sock.Address);
                _end = sock.Close;
                break;
            default:
                var file = new KernelFile(kernel, $"/owner/{number}");
                (Object, Key) = (file, (int)file.Address);
                _end = file.Close;
                break;
        }
    }

    /// <summary>What user space calls it.</summary>
    internal int Key { get; }

    internal KernelObject Object { get; }

    internal void End()
    {
        if (!_hasEnded)
        {
            _hasEnded = true;
            _end();
        }
    }

    /// <summary>Names of cgroups, which are siblings.</summary>
    private sealed class Counter
    {
        private int _last;

        internal int Next() => Interlocked.Increment(ref _last);
    }
}
