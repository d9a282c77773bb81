using System.Buffers.Binary;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Tests.Maps;

/// <summary>Maps that hold no kptrs, at random, against the plainest collection that does the same.</summary>
public class PlainModelTests
{
    private const int Steps = 600;

    [Theory]
    [InlineData(BpfMapType.Queue)]
    [InlineData(BpfMapType.Stack)]
    public void QueueAndStack(BpfMapType type)
    {
        using var core = MapKernel.Boot();
        using var map = (QueueStackMap)MapFactory.Create(core, new("q", type) { ValueSize = 12, MaxEntries = 5 });
        var plain = new List<byte[]>();
        var random = new Random(1);
        for (var step = 0; step < Steps; step++)
        {
            var value = new byte[12];
            random.NextBytes(value);
            if (random.Next(2) == 0)
            {
                var flags = (MapUpdateFlags)random.Next(4);
                var full = plain.Count == 5;
                var expected = flags is not (MapUpdateFlags.Any or MapUpdateFlags.Exist) ? Errno.EINVAL
                    : full && flags == MapUpdateFlags.Any ? Errno.E2BIG : Errno.None;
                Same(random.Next(2) == 0 ? map.ProgPush(value, flags) : map.UpdateElem([], value, flags), expected);
                plain.RemoveRange(0, expected == Errno.None && full ? 1 : 0);
                plain.AddRange(expected == Errno.None ? [value] : []);
            }
            else
            {
                var at = type == BpfMapType.Queue ? 0 : plain.Count - 1;
                var expected = plain.ElementAtOrDefault(at) ?? new byte[12];
                var how = random.Next(4);
                Same(how == 0 ? map.ProgPop(value) : how == 1 ? map.ProgPeek(value)
                    : how == 2 ? map.LookupElem([], value) : map.LookupAndDeleteElem([], value),
                    plain.Count == 0 ? Errno.ENOENT : Errno.None);
                Assert.Equal(expected, value);
                plain.RemoveRange(Math.Max(at, 0), plain.Count > 0 && how is 0 or 3 ? Math.Min(1, plain.Count) : 0);
            }

            Assert.Equal(plain.Count, map.Count);
        }

        HasNoKeys(map, Errno.EINVAL);
        map.DeleteElem([]).Should().Be(Errno.EINVAL);
        map.GetNextKey([], []).Should().Be(Errno.EINVAL);
    }

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

    [Fact]
    public void UserRingBuf()
    {
        using var core = MapKernel.Boot();
        using var map = (UserRingBufMap)MapFactory.Create(core, new("u", BpfMapType.UserRingbuf) { MaxEntries = 4096 });
        var plain = new Queue<byte[]>();
        var random = new Random(4);
        for (var step = 0; step < Steps; step++)
        {
            var used = plain.Sum(r => 8 + ((r.Length + 7) & ~7));
            if (random.Next(3) > 0)
            {
                var record = new byte[random.Next(20) == 0 ? random.Next(4080, 4100) : random.Next(600)];
                random.NextBytes(record);
                var bytes = 8 + ((record.Length + 7) & ~7);
                var expected = bytes > 4096 ? Errno.E2BIG : used + bytes > 4096 ? Errno.ENOSPC : Errno.None;
                Same(map.Post(record), expected);
                if (expected == Errno.None)
                {
                    plain.Enqueue(record);
                }
            }
            else
            {
                Assert.Equal(plain.TryDequeue(out var expected), map.TryTake(out var record));
                Assert.Equal(expected ?? [], record ?? []);
            }
        }

        while (map.TryTake(out _))
        {
        }

        map.Post(new byte[4088]).Should().Be(Errno.None, "alone it fits");
        map.Post([]).Should().Be(Errno.ENOSPC);
        map.TryBeginDrain().Should().BeTrue();
        map.TryBeginDrain().Should().BeFalse("one program at a time");
        map.EndDrain();
        map.TryBeginDrain().Should().BeTrue();
        IsForCallsOnly(map);
    }

