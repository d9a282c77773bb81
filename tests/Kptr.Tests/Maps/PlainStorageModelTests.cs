using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Tests.Objects;
using static Kptr.Tests.Maps.PlainModel;

namespace Kptr.Tests.Maps;

/// <summary>Storage of tasks and cgroups at random, against a plain dictionary; owners come and go.</summary>
public class PlainStorageModelTests
{
    [Theory]
    [InlineData(BpfMapType.TaskStorage, DestroyBehavior.Eager)]
    [InlineData(BpfMapType.TaskStorage, DestroyBehavior.Recycle)]
    [InlineData(BpfMapType.CgrpStorage, DestroyBehavior.Eager)]
    public unsafe void Storage(BpfMapType type, DestroyBehavior behavior)
    {
        using var core = MapKernel.Boot(behavior);
        using var map = (LocalStorageMap)MapFactory.Create(
            core, new("s", type) { KeySize = 4, ValueSize = 12, Flags = MapFlags.NoPrealloc });
        var plain = new Dictionary<KernelObject, byte[]>(ReferenceEqualityComparer.Instance);
        var owners = Enumerable.Range(0, 4).Select(i => New(core, type, i)).ToList();
        var random = new Random(1);
        for (var step = 0; step < Steps; step++)
        {
            var at = random.Next(owners.Count);
            var owner = owners[at];
            var key = BitConverter.GetBytes(owner is TaskStruct task ? task.Pid : (int)((Cgroup)owner).Id);
            var value = new byte[12];
            random.NextBytes(value);
            var exists = plain.TryGetValue(owner, out var known);
            switch (random.Next(7))
            {
                case 0 or 1:
                    var flags = (MapUpdateFlags)random.Next(6);
                    var expected = flags > MapUpdateFlags.Exist ? Errno.EINVAL : Existence(exists, flags, Errno.None);
                    Same(random.Next(2) == 0 ? map.Update(owner, value, flags) : map.UpdateElem(key, value, flags),
                        expected);
                    if (expected == Errno.None)
                    {
                        plain[owner] = value;
                    }

                    break;
                case 2:
                    var create = random.Next(2) == 0;
                    var initial = random.Next(2) == 0 ? [] : value;
                    var got = map.Get(owner, initial, create);
                    Assert.Equal(exists || create, got != 0);
                    if (got != 0)
                    {
                        plain[owner] = known ?? (initial.Length == 0 ? new byte[12] : value);
                        Assert.Equal(plain[owner], new Span<byte>((void*)got, 12).ToArray());
                        value.CopyTo(new Span<byte>((void*)got, 12));
                        plain[owner] = value;
                    }

                    break;
                case 3:
                    Same(random.Next(2) == 0 ? map.Delete(owner) : map.DeleteElem(key),
                        exists ? Errno.None : Errno.ENOENT);
                    plain.Remove(owner);
                    break;
                case 4:
                    Same(map.LookupElem(key, value), exists ? Errno.None : Errno.ENOENT);
                    Assert.True(!exists || known.AsSpan().SequenceEqual(value));
                    break;
                case 5 when random.Next(4) == 0:
                    End(core, owner);
                    plain.Remove(owner);
                    core.Quiesce();
                    var gone = owner is Cgroup ? Errno.ENOENT : Errno.EBADF;
                    Same(map.LookupElem(key, value), gone);
                    Same(map.UpdateElem(key, value), gone);
                    Same(map.DeleteElem(key), gone);
                    owners[at] = New(core, type, step + 4);
                    break;
            }

            if (random.Next(4) == 0)
            {
                core.Quiesce(); // memory of values that went comes back
            }

            Assert.Equal(plain.Count, map.Count);
            Assert.Equal(plain.Count, map.TakeCensus().Live);
        }

        Same(map.UpdateElem(BitConverter.GetBytes(99_999), new byte[12]), Errno.EBADF);
        Same(map.UpdateElem(BitConverter.GetBytes(-1), new byte[12]), Errno.EBADF);
        map.Invoking(m => m.Update(owners[0], new byte[11])).Should().Throw<ArgumentException>()
            .WithMessage("*values of 12 bytes, not 11*");
        Same(map.Update(owners[0], new byte[20]), Errno.None);
        map.Invoking(m => m.Update(null!, [])).Should().Throw<ArgumentNullException>();
        map.Invoking(m => m.Get(null!)).Should().Throw<ArgumentNullException>();
        map.Invoking(m => m.Delete(null!)).Should().Throw<ArgumentNullException>().WithParameterName("owner");
        var widget = new Widget(core);
        map.Invoking(m => m.Update(widget, [])).Should().Throw<ArgumentException>().WithMessage("*cannot own a value*");
        KernelRef.Own(widget).Release();
        using var other = MapKernel.Boot(behavior);
        map.Invoking(m => m.Update(New(other, type, 0), [])).Should().Throw<ArgumentException>();
        Same(map.Update(owners[0], value: []), Errno.None);
        map.FreeNow();
        map.Count.Should().Be(0);
        core.Ledger.AssertNoLeaks();
    }

    [Fact]
    public void StructOps_IsRegisteredOnce_ByUserSpace()
    {
        using var core = MapKernel.Boot();
        using var map = (StructOpsMap)MapFactory.Create(core, new("o", BpfMapType.StructOps)
        {
            KeySize = 4, ValueSize = 12, MaxEntries = 1, InitialValue = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
            StructOps = new("ops", []),
        });
        var (key, value) = (new byte[4], new byte[12]);
        Same(map.LookupElem(key, value), Errno.None);
        value.Should().Equal(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
        Same(map.LookupElem([1, 0, 0, 0], value), Errno.ENOENT);
        map.TakeCensus().Should().Be(new MapCensus(1, 1, 0));
        map.ProgLookup(key, 0).Should().Be(0);
        Same(map.ProgUpdate(key, new byte[12], MapUpdateFlags.Any, 0), Errno.EINVAL);
        Same(map.ProgDelete(key, 0), Errno.EINVAL);
        Same(map.DeleteElem(key), Errno.ENOENT);
        Same(map.UpdateElem([1, 0, 0, 0], value), Errno.E2BIG);
        Same(map.UpdateElem(key, value, MapUpdateFlags.Exist), Errno.EINVAL);
        map.IsRegistered.Should().BeFalse();

        Same(map.UpdateElem(key, new byte[12]), Errno.None);

        map.IsRegistered.Should().BeTrue();
        Same(map.UpdateElem(key, value), Errno.EBUSY);
        Same(map.LookupElem(key, value), Errno.None);
        value.Should().OnlyContain(b => b == 0);
        Same(map.DeleteElem(key), Errno.None);
        map.IsRegistered.Should().BeFalse();
        NextIs(map, BitConverter.GetBytes(5), [0]);
        NextIs(map, BitConverter.GetBytes(0), [0]);
    }

    private static KernelObject New(KernelCore core, BpfMapType type, int i) => type == BpfMapType.TaskStorage
        ? core.Tasks.Fork(core.Tasks.Init) : core.Cgroups.Create($"c{i}");

    private static void End(KernelCore core, KernelObject owner)
    {
        if (owner is TaskStruct task)
        {
            core.Tasks.Exit(task);
            core.Tasks.Reap(task);
        }
        else
        {
            Same(core.Cgroups.Remove((Cgroup)owner), Errno.None);
        }
    }
}
