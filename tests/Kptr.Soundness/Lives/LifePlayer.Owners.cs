using System.Buffers.Binary;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Soundness.Lives;

// What stands beside the map: owners of storages, inner maps, the user's end of a ring.
internal sealed partial class LifePlayer
{
    // A pid, and a cgroup's id, that nobody has.
    private const ulong Nobody = 0x3fffff;

    private sealed partial class One
    {
        private readonly Dictionary<ulong, KernelObject> _owners = [];
        private int _ownersMade;
        private BpfMap? _last;

        private ulong OwnerId(ulong key) => _owners.GetValueOrDefault(key) switch
        {
            TaskStruct task => (ulong)task.Pid,
            Cgroup cgroup => cgroup.Id,
            _ => Nobody,
        };

        private string GoTo(int cpu)
        {
            kernel.CurrentCpu = cpu;
            return Words(Errno.None);
        }

        private string Own(char step, ulong key)
        {
            switch (step)
            {
                case 'O' when map.Type == BpfMapType.CgrpStorage:
                    _owners[key] = kernel.Cgroups.Create($"owner{_ownersMade++}");
                    break;
                case 'O':
                    _owners[key] = kernel.Tasks.Fork(me);
                    break;
                case 'K' when _owners[key] is Cgroup cgroup:
                    return Words(kernel.Cgroups.Remove(cgroup));
                case 'K':
                    kernel.Tasks.Exit((TaskStruct)_owners[key]);
                    break;
                default:
                    ForgetOwner(key);
                    break;
            }

            return Words(Errno.None);
        }

        // A cgroup's id goes on to be one that was a cgroup's.
        private void ForgetOwner(ulong key)
        {
            if (_owners.GetValueOrDefault(key) is TaskStruct task)
            {
                _owners.Remove(key);
                kernel.Tasks.Reap(task);
            }
        }

        private void ForgetOwners()
        {
            foreach (var (key, owner) in _owners.ToList())
            {
                if (owner is TaskStruct { Phase: TaskPhase.Alive } or Cgroup { IsOnline: true })
                {
                    Own('K', key);
                }

                ForgetOwner(key);
            }
        }

        // Whoever makes an inner map lets go of it when the next one is made.
        private string PutInner(LifeStep step)
        {
            if (step.Kind != 'A')
            {
                _last?.Dispose();
                _last = step.Kind == 'N' ? MapFactory.Create(kernel, map.Spec.InnerMap!) : null;
            }

            var value = new byte[sizeof(int)];
            BinaryPrimitives.WriteInt32LittleEndian(value, _last?.Id ?? 0);
            return Words(step.Kind == 'Q' ? Errno.None : map.UpdateElem(Key(step), value, step.Flags(1)));
        }

        private string ReadRing(int count)
        {
            var records = new List<object>();
            while (count-- > 0 && ((RingBufMap)map).TryRead(out var record))
            {
                records.Add(Convert.ToHexStringLower(record));
            }

            return Words(Errno.None, [.. records]);
        }
    }
}
