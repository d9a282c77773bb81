using Kptr.Maps;
using Kptr.Specs;

namespace Kptr.Tests.Maps;

/// <summary>How keys are spread over buckets, and how many buckets there are.</summary>
public class KeyHashTests
{
    private const int Bits = 10;
    private const uint Mask = (1 << Bits) - 1;
    private const int SpreadMin = 400;      // thrown at random, 1,024 keys find some 647 of 1,024 buckets

    [Theory]
    [InlineData(0u)]
    [InlineData(1u << Bits)]
    [InlineData(0x1234_5000u)]
    [InlineData(uint.MaxValue - Mask)]
    public void DenseNumbers_NeverCollide(uint first)
    {
        var keys = Enumerable.Range(0, 1 << Bits).Select(i => first + (uint)i).ToList();
        keys.Select(k => KeyHash.Of4(k, Bits) & Mask).Should().OnlyHaveUniqueItems();
        keys.Select(k => KeyHash.Of8(k, Bits) & Mask).Should().OnlyHaveUniqueItems();
        keys.Select(k => KeyHash.Of8(k + ((ulong)first << 32), Bits) & Mask).Should().OnlyHaveUniqueItems();
    }

    [Theory]
    [InlineData(10)]
    [InlineData(12)]
    [InlineData(20)]
    public void StridedNumbers_Spread(int shift)
    {
        var keys = Enumerable.Range(0, 1 << Bits).Select(i => (uint)i << shift).ToList();
        Buckets(keys.Select(k => KeyHash.Of4(k, Bits))).Should().BeGreaterThan(SpreadMin);
        Buckets(keys.Select(k => KeyHash.Of8(k, Bits))).Should().BeGreaterThan(SpreadMin);
        Buckets(keys.Select(k => KeyHash.Of8((ulong)k << 20, Bits))).Should().BeGreaterThan(SpreadMin);
    }

    [Fact]
    public void Numbers_AsBytes_GoWhereTheyGoAsNumbers()
    {
        for (var i = 0u; i < 5000; i += 7)
        {
            KeyHash.Of(BitConverter.GetBytes(i), 4).Should().Be(KeyHash.Of4(i, 4));
            KeyHash.Of(BitConverter.GetBytes((ulong)i << 30), 4).Should().Be(KeyHash.Of8((ulong)i << 30, 4));
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(7)]
    [InlineData(9)]
    [InlineData(12)]
    [InlineData(16)]
    [InlineData(17)]
    [InlineData(40)]
    public void OtherKeys_EveryByteCounts_AndEachLengthIsItsOwn(int length)
    {
        var random = new Random(length);
        var seen = new HashSet<uint>();
        for (var i = 0; i < length; i++)
        {
            for (var value = 0; value < 256; value++)
            {
                var key = new byte[length];
                key[i] = (byte)value;
                seen.Add(KeyHash.Of(key, Bits));
            }
        }

        seen.Should().HaveCount((255 * length) + 1, "one byte is never the same as another");
        var zero = new byte[length];
        KeyHash.Of(zero, Bits).Should().NotBe(KeyHash.Of(new byte[length == 3 ? 5 : length + 1], Bits));
        var keys = Enumerable.Range(0, 1 << Bits).Select(_ =>
        {
            random.NextBytes(zero);
            return KeyHash.Of(zero, Bits);
        }).ToList();
        Buckets(keys).Should().BeGreaterThan(length == 1 ? 200 : SpreadMin);
    }

    /// <summary>A power of two, as in Linux; half of it where many buckets would be empty.</summary>
    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(3, 4)]
    [InlineData(4, 4)]
    [InlineData(5, 8)]
    [InlineData(1000, 1024)]
    [InlineData(1024, 1024)]
    [InlineData(1025, 2048)]
    [InlineData(33_000, 65_536)]
    [InlineData(65_535, 65_536)]
    [InlineData(65_536, 65_536)]
    [InlineData(65_537, 65_536)]
    [InlineData(87_381, 65_536)]
    [InlineData(87_382, 131_072)]
    [InlineData(131_072, 131_072)]
    public void Buckets_ByEntries(uint entries, long buckets)
    {
        using var core = MapKernel.Boot();
        using var map = (HashMapBase)MapFactory.Create(core, new("h", BpfMapType.Hash)
        {
            KeySize = 4, ValueSize = 8, MaxEntries = entries, Flags = MapFlags.NoPrealloc,
        });
        map.Table.BucketCount.Should().Be(buckets);
    }

    private static int Buckets(IEnumerable<uint> hashes) => hashes.Select(h => h & Mask).Distinct().Count();
}
