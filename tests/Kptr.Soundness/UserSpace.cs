using System.Runtime.CompilerServices;
using Kptr.Btf;
using Kptr.Kfuncs;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Soundness;

/// <summary>What else touches a program's maps: fills them before a run, changes them while it goes on.</summary>
internal sealed class UserSpace(KernelModel kernel, IReadOnlyList<BpfMap> maps, Random random)
{
    private const int KeysPerMap = 4;
    private const int PacketBytesMin = 14;
    private const int PacketBytesMax = 200;
    private readonly List<TaskStruct> _tasks = [
        .. Enumerable.Range(0, 3).Select(i => kernel.Tasks.Fork(kernel.Tasks.Init, $"t{i}")),
    ];

    private readonly List<Sock> _socks = [
        new(kernel, new(0x7f000001, 80, 0x7f000001, 4000, 6)), new(kernel, new(0x7f000001, 81, 0, 0, 6)),
        new(kernel, new(0x7f000001, 53, 0x7f000001, 4001, 17)),
    ];

    private readonly KernelFile _file = new(kernel, "/usr/bin/true");

    /// <summary>Some task or other that is alive.</summary>
    internal TaskStruct AnyTask()
    {
        var at = random.Next(_tasks.Count);
        if (_tasks[at].Phase != TaskPhase.Alive)
        {
            // A signal of the program's own has ended it.
            _tasks[at] = kernel.Tasks.Fork(kernel.Tasks.Init, $"t{at}");
        }

        return _tasks[at];
    }

    /// <summary>Some socket or other, of TCP where that is asked for.</summary>
    internal Sock AnySock(bool isTcp) => _socks[isTcp ? random.Next(2) : random.Next(_socks.Count)];

    /// <summary>The cgroup of the tasks.</summary>
    internal Cgroup AnyCgroup() => kernel.Cgroups.Root;

    /// <summary>Some map of the program; null where it has none.</summary>
    internal BpfMap? AnyMap() => maps.Count == 0 ? null : maps[random.Next(maps.Count)];

    /// <summary>A map whose elements a program can go over; null where it has none.</summary>
    internal BpfMap? MapToWalk(BpfProgram program) => maps.FirstOrDefault(m =>
        m.Type is BpfMapType.Hash or BpfMapType.Array or BpfMapType.LruHash or BpfMapType.PercpuHash
            or BpfMapType.PercpuArray
        && program.FitsElementsOf(m));

    /// <summary>An open file.</summary>
    internal KernelFile AnyFile() => _file;

    /// <summary>Some parameter of the kernel, read or written.</summary>
    internal SysctlInput AnySysctl() => new(
        random.Next(2) == 0 ? "net/ipv4/tcp_mem" : "kernel/ostype", random.Next(2) == 0 ? "10 20 30\n" : "Linux\n")
    {
        NewValue = random.Next(2) == 0 ? null : random.Next(3) == 0 ? "" : $"{Words.Any(random)}\n",
    };

    /// <summary>Puts random elements into all maps, kptrs to tasks among them.</summary>
    internal void Fill()
    {
        foreach (var map in maps.Where(m => m.KeySize > 0))
        {
            for (var i = 0; i < KeysPerMap; i++)
            {
                var key = AnyKey(map);
                map.UpdateElem(key, AnyValue(map));
                PutTasks(map, key);
            }
        }
    }

    /// <summary>One change to one map, or none.</summary>
    internal void Disturb()
    {
        if (maps.Count == 0)
        {
            return;
        }

        var map = maps[random.Next(maps.Count)];
        if (map.KeySize == 0)
        {
            return;
        }

        var key = AnyKey(map);
        switch (random.Next(4))
        {
            case 0:
                map.UpdateElem(key, AnyValue(map));
                break;
            case 1:
                map.LookupElem(key, new byte[map.UserValueSize]);
                break;
            case 2:
                PutTasks(map, key);
                break;
            default:
                map.DeleteElem(key);
                break;
        }
    }

    /// <summary>Random bytes: small numbers, bit patterns at the edges, or noise.</summary>
    internal byte[] AnyBytes(int size)
    {
        var bytes = new byte[size];
        switch (random.Next(4))
        {
            case 0:
                break;
            case 1:
                Array.Fill(bytes, (byte)0xff);
                break;
            default:
                random.NextBytes(bytes);
                break;
        }

        for (var i = 0; i + 8 <= size; i += 8)
        {
            if (random.Next(3) == 0)
            {
                BitConverter.TryWriteBytes(bytes.AsSpan(i), Words.Any(random));
            }
        }

        return bytes;
    }

    /// <summary>An Ethernet frame of random length, of IPv4, IPv6 or noise.</summary>
    internal byte[] AnyPacket()
    {
        var packet = AnyBytes(random.Next(PacketBytesMin, PacketBytesMax));
        var type = random.Next(3) switch { 0 => (byte)0x08, 1 => (byte)0x86, _ => packet[12] };
        (packet[12], packet[13]) = (type, type == 0x86 ? (byte)0xdd : (byte)0);
        return packet;
    }

    private byte[] AnyKey(BpfMap map)
    {
        var key = new byte[map.KeySize];
        key[0] = (byte)random.Next(KeysPerMap);
        return key;
    }

    private byte[] AnyValue(BpfMap map) => AnyBytes(map.UserValueSize);

    private unsafe void PutTasks(BpfMap map, byte[] key)
    {
        foreach (var field in map.Record.Fields.Where(
            f => f.Kind == BtfFieldKind.KptrRef && f.Pointee.Name == "task_struct"))
        {
            using var reader = kernel.Rcu.ReadLock();
            var value = map.ProgLookup(key, 0);
            if (value != 0)
            {
                var slot = (void*)(value + (ulong)field.OffsetBytes);
                Unsafe.AsRef<Kptr<TaskStruct>>(slot).Exchange(TaskKfuncs.TaskAcquire(AnyTask()))?.Release();
            }
        }
    }
}
