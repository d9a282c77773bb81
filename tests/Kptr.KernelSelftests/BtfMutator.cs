using System.Buffers.Binary;
using System.Globalization;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Elf;
using Kptr.Specs;

namespace Kptr.KernelSelftests;

/// <summary>
/// Writes copies of objects in each of which one word of one BTF type is changed: a name, a flag, a count, a
/// size, a type id, a member's place. A real kernel then says whether it takes the BTF, and what becomes of the
/// programs where it does not.
/// </summary>
/// <remarks>Deterministic: seed and object decide.</remarks>
public static class BtfMutator
{
    private const int ProgsMax = 8;

    /// <summary>Writes <c>--copies N</c> mutants of each object with few programs to <c>--to DIR</c>.</summary>
    public static int Run(Options options)
    {
        var copies = int.Parse(options["copies"] ?? "1", CultureInfo.InvariantCulture);
        var seed = int.Parse(options["seed"] ?? "1", CultureInfo.InvariantCulture);
        Directory.CreateDirectory(options["to"]!);
        var (objects, progs) = (0, 0);
        foreach (var path in options.Objects())
        {
            var name = Options.NameOf(path);
            if (ObjectReader.TryRead(path, new DiagSink()) is not { Btf: not null, Progs.Length: > 0
                and <= ProgsMax } read)
            {
                continue;
            }

            for (var copy = 0; copy < copies; copy++)
            {
                var bytes = File.ReadAllBytes(path);
                Mutate(bytes, read, new Random(Mutator.HashOf($"btf/{seed}/{copy}/{name}")));
                File.WriteAllBytes(Path.Combine(options["to"]!, $"{name}__b{seed}m{copy}.bpf.o"), bytes);
                objects++;
                progs += read.Progs.Length;
            }
        }

        Console.WriteLine($"{objects} objects, {progs} programs");
        return 0;
    }

    private static void Mutate(byte[] elf, ObjectSpec read, Random random)
    {
        var header = ElfSections.Named(elf, ".BTF");
        var btf = BtfSpec.Read(
            elf.AsMemory(ElfSections.OffsetOf(elf, header), ElfSections.SizeOf(elf, header)), read.Name);
        var words = new BtfWords(elf.AsMemory(ElfSections.OffsetOf(elf, header), ElfSections.SizeOf(elf, header)), btf);
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
                at += 4 * (3 + TrailerOf(btf[id]));
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

        private static int TrailerOf(BtfType type) => type.Kind switch
        {
            BtfKind.Int or BtfKind.Var or BtfKind.DeclTag => 1,
            BtfKind.Array => 3,
            BtfKind.Struct or BtfKind.Union or BtfKind.DataSec or BtfKind.Enum64 => 3 * type.VLen,
            BtfKind.Enum or BtfKind.FuncProto => 2 * type.VLen,
            _ => 0,
        };
    }
}