    [Fact]
    public unsafe void RingBuf()
    {
        const int Size = 4096;
        using var core = MapKernel.Boot();
        using var map = (RingBufMap)MapFactory.Create(core, new("r", BpfMapType.Ringbuf) { MaxEntries = Size });
        var plain = new List<Sent>();
        var random = new Random(5);
        var (written, read) = (0ul, 0ul);
        for (var step = 0; step < Steps; step++)
        {
            var positions = Enumerable.Range(0, 5).Select(i => map.Query((ulong)i));
            Assert.Equal([written - read, Size, read, written, 0ul], positions);
            var open = plain.Where(s => s.At != 0).ToList();
            switch (random.Next(4))
            {
                case 0 or 1:
                    var bytes = new byte[random.Next(20) == 0 ? random.Next(4080, 4100) : random.Next(400)];
                    random.NextBytes(bytes);
                    var whole = (ulong)(8 + ((bytes.Length + 7) & ~7));
                    var fits = whole <= Size && written + whole - read < Size;
                    if (random.Next(3) == 0)
                    {
                        Same(map.Output(bytes), fits ? Errno.None : Errno.EAGAIN);
                        plain.AddRange(fits ? [new(bytes, 0, false)] : []);
                    }
                    else
                    {
                        var at = map.Reserve((ulong)bytes.Length);
                        Assert.Equal(fits, at != 0);
                        bytes.AsSpan(0, fits ? bytes.Length : 0).CopyTo(new((void*)at, 4096));
                        plain.AddRange(fits ? [new(bytes, at, false)] : []);
                    }

                    written += fits ? whole : 0;
                    break;
                case 2 when open.Count > 0:
                    var done = open[random.Next(open.Count)];
                    var isDiscarded = random.Next(3) == 0;
                    map.Commit(done.At, isDiscarded);
                    plain[plain.IndexOf(done)] = new(done.Bytes, 0, isDiscarded);
                    break;
                case 3:
                    var first = plain.TakeWhile(s => s.At == 0).Count();
                    var skipped = plain.Take(first).TakeWhile(s => s.IsDiscarded).Count();
                    var isThere = skipped < first;
                    Assert.Equal(isThere, map.TryRead(out var record));
                    Assert.Equal(isThere ? plain[skipped].Bytes : [], record);
                    var gone = plain.Take(skipped + (isThere ? 1 : 0)).ToList();
                    read += (ulong)gone.Sum(s => 8 + ((s.Bytes.Length + 7) & ~7));
                    plain.RemoveRange(0, gone.Count);
                    break;
            }
        }

        map.Reserve(1u << 30).Should().Be(0);
        map.Reserve(ulong.MaxValue - 3).Should().Be(0);
        map.Query(5).Should().Be(0);
        IsForCallsOnly(map);
    }

    [Fact]
    public void PerfEventArray()
    {
        using var core = MapKernel.Boot();
        using var map = (PerfEventArrayMap)MapFactory.Create(
            core, new("p", BpfMapType.PerfEventArray) { KeySize = 4, ValueSize = 4, MaxEntries = 3 });
        map.BufferBytes.Should().Be(64 * 4096);
        map.BufferBytes = 4096;
        map.Invoking(m => m.BufferBytes = 2048).Should().Throw<ArgumentOutOfRangeException>();
        map.Invoking(m => m.BufferBytes = 3 * 4096).Should().Throw<ArgumentOutOfRangeException>();
        var plain = Enumerable.Range(0, 2).Select(_ => new Queue<byte[]>()).ToList();
        var lost = new long[2];
        var random = new Random(6);
        for (var step = 0; step < Steps; step++)
        {
            var cpu = random.Next(2);
            if (random.Next(3) > 0)
            {
                var record = new byte[random.Next(500)];
                random.NextBytes(record);
                var fits = plain[cpu].Append(record).Sum(r => 8 + ((4 + r.Length + 7) & ~7)) <= 4096;
                Same(map.Output((uint)cpu, record), fits ? Errno.None : Errno.ENOSPC);
                lost[cpu] += fits ? 0 : 1;
                (fits ? plain[cpu] : new()).Enqueue(record);
            }
            else
            {
                Assert.Equal(plain[cpu].TryDequeue(out var expected), map.TryRead(cpu, out var record));
                Assert.Equal(expected ?? [], record);
            }

            Assert.Equal(lost[cpu], map.LostCount(cpu));
        }

        map.Output(2, new byte[1]).Should().Be(Errno.E2BIG, "there is no such CPU");
        map.Invoking(m => m.LostCount(2)).Should().Throw<ArgumentOutOfRangeException>();
        map.Invoking(m => m.TryRead(2, out _)).Should().Throw<ArgumentOutOfRangeException>();
        using var narrow = (PerfEventArrayMap)MapFactory.Create(core, map.Spec with { MaxEntries = 1 });
        narrow.Output(1, new byte[1]).Should().Be(Errno.E2BIG);
        map.Output(3, new byte[1]).Should().Be(Errno.E2BIG);
        map.LookupElem(new byte[4], new byte[4]).Should().Be(Errno.ENOTSUPP);
        IsArrayOfThings(map);
    }

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

