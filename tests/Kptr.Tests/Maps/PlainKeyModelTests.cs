using System.Buffers.Binary;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;
using static Kptr.Tests.Maps.PlainModel;

namespace Kptr.Tests.Maps;

/// <summary>Tries, socket and redirect maps, at random, against the plainest dictionary that does the same.</summary>
public class PlainKeyModelTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void LpmTrie(int bytes)
    {
        using var core = MapKernel.Boot(cpuCount: 1);
        using var map = (LpmTrieMap)MapFactory.Create(core, new("t", BpfMapType.LpmTrie)
        {
            KeySize = 4 + bytes, ValueSize = 4, MaxEntries = 20, Flags = MapFlags.NoPrealloc,
        });

        // By its bits, as a text: a prefix in the plain sense, the longer of two before the one that it begins with.
        var plain = new SortedDictionary<string, (byte[] Key, int Value)>(
            Comparer<string>.Create((a, b) => string.CompareOrdinal(a + "2", b + "2")));
        var random = new Random(bytes);
        for (var step = 0; step < Steps; step++)
        {
            var key = new byte[4 + bytes];
            random.NextBytes(key);
            key.AsSpan(4).Replace((byte)(key[4] | 0x3f), (byte)0x3f);
            key[4] &= 0xc7;
            var length = random.Next(40) == 0 ? (bytes * 8) + 1 : random.Next((bytes * 8) + 1);
            BinaryPrimitives.WriteInt32LittleEndian(key, length);
            var isKey = length <= bytes * 8;
            var bits = string.Concat(key.Skip(4).Select(b => $"{b:b8}"))[..(isKey ? length : bytes * 8)];
            switch (random.Next(4))
            {
                case 0:
                    var flags = (MapUpdateFlags)random.Next(4);
                    var expected = !isKey || flags > MapUpdateFlags.Exist ? Errno.EINVAL
                        : Existence(plain.ContainsKey(bits), flags, plain.Count == 20 ? Errno.ENOSPC : Errno.None);
                    Same(map.ProgUpdate(key, BitConverter.GetBytes(step), flags, 0), expected);
                    if (expected == Errno.None)
                    {
                        plain[bits] = (key, step);
                    }

                    break;
                case 1:
                    Same(map.DeleteElem(key), !isKey ? Errno.EINVAL : plain.Remove(bits) ? Errno.None : Errno.ENOENT);
                    break;
                case 2:
                    var value = new byte[4];
                    var best = plain.Where(p => isKey && bits.StartsWith(p.Key, StringComparison.Ordinal))
                        .OrderBy(p => p.Key.Length).LastOrDefault();
                    Same(map.LookupElem(key, value), best.Key is null ? Errno.ENOENT : Errno.None);
                    Assert.Equal(best.Value.Value, BitConverter.ToInt32(value));
                    break;
                default:
                    var next = new byte[4 + bytes];
                    var keys = plain.Keys.ToList();
                    var at = random.Next(8) == 0 || !isKey ? -1 : keys.IndexOf(bits);
                    var wanted = at + 1 < keys.Count ? plain[keys[at + 1]].Key : null;
                    Same(map.GetNextKey(at < 0 && keys.Contains(bits) ? [] : key, next),
                        wanted is null ? Errno.ENOENT : Errno.None);
                    Assert.Equal(wanted ?? new byte[4 + bytes], next);
                    break;
            }

            Assert.Equal(plain.Count, map.Count);
        }

        plain.Should().HaveCountGreaterThan(8);
        core.Quiesce();
        map.TakeCensus().Should().Match<MapCensus>(c => c.IsComplete && c.Live == plain.Count);
        map.TryGetKey(map.Pools[0], 0, new byte[4 + bytes]).Should().BeFalse("an element does not know its key");
        plain.Values.ToList().ForEach(p => map.ProgDelete(p.Key, 0).Should().Be(Errno.None));
        map.GetNextKey([], new byte[4 + bytes]).Should().Be(Errno.ENOENT);
    }

    [Theory]
    [InlineData(BpfMapType.Sockmap)]
    [InlineData(BpfMapType.Sockhash)]
    public void SockMaps(BpfMapType type)
    {
        using var core = MapKernel.Boot();
        var map = (SockMap)MapFactory.Create(core, new("s", type) { KeySize = 4, ValueSize = 8, MaxEntries = 5 });
        var socks = Enumerable.Range(0, 3).Select(_ => new Sock(core, default)).ToList();
        var counts = socks.Select(s => s.Count.Value).ToList();
        var plain = new SortedDictionary<uint, Sock>();
        var random = new Random(2);
        var isHash = type == BpfMapType.Sockhash;
        for (var step = 0; step < Steps; step++)
        {
            var index = (uint)random.Next(8);
            var key = BitConverter.GetBytes(index);
            switch (random.Next(4))
            {
                case 0 or 1:
                    var (sock, flags) = (socks[random.Next(3)], (MapUpdateFlags)random.Next(4));
                    var expected = flags > MapUpdateFlags.Exist ? Errno.EINVAL
                        : !isHash && index >= 5 ? Errno.E2BIG
                        : Existence(plain.ContainsKey(index), flags, plain.Count == 5 ? Errno.E2BIG : Errno.None);
                    Same(map.Set(key, sock, flags), expected);
                    if (expected == Errno.None)
                    {
                        plain[index] = sock;
                    }

                    break;
                case 2:
                    Same(random.Next(2) == 0 ? map.DeleteElem(key) : map.ProgDelete(key, 0),
                        plain.Remove(index) ? Errno.None : isHash ? Errno.ENOENT : Errno.EINVAL);
                    break;
                default:
                    Assert.Equal(plain.GetValueOrDefault(index)?.Address ?? 0, map.ProgLookup(key, 0));
                    Same(map.LookupElem(key, new byte[8]), plain.ContainsKey(index) ? Errno.EOPNOTSUPP : Errno.ENOENT);
                    NextIs(map, key, isHash ? [.. plain.Keys] : [.. Enumerable.Range(0, 5).Select(i => (uint)i)]);
                    break;
            }

            Assert.Equal(
                socks.Select((s, i) => counts[i] + plain.Values.Count(v => v == s)), socks.Select(s => s.Count.Value));
        }

        map.UpdateElem(new byte[4], new byte[8]).Should().Be(Errno.EBADF);
        map.TakeCensus().Should().Be(new MapCensus(0, 0, 0), "it has no memory of its own");
        using var narrow = MapFactory.Create(core, map.Spec with { ValueSize = 4 });
        narrow.LookupElem(new byte[4], new byte[4]).Should().Be(Errno.ENOSPC);
        plain.Should().NotBeEmpty();
        map.FreeNow();
        socks.Select(s => s.Count.Value).Should().Equal(counts);
        map.Set(new byte[4], socks[0], MapUpdateFlags.Any).Should().Be(Errno.ENOENT, "nobody would give it back");
        socks[0].Count.Value.Should().Be(counts[0]);
    }

    [Theory]
    [InlineData(BpfMapType.Devmap)]
    [InlineData(BpfMapType.DevmapHash)]
    [InlineData(BpfMapType.Cpumap)]
    public void RedirectMaps(BpfMapType type)
    {
        using var core = MapKernel.Boot();
        using var map = (RedirectMap)MapFactory.Create(
            core, new("r", type) { KeySize = 4, ValueSize = 8, MaxEntries = 4 });
        var plain = new SortedDictionary<uint, ulong>();
        var (isHash, isCpu) = (type == BpfMapType.DevmapHash, type == BpfMapType.Cpumap);
        var random = new Random(3);
        var most = isCpu ? 16384 : 1;
        for (var step = 0; step < Steps; step++)
        {
            var index = isCpu ? (uint)random.Next(6) : (uint)random.Next(6) * (isHash ? 1000u : 1);
            var key = BitConverter.GetBytes(index);
            switch (random.Next(4))
            {
                case 0 or 1:
                    var (what, prog) = (random.Next(3) * most, random.Next(4) == 0 ? random.Next(-1, 3) : 0);
                    var flags = (MapUpdateFlags)random.Next(4);
                    var bad = isCpu ? what > most ? Errno.EOVERFLOW
                            : !core.PossibleCpus.Contains((int)index) ? Errno.ENODEV
                            : what > 0 && prog > 0 ? Errno.ENOMEM : Errno.None
                        : !isHash && what == 0 && prog <= 0 ? Errno.None
                        : what == 1 && prog <= 0 ? Errno.None : Errno.EINVAL;
                    var expected = flags > MapUpdateFlags.Exist ? Errno.EINVAL
                        : !isHash && index >= 4 ? Errno.E2BIG
                        : !isHash && flags == MapUpdateFlags.NoExist ? Errno.EEXIST
                        : bad != Errno.None || !isHash ? bad
                        : plain.ContainsKey(index) ? flags == MapUpdateFlags.NoExist ? Errno.EEXIST : Errno.None
                        : plain.Count == 4 ? Errno.E2BIG : Errno.None;
                    Same(map.UpdateElem(key, BitConverter.GetBytes((uint)what | ((long)prog << 32)), flags), expected);
                    if (expected == Errno.None && what == 0)
                    {
                        plain.Remove(index);
                    }
                    else if (expected == Errno.None)
                    {
                        plain[index] = (uint)what;
                    }

                    break;
                case 2:
                    var isThere = plain.Remove(index);
                    Same(map.DeleteElem(key), isHash && !isThere ? Errno.ENOENT
                        : !isHash && index >= 4 ? Errno.EINVAL : Errno.None);
                    break;
                default:
                    var value = new byte[8];
                    Same(map.LookupElem(key, value), plain.ContainsKey(index) ? Errno.None : Errno.ENOENT);
                    Assert.Equal(plain.GetValueOrDefault(index), BitConverter.ToUInt64(value));
                    Assert.Equal(plain.ContainsKey(index), map.Has(index));
                    NextIs(map, key, isHash ? [.. plain.Keys] : [.. Enumerable.Range(0, 4).Select(i => (uint)i)]);
                    break;
            }
        }

        core.Quiesce();
        map.TakeCensus().Should().Match<MapCensus>(c => c.IsComplete && c.Live == plain.Count);
        foreach (var index in plain.Keys)
        {
            var found = new byte[4];
            Enumerable.Range(0, map.Pools[0].SlotCount).Count(slot =>
                map.TryGetKey(map.Pools[0], slot, found) && BitConverter.ToUInt32(found) == index).Should().Be(1);
        }
    }
}
