using System.Buffers.Binary;
using System.Collections.Immutable;
using Kptr.Specs;

namespace Kptr.Soundness.Lives;

/// <summary>The maps of <c>programs/lives.bpf.c</c>, and where the plain words of their values are.</summary>
internal static class LifeLayout
{
    /// <summary>In the object's order, by which lives name them.</summary>
    internal static ImmutableArray<MapSpec> Maps { get; } =
        [.. ProgBase.Living.Object.Maps.Where(m => m.Name.Contains('_', StringComparison.Ordinal))];

    /// <summary>Elements that each map has room for.</summary>
    internal const int Entries = 4;

    /// <summary>CPUs of the kernels that maps live in.</summary>
    internal const int CpuCount = 2;

    /// <summary>The program that acts on a map.</summary>
    internal static string ProgramOf(MapSpec map) => "act_" + map.Name;

    /// <summary>The program that counts references, which stands on no map.</summary>
    internal const string Counter = "count";

    internal static bool IsArray(MapSpec map) => map.Type is BpfMapType.Array or BpfMapType.PercpuArray;

    internal static bool IsPercpu(MapSpec map) =>
        map.Type is BpfMapType.PercpuArray or BpfMapType.PercpuHash or BpfMapType.LruPercpuHash;

    /// <summary>Bytes of a value as user space has it.</summary>
    internal static int UserBytes(MapSpec map) =>
        IsPercpu(map) ? (map.ValueSize + 7) / 8 * 8 * CpuCount : map.ValueSize;

    /// <summary>A value of user space: the word in its plain fields, rubbish in those that it may not write.</summary>
    internal static byte[] Value(MapSpec map, ulong word)
    {
        const byte rubbish = 0xee;
        var bytes = new byte[UserBytes(map)];
        Array.Fill(bytes, rubbish);
        var (first, last) = PlainWords(map);
        var count = IsPercpu(map) ? CpuCount : 1;
        for (var cpu = 0; cpu < count; cpu++)
        {
            var value = bytes.AsSpan(cpu * (bytes.Length / count));
            BinaryPrimitives.WriteUInt64LittleEndian(value[first..], word + (ulong)cpu);
            BinaryPrimitives.WriteUInt64LittleEndian(value[last..], word + (ulong)cpu);
        }

        return bytes;
    }

    private static (int First, int Last) PlainWords(MapSpec map) => map.Name.Split('_')[1] switch
    {
        "plain" => (0, 8),
        "kept" => (0, 16),
        "twice" => (8, 16),
        "locked" => (0, 24),
        var other => throw new ArgumentException($"no value is called {other}"),
    };
}
