using System.Buffers.Binary;
using Kptr.Btf;

namespace Kptr.KernelSelftests;

/// <summary>
/// Changes one word of one type of a BTF: a name, a flag, a count, a size, a type id, a member's place.
/// </summary>
public static class BtfMutants
{
    /// <summary>Changes a word, in place.</summary>
    /// <param name="bytes">Little-endian raw BTF.</param>
    /// <param name="btf">The same, before it is changed.</param>
    /// <param name="random">Decides.</param>
    public static void Change(Memory<byte> bytes, BtfSpec btf, Random random)
    {
        var words = new BtfWords(bytes, btf);
        for (var tries = 0; tries < 50 && !TryMutate(words, btf, random); tries++)
        {
        }
    }

    /// <summary>Kinds of which objects have few get as many changes as the others.</summary>
    private static bool TryMutate(BtfWords words, BtfSpec btf, Random random)
    {
        var kinds = Enumerable.Range(1, btf.TypeCount - 1).GroupBy(i => btf[i].Kind).ToArray();
        var kind = kinds[random.Next(kinds.Length)].ToArray();
        var id = kind[random.Next(kind.Length)];
        var word = random.Next(words.CountOf(id));
        var old = words[id, word];
        words[id, word] = word switch
        {
            0 => Name(words, btf, random),
            1 => Info(old, random),
            _ => Value(words, btf, old, id, random),
        };
        return words[id, word] != old;
    }

    private static uint Info(uint old, Random random) => random.Next(6) switch
    {
        0 => old ^ 0x8000_0000,
        1 => old ^ (1u << random.Next(16, 24)),
        2 => old ^ (1u << random.Next(29, 31)),
        3 => (old & 0xffff) is var vlen and > 0 ? old - (vlen > 1 ? (uint)random.Next(1, 2) : 1) : old + 1,
        4 => (old & ~0x1f00_0000u) | ((uint)random.Next(1, 20) << 24),
        _ => (old & ~0xffffu) | (uint)random.Next(4),
    };

    private static uint Name(BtfWords words, BtfSpec btf, Random random)
    {
        if (random.Next(3) == 0)
        {
            return 0;
        }

        // Any place of the string table: half of the names begin in the middle of others, with whatever stands there.
        var at = (uint)random.Next((int)words.StringBytes);
        return random.Next(2) == 0 ? at : words[1 + random.Next(btf.TypeCount - 1), 0];
    }

    private static uint Value(BtfWords words, BtfSpec btf, uint old, int id, Random random) => random.Next(9) switch
    {
        0 => 0,
        1 => old + 1,
        2 => old - 1,
        3 => old ^ (1u << random.Next(32)),
        4 => (uint)id,
        5 => old * 2,
        6 => Name(words, btf, random),
        _ => (uint)random.Next(btf.TypeCount),
    };

    /// <summary>The words of the types of little-endian raw BTF, to be changed in place.</summary>
    private sealed class BtfWords
    {
        private readonly Memory<byte> _bytes;
        private readonly List<int> _offsets = [0];

        internal BtfWords(Memory<byte> bytes, BtfSpec btf)
        {
            _bytes = bytes;
            var at = (int)(Read(4) + Read(8));
            for (var id = 1; id < btf.TypeCount; id++)
            {
                _offsets.Add(at);
                at += 4 * (3 + BtfTrailer.WordsOf(btf[id]));
            }

            _offsets.Add(at);
            StringBytes = Read(20);
        }

        internal uint StringBytes { get; }

        internal uint this[int id, int word]
        {
            get => Read(_offsets[id] + (4 * word));
            set => BinaryPrimitives.WriteUInt32LittleEndian(_bytes.Span[(_offsets[id] + (4 * word))..], value);
        }

        internal int CountOf(int id) => (_offsets[id + 1] - _offsets[id]) / 4;

        private uint Read(int at) => BinaryPrimitives.ReadUInt32LittleEndian(_bytes.Span[at..]);
    }
}
