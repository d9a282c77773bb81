using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Specs;

namespace Kptr.Tests.Maps;

/// <summary>
/// Maps stop the task work of values that end. No program can start any yet, so that the conformance of map types
/// cannot see it; what it sees of timers and work queues is the same code.
/// </summary>
public class TaskWorkTests
{
    private const int Capacity = 4;

    public static TheoryData<BpfMapType, string, int> Ends => new()
    {
        { BpfMapType.Array, "update", 1 },
        { BpfMapType.Array, "look up", 0 },
        { BpfMapType.Array, "last user", Capacity },
        { BpfMapType.Hash, "update", 1 },
        { BpfMapType.Hash, "delete", 1 },
        { BpfMapType.Hash, "take", 1 },
        { BpfMapType.Hash, "look up", 0 },
        { BpfMapType.LruHash, "update", 1 },
        { BpfMapType.LruHash, "delete", 1 },
        { BpfMapType.LruHash, "take", 1 },
        { BpfMapType.Rhash, "update", 1 },
        { BpfMapType.Rhash, "delete", 1 },
        { BpfMapType.Rhash, "take", 1 },
    };

    [Theory, MemberData(nameof(Ends))]
    public void End_StopsTheWorkOfItsValue(BpfMapType type, string how, int stopped)
    {
        using var core = MapKernel.Boot(DestroyBehavior.Recycle);
        var map = MapFactory.Create(core, new("worked", type)
        {
            KeySize = sizeof(int), ValueSize = 16, MaxEntries = Capacity,
            Flags = type == BpfMapType.Rhash ? MapFlags.NoPrealloc : MapFlags.None,
            Record = new([new(BtfFieldKind.TaskWork, "work", 8, 8)]),
        });
        var key = BitConverter.GetBytes(1);
        map.UpdateElem(key, new byte[16]).Should().Be(Errno.None);
        var counter = new Counter();
        map.AsyncFields = counter;
        switch (how)
        {
            case "update":
                map.UpdateElem(key, new byte[16]).Should().Be(Errno.None);
                break;
            case "delete":
                map.DeleteElem(key).Should().Be(Errno.None);
                break;
            case "take":
                map.LookupAndDeleteElem(key, new byte[16]).Should().Be(Errno.None);
                break;
            case "last user":
                map.Hold();
                map.Dispose();
                map.Put();
                break;
            default:
                map.LookupElem(key, new byte[16]).Should().Be(Errno.None);
                break;
        }

        counter.Stopped.Should().Be(stopped);
        map.Dispose();
        core.Quiesce();
        map.IsFreed.Should().BeTrue();
    }

    private sealed class Counter : IAsyncFields
    {
        internal int Stopped { get; private set; }

        public IDisposable? Cancel(BpfMap map, BtfField field, ulong address)
        {
            Stopped++;
            return null;
        }
    }
}