    private static Errno Existence(bool exists, MapUpdateFlags flags, Errno whenFull) =>
        exists ? flags == MapUpdateFlags.NoExist ? Errno.EEXIST : Errno.None
        : flags == MapUpdateFlags.Exist ? Errno.ENOENT : whenFull;

    private static void Same(Errno actual, Errno expected) => Assert.Equal(expected, actual);

    /// <summary>The first key where this one is none, else the one after it.</summary>
    private static void NextIs(BpfMap map, byte[] key, List<uint> keys)
    {
        foreach (var (from, at) in new[] { (key, keys.IndexOf(BitConverter.ToUInt32(key))), ([], -1) })
        {
            var next = new byte[4];
            Same(map.GetNextKey(from, next), at + 1 < keys.Count ? Errno.None : Errno.ENOENT);
            Assert.Equal(at + 1 < keys.Count ? keys[at + 1] : 0, BitConverter.ToUInt32(next));
        }
    }

    private static void HasNoKeys(BpfMap map, Errno update)
    {
        var key = new byte[map.KeySize];
        map.ProgLookup(key, 0).Should().Be(0);
        map.ProgUpdate(key, new byte[map.ValueSize], MapUpdateFlags.Any, 0).Should().Be(update);
        map.TakeCensus().Should().Be(new MapCensus(0, 0, 0));
    }

    private static void IsForCallsOnly(BpfMap map)
    {
        map.LookupElem([], []).Should().Be(Errno.ENOTSUPP);
        map.UpdateElem([], []).Should().Be(Errno.ENOTSUPP);
        map.DeleteElem([]).Should().Be(Errno.ENOTSUPP);
        map.GetNextKey([], []).Should().Be(Errno.ENOTSUPP);
        HasNoKeys(map, Errno.EINVAL);
    }

    private static void IsArrayOfThings(BpfMap map)
    {
        HasNoKeys(map, Errno.EINVAL);
        map.UpdateElem(new byte[4], new byte[4]).Should().Be(Errno.EBADF);
        map.UpdateElem(new byte[4], new byte[4], MapUpdateFlags.Exist).Should().Be(Errno.EINVAL);
        map.UpdateElem(BitConverter.GetBytes(3), new byte[4]).Should().Be(Errno.E2BIG);
        map.DeleteElem(BitConverter.GetBytes(3)).Should().Be(Errno.E2BIG);
        NextIs(map, BitConverter.GetBytes(1), [0, 1, 2]);
        NextIs(map, BitConverter.GetBytes(2), [0, 1, 2]);
        NextIs(map, BitConverter.GetBytes(3), [0, 1, 2]);
        map.TryGetKey(null!, 0, new byte[4]).Should().BeFalse();
    }

    private sealed record Sent(byte[] Bytes, ulong At, bool IsDiscarded);
}
