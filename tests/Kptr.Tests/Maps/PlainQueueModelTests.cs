using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Specs;
using static Kptr.Tests.Maps.PlainModel;

namespace Kptr.Tests.Maps;

/// <summary>Queues, stacks and rings of records, at random, against the plainest list that does the same.</summary>
public class PlainQueueModelTests
{
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

    private sealed record Sent(byte[] Bytes, ulong At, bool IsDiscarded);
}
