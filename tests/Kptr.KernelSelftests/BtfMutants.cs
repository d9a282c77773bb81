using System.Buffers.Binary;
using Kptr.Btf;

namespace Kptr.KernelSelftests;

/// <summary>
/// Changes one word of one type of a BTF: a name, a flag, a count, a size, a type id, a member's place.
/// </summary>
public static class BtfMutants
{
    /// <summary>Near the ends of 31 and 32 bits, and of bytes counted in bits.</summary>
    private static readonly uint[] s_large = [
        0x7fff_ffff, 0x8000_0000, 0x8000_0001, 0xffff_ffff, 0xffff_fff0, 0x0fff_ffff, 0x1000_0000, 0x2000_0000,
        0x7fff_fff8, 0x8000_0020, 0xffff_ffc0, 0xffff_fff8, 0x4000_0000,
    ];

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

    /// <summary>Makes sizes, counts and places of one type large, in place; a result one that does not exist.</summary>
    /// <inheritdoc cref="Change"/>
    public static void Enlarge(Memory<byte> bytes, BtfSpec btf, Random random)
    {
        var words = new BtfWords(bytes, btf);
        var ids = Enumerable.Range(1, btf.TypeCount - 1).Where(i => WidthsOf(btf[i]).Length > 0).ToArray();
        var id = ids[random.Next(ids.Length)];
        var widths = WidthsOf(btf[id]);
        for (var changes = random.Next(1, 4); changes > 0; changes--)
        {
            words[id, widths[random.Next(widths.Length)]] = s_large[random.Next(s_large.Length)];
        }
    }

    /// <summary>The words of a type that are sizes, counts, places or results, the size more often.</summary>
    private static int[] WidthsOf(BtfType type) => type.Kind switch
    {
        BtfKind.Int or BtfKind.Float or BtfKind.Enum or BtfKind.Enum64 or BtfKind.FuncProto => [2],
        BtfKind.Array => [5],
        BtfKind.Struct or BtfKind.Union => [
            2, 2, .. Enumerable.Range(0, type.VLen).Select(i => 5 + (3 * i)).TakeLast(2),
        ],
        BtfKind.DataSec => [
            2, 2, .. Enumerable.Range(0, 2 * type.VLen).Select(i => 4 + (i % 2) + (3 * (i / 2))).TakeLast(4),
        ],
        _ => [],
    };

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
