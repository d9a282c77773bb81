using System.Buffers.Binary;

namespace Kptr.Testing.Scripts;

/// <summary>The prefixes that scripts use: a binary tree, in which most contain others.</summary>
internal static class Prefixes
{
    // Deep enough for all numbers of keys.
    private const int DepthMax = 7;

    /// <summary>Bytes of the length.</summary>
    private const int LengthBytes = sizeof(uint);

    // What each level begins with is 0 or 1; its other bits are these.
    private const int Filler = 0b0101_0101;

    /// <summary>The prefix of a number: 0 contains all; 1 and 2 each half of that, and so on.</summary>
    /// <param name="keySize">Bytes of a key.</param>
    /// <param name="number">The number.</param>
    /// <param name="isNoisy">Whether the bits behind the prefix are ones: they mean nothing.</param>
    internal static byte[] Key(int keySize, int number, bool isNoisy)
    {
        var key = new byte[keySize];
        var (depth, step) = (DepthOf(number), StepOf(keySize));
        BinaryPrimitives.WriteInt32LittleEndian(key, depth * step);
        var data = key.AsSpan(LengthBytes);
        data.Fill(isNoisy ? (byte)0xff : (byte)0);
        for (var bit = 0; bit < depth * step; bit++)
        {
            var level = bit / step;
            var isFirst = bit % step == 0;
            var value = isFirst ? ((number + 1) >> (depth - level - 1)) & 1 : (Filler >> (bit % step % 8)) & 1;
            Set(data, bit, value);
        }

        return key;
    }

    /// <summary>A whole address below the prefix, which no longer one of the tree contains.</summary>
    internal static byte[] AddressBelow(int keySize, int number)
    {
        var key = Key(keySize, number, isNoisy: false);
        var (bits, length) = ((keySize - LengthBytes) * 8, DepthOf(number) * StepOf(keySize));
        for (var bit = length + 1; bit < bits; bit++)
        {
            // Otherwise than the levels that would follow.
            var step = StepOf(keySize);
            Set(key.AsSpan(LengthBytes), bit, step == 1 ? 0 : 1 - ((Filler >> (bit % step % 8)) & 1));
        }

        BinaryPrimitives.WriteInt32LittleEndian(key, bits);
        return key;
    }

    /// <summary>The number of a prefix, whatever is behind it; -1 for none of the tree.</summary>
    internal static int NumberOf(ReadOnlySpan<byte> key, int count)
    {
        for (var number = 0; number <= count; number++)
        {
            if (Contains(Key(key.Length, number, isNoisy: false), key)
                && key[..LengthBytes].SequenceEqual(Key(key.Length, number, isNoisy: false).AsSpan(0, LengthBytes)))
            {
                return number;
            }
        }

        return -1;
    }

    /// <summary>Whether a prefix contains another, or an address.</summary>
    internal static bool Contains(ReadOnlySpan<byte> prefix, ReadOnlySpan<byte> other)
    {
        var length = BinaryPrimitives.ReadInt32LittleEndian(prefix);
        if (length > BinaryPrimitives.ReadInt32LittleEndian(other))
        {
            return false;
        }

        for (var bit = 0; bit < length; bit++)
        {
            if (Get(prefix[LengthBytes..], bit) != Get(other[LengthBytes..], bit))
            {
                return false;
            }
        }

        return true;
    }

    private static int DepthOf(int number) => int.Log2(number + 1);

    // No whole bytes: a prefix may end inside of one.
    private static int StepOf(int keySize) => ((keySize - LengthBytes) * 8 / DepthMax) switch
    {
        0 => 1,
        var step when step % 8 == 0 => step - 1,
        var step => step,
    };

    private static int Get(ReadOnlySpan<byte> data, int bit) => (data[bit / 8] >> (7 - (bit % 8))) & 1;

    private static void Set(Span<byte> data, int bit, int value)
    {
        var mask = (byte)(0x80 >> (bit % 8));
        data[bit / 8] = (byte)(value == 0 ? data[bit / 8] & ~mask : data[bit / 8] | mask);
    }
}
