using System.Buffers.Binary;

namespace Kptr.Testing.Programs;

/// <summary>Bytes and words for contexts, arguments, keys and values: the same number makes the same.</summary>
/// <param name="Seed">0 for zeroes.</param>
/// <param name="Pids">Pids of the tasks at hand; the first is the plainest.</param>
internal readonly record struct Inputs(int Seed, IReadOnlyList<int> Pids)
{
    private const int EthernetBytes = 14;
    private const int PacketBytesMax = 200;

    /// <summary>A context of words, which begins with a pid.</summary>
    internal byte[] Context(int sizeBytes)
    {
        var random = new Random(Seed);
        var bytes = new byte[sizeBytes];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, Pids[random.Next(Seed == 0 ? 1 : Pids.Count)]);
        for (var at = sizeof(int); Seed != 0 && at + sizeof(int) <= sizeBytes; at += sizeof(int))
        {
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(at), (uint)Word(random));
        }

        return bytes;
    }

    /// <summary>A key: a pid, or a small number.</summary>
    internal byte[] Key(int sizeBytes)
    {
        var random = new Random(Seed);
        var key = new byte[sizeBytes];
        Span<byte> number = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(
            number, random.Next(2) == 0 ? Seed % 4 : Pids[random.Next(Pids.Count)]);
        number[..Math.Min(number.Length, sizeBytes)].CopyTo(key);
        return key;
    }

    /// <summary>A value of words.</summary>
    internal byte[] Value(int sizeBytes) =>
        Seed == 0 ? new byte[sizeBytes] : Context(Math.Max(sizeBytes, 4))[..sizeBytes];

    /// <summary>An Ethernet frame of IPv4, IPv6 or noise.</summary>
    internal byte[] Packet()
    {
        var random = new Random(Seed);
        var packet = new byte[Seed == 0 ? 64 : random.Next(EthernetBytes, PacketBytesMax)];
        if (Seed != 0)
        {
            random.NextBytes(packet);
        }

        var type = random.Next(3) switch { 0 => 0x0800, 1 => 0x86dd, _ => random.Next(0x10000) };
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(EthernetBytes - 2), (ushort)(Seed == 0 ? 0x0800 : type));
        if (packet.Length > EthernetBytes && type != 0x86dd)
        {
            packet[EthernetBytes] = 0x45;
        }

        return packet;
    }

    /// <summary>Words for arguments that are numbers.</summary>
    internal ulong[] Words(int count)
    {
        var random = new Random(Seed);
        var words = new ulong[count];
        for (var i = 0; Seed != 0 && i < count; i++)
        {
            words[i] = Word(random);
        }

        return words;
    }

    private ulong Word(Random random) => random.Next(6) switch
    {
        0 or 1 => (ulong)random.Next(4),
        2 or 3 => (ulong)Pids[random.Next(Pids.Count)],
        4 => (1UL << random.Next(64)) - (ulong)random.Next(2),
        _ => (ulong)random.NextInt64(long.MinValue, long.MaxValue),
    };
}
