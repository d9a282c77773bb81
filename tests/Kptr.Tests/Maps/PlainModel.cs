using Kptr.Diagnostics;
using Kptr.Maps;

namespace Kptr.Tests.Maps;

/// <summary>What maps are asked beside a plain collection.</summary>
internal static class PlainModel
{
    /// <summary>How many operations a map is tried with.</summary>
    public const int Steps = 600;

    public static Errno Existence(bool exists, MapUpdateFlags flags, Errno whenFull) =>
        exists ? flags == MapUpdateFlags.NoExist ? Errno.EEXIST : Errno.None
        : flags == MapUpdateFlags.Exist ? Errno.ENOENT : whenFull;

    public static void Same(Errno actual, Errno expected) => Assert.Equal(expected, actual);

    /// <summary>The first key where this one is none, else the one after it.</summary>
    public static void NextIs(BpfMap map, byte[] key, List<uint> keys)
    {
        foreach (var (from, at) in new[] { (key, keys.IndexOf(BitConverter.ToUInt32(key))), ([], -1) })
        {
            var next = new byte[4];
            Same(map.GetNextKey(from, next), at + 1 < keys.Count ? Errno.None : Errno.ENOENT);
            Assert.Equal(at + 1 < keys.Count ? keys[at + 1] : 0, BitConverter.ToUInt32(next));
        }
    }

    public static void HasNoKeys(BpfMap map, Errno update)
    {
        var key = new byte[map.KeySize];
        map.ProgLookup(key, 0).Should().Be(0);
        map.ProgUpdate(key, new byte[map.ValueSize], MapUpdateFlags.Any, 0).Should().Be(update);
        map.TakeCensus().Should().Be(new MapCensus(0, 0, 0));
    }

    public static void IsForCallsOnly(BpfMap map)
    {
        map.LookupElem([], []).Should().Be(Errno.ENOTSUPP);
        map.UpdateElem([], []).Should().Be(Errno.ENOTSUPP);
        map.DeleteElem([]).Should().Be(Errno.ENOTSUPP);
        map.GetNextKey([], []).Should().Be(Errno.ENOTSUPP);
        HasNoKeys(map, Errno.EINVAL);
    }

    public static void IsArrayOfThings(BpfMap map)
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
}
