using System.Buffers.Binary;

namespace Kptr.Fuzz;

/// <summary>Changes an input a little, by a seed: for the seconds of fuzzing that are part of the tests.</summary>
internal static class Mutator
{
    private const int ChangesMax = 6;

    /// <summary>The input with one to six changes.</summary>
    internal static byte[] Mutate(byte[] input, int seed)
    {
        var random = new Random(seed);
        var bytes = input.ToArray();
        for (var left = random.Next(1, ChangesMax + 1); left > 0 && bytes.Length > 0; left--)
        {
            bytes = Change(bytes, random);
        }

        return bytes;
    }

    private static byte[] Change(byte[] bytes, Random random)
    {
        var at = random.Next(bytes.Length);
        var length = Math.Min(random.Next(1, 33), bytes.Length - at);
        switch (random.Next(9))
        {
            case 0:
                bytes[at] = (byte)random.Next(256);
                break;
            case 1:
                bytes[at] ^= (byte)(1 << random.Next(8));
                break;
            case 2 when (at & ~3) + 4 <= bytes.Length:
                BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(at & ~3), Interesting(random));
                break;
            case 3 when (at & ~3) + 4 <= bytes.Length:
                var word = bytes.AsSpan(at & ~3);
                BinaryPrimitives.WriteInt32LittleEndian(
                    word, BinaryPrimitives.ReadInt32LittleEndian(word) + random.Next(-9, 10));
                break;
            case 4:
                bytes.AsSpan(random.Next(bytes.Length - length + 1), length).CopyTo(bytes.AsSpan(at));
                break;
            case 5: // a piece less
                return [.. bytes.AsSpan(0, at), .. bytes.AsSpan(at + length)];
            case 6: // a piece twice
                return [.. bytes.AsSpan(0, at + length), .. bytes.AsSpan(at)];
            case 7 when random.Next(10) == 0:
                return bytes[..at];
            default:
                bytes[at] = (byte)(bytes[at] + random.Next(-3, 4));
                break;
        }

        return bytes;
    }

    /// <summary>A number at which readers go wrong: none, a limit, a small or any one.</summary>
    internal static int Interesting(Random random) => random.Next(8) switch
    {
        0 => 0,
        1 => -1,
        2 => int.MaxValue,
        3 => int.MinValue,
        4 => 0x10000,
        5 => random.Next(16),
        6 => random.Next(4096),
        _ => random.Next(),
    };
}
