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

    /// <summary>These, then the maps that those of maps are made of.</summary>
    internal static ImmutableArray<MapSpec> AllMaps { get; } =
        [.. Maps, .. Maps.Where(m => m.InnerMap is not null).Select(m => m.InnerMap!)];

    /// <summary>Elements that most maps have room for; storages and rings do not say.</summary>
    internal static int Entries(MapSpec map) => IsRing(map) || IsStorage(map) ? 4 : (int)map.MaxEntries;

    /// <summary>CPUs of the kernels that maps live in.</summary>
    internal const int CpuCount = 2;

    /// <summary>The program that acts on a map.</summary>
    internal static string ProgramOf(MapSpec map) => "act_" + map.Name;

    /// <summary>The program that counts references, which stands on no map.</summary>
    internal const string Counter = "count";

    internal static bool IsArray(MapSpec map) =>
        IsRing(map) || map.Type is BpfMapType.Array or BpfMapType.PercpuArray or BpfMapType.ArrayOfMaps;

    internal static bool IsKnown(MapSpec map, KernelProfile profile) => profile.Knows(map.Type);

    internal static bool IsRing(MapSpec map) => map.Type is BpfMapType.Ringbuf or BpfMapType.UserRingbuf;

    internal static bool IsStorage(MapSpec map) => map.Type is BpfMapType.TaskStorage or BpfMapType.CgrpStorage;

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

    /// <summary>
    /// What of a value user space is not asked about: the heads of lists in what it reads point to themselves, in
    /// memory of the kernel's own.
    /// </summary>
    internal static Range Hidden(MapSpec map) =>
        map.Name.EndsWith("_box", StringComparison.Ordinal) ? 16..64 : 0..0;

    private static (int First, int Last) PlainWords(MapSpec map) => map.Name.Split('_')[1] switch
    {
        "plain" => (0, 8),
        "kept" => (0, 16),
        "twice" => (8, 16),
        "locked" => (0, 24),
        "box" => (0, 72),
        "timed" => (0, 48),
        "celled" => (0, 16),
        var other => throw new ArgumentException($"no value is called {other}"),
    };
}
