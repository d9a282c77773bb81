using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;
using static Kptr.Tests.Maps.PlainModel;

namespace Kptr.Tests.Maps;

/// <summary>Arrays of things, bloom filters and maps that stay empty, against the plainest of the kind.</summary>
public class PlainArrayModelTests
{
    [Fact]
    public void CgroupArray()
    {
        using var core = MapKernel.Boot();
        var map = (CgroupArrayMap)MapFactory.Create(
            core, new("c", BpfMapType.CgroupArray) { KeySize = 4, ValueSize = 4, MaxEntries = 3 });
        var groups = Enumerable.Range(0, 2).Select(i => core.Cgroups.Create($"g{i}")).ToList();
        var counts = groups.Select(g => g.Count.Value).ToList();
        var plain = new Cgroup?[3];
        var random = new Random(7);
        for (var step = 0; step < Steps / 4; step++)
        {
            var (index, group) = (random.Next(4), groups[random.Next(2)]);
            var key = BitConverter.GetBytes(index);
            if (random.Next(2) == 0)
            {
                var (flags, isKnown) = ((MapUpdateFlags)(random.Next(4) / 3), random.Next(4) > 0);
                var expected = flags != MapUpdateFlags.Any ? Errno.EINVAL
                    : index >= 3 ? Errno.E2BIG : isKnown ? Errno.None : Errno.EBADF;
                Same(map.UpdateElem(key, BitConverter.GetBytes(isKnown ? (int)group.Id : 99), flags), expected);
                plain[index % 3] = expected == Errno.None ? group : plain[index % 3];
            }
            else
            {
                Same(map.DeleteElem(key), index >= 3 ? Errno.E2BIG : plain[index] is null ? Errno.ENOENT : Errno.None);
                plain[index % 3] = index < 3 ? null : plain[0];
            }

            Assert.Equal(index < 3 ? plain[index] : null, map.Lookup((uint)index));
            Assert.Equal(
                groups.Select((g, i) => counts[i] + plain.Count(p => p == g)), groups.Select(g => g.Count.Value));
        }

        map.LookupElem(new byte[4], new byte[4]).Should().Be(Errno.ENOTSUPP);
        map.ProgUpdate(new byte[4], BitConverter.GetBytes((int)groups[0].Id), MapUpdateFlags.Any, 0)
            .Should().Be(Errno.EINVAL);
        map.UpdateElem(new byte[4], BitConverter.GetBytes((int)groups[0].Id)).Should().Be(Errno.None);
        map.FreeNow();
        groups.Select(g => g.Count.Value).Should().Equal(counts);
    }

    [Fact]
    public void ProgArray()
    {
        using var core = MapKernel.Boot();
        using var map = new ProgArrayMap(
            core, new("p", BpfMapType.ProgArray) { KeySize = 4, ValueSize = 4, MaxEntries = 3 },
            program => ((string)program).Length);
        using var other = new ProgArrayMap(core, map.Spec);
        foreach (var (array, id) in new[] { (map, 4), (other, 0) })
        {
            var value = new byte[4];
            array.Set(1, "four").Should().Be(Errno.None);
            array.LookupElem(BitConverter.GetBytes(1), value).Should().Be(Errno.None);
            BitConverter.ToInt32(value).Should().Be(id);
            array.LookupElem(BitConverter.GetBytes(0), value).Should().Be(Errno.ENOENT);
            array.LookupElem(BitConverter.GetBytes(3), value).Should().Be(Errno.ENOENT);
            array.ProgDelete(BitConverter.GetBytes(1), 0).Should().Be(Errno.EINVAL);
            array.DeleteElem(BitConverter.GetBytes(1)).Should().Be(Errno.None);
            array.DeleteElem(BitConverter.GetBytes(1)).Should().Be(Errno.ENOENT);
            array.TargetAt(1).Should().BeNull();
            IsArrayOfThings(array);
        }
    }

    [Fact]
    public void MapsThatStayEmpty()
    {
        using var core = MapKernel.Boot();
        using var stacks = MapFactory.Create(core, new("s", BpfMapType.StackTrace)
        {
            KeySize = 4, ValueSize = 8, MaxEntries = 5,
        });
        stacks.DeleteElem(BitConverter.GetBytes(7)).Should().Be(Errno.ENOENT, "it has eight buckets");
        stacks.DeleteElem(BitConverter.GetBytes(8)).Should().Be(Errno.E2BIG);
        stacks.GetNextKey([], new byte[4]).Should().Be(Errno.ENOENT);
        HasNoKeys(stacks, Errno.EINVAL);
        foreach (var size in new[] { 4, 8 })
        {
            using var socks = MapFactory.Create(core, new("r", BpfMapType.ReuseportSockarray)
            {
                KeySize = 4, ValueSize = size, MaxEntries = 3,
            });
            var value = new byte[size];
            socks.LookupElem(new byte[4], value).Should().Be(size == 8 ? Errno.ENOENT : Errno.ENOSPC);
            socks.UpdateElem(new byte[4], value, MapUpdateFlags.Exist).Should().Be(Errno.EBADF);
            socks.UpdateElem(new byte[4], value, (MapUpdateFlags)3).Should().Be(Errno.EINVAL);
            socks.UpdateElem(BitConverter.GetBytes(3), value).Should().Be(Errno.E2BIG);
            socks.ProgUpdate(new byte[4], value, MapUpdateFlags.Any, 0).Should().Be(Errno.EINVAL);
            value.AsSpan(0, 4).Fill(0xff);
            value[3] = 0x7f;
            socks.UpdateElem(new byte[4], value).Should().Be(Errno.EBADF);
            value[3] = 0x80;
            socks.UpdateElem(new byte[4], value).Should().Be(size == 8 ? Errno.EINVAL : Errno.EBADF, "no descriptor");
            NextIs(socks, new byte[4], [0, 1, 2]);
        }
    }

    [Theory]
    [InlineData(1, 0, 64)]
    [InlineData(1000, 0, 8192)]
    [InlineData(1000, 3, 8192)]
    [InlineData(1000, 1, 2048)]
    [InlineData(1000, 15, 32768)]
    public void BloomFilter(uint entries, ulong hashes, long bits)
    {
        using var core = MapKernel.Boot();
        using var map = MapFactory.Create(
            core, new("b", BpfMapType.BloomFilter) { ValueSize = 8, MaxEntries = entries, MapExtra = hashes });
        var value = new byte[8];
        map.LookupElem([], value).Should().Be(Errno.ENOENT);
        map.UpdateElem([], value).Should().Be(Errno.None);
        map.LookupElem([], value).Should().Be(Errno.None);
        map.ProgPush(value, MapUpdateFlags.Exist).Should().Be(Errno.EINVAL);
        map.ProgPop(value).Should().Be(Errno.EOPNOTSUPP);
        map.DeleteElem([]).Should().Be(Errno.EOPNOTSUPP);
        map.GetNextKey([], []).Should().Be(Errno.EOPNOTSUPP);
        BloomFilterMap.BytesOf(map.Spec).Should().Be(bits / 8);
        HasNoKeys(map, Errno.EINVAL);

        // Each byte of a value counts.
        var seen = Enumerable.Range(0, 8 * 255).Count(i =>
        {
            var other = new byte[8];
            other[i / 255] = (byte)((i % 255) + 1);
            return map.ProgPeek(other) == Errno.None;
        });
        seen.Should().BeLessThan(400);
    }
}
