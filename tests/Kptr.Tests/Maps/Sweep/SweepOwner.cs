using Kptr.Objects;
using Kptr.Tests.Objects;

namespace Kptr.Tests.Maps;

/// <summary>An owner of local storage, and how it ends.</summary>
internal sealed class SweepOwner
{
    private readonly KernelObject _obj;
    private readonly Action _end;
    private bool _hasEnded;

    internal SweepOwner(KernelCore core, SweepMap map, int number)
    {
        switch (map)
        {
            case SweepMap.TaskStorage:
                var task = core.Tasks.Fork(core.Tasks.Init);
                (_obj, Key) = (task, task.Pid);
                _end = () =>
                {
                    core.Tasks.Exit(task);
                    core.Tasks.Reap(task);
                };
                break;
            case SweepMap.CgrpStorage:
                var group = core.Cgroups.Create(core.Cgroups.Root, $"g{number}");
                (_obj, Key) = (group, (int)group.Id);
                _end = () => core.Cgroups.Remove(group);
                break;
            case SweepMap.SkStorage:
                var sock = new Sock(core, new(1, (ushort)number, 2, 80, 6));
                (_obj, Key) = (sock, (int)sock.Address);
                _end = sock.Close;
                break;
            default:
                var inode = new Widget(core);
                (_obj, Key) = (inode, (int)inode.Address);
                _end = () => KernelRef.Own(inode).Release();
                break;
        }
    }

    /// <summary>What user space calls it.</summary>
    internal int Key { get; }

    internal KernelObject Object => _obj;

    internal void End()
    {
        if (!_hasEnded)
        {
            _hasEnded = true;
            _end();
        }
    }
}
