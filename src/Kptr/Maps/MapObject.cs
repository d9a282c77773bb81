using System.Buffers.Binary;
using Kptr.Btf;
using Kptr.Objects;

namespace Kptr.Maps;

/// <summary>
/// The <c>struct bpf_map</c> of a map: an address for its pointers, and the fields a program may read through them.
/// </summary>
internal static unsafe class MapObject
{
    private const int MinBytes = 64;

    internal static ulong Create(BpfMap map)
    {
        var types = map.Core.Spec.Types;
        var type = types.Find("bpf_map", BtfKind.Struct) is { } place ? types[place] : default(BtfType?);
        var size = Math.Max(MinBytes, type?.SizeBytes ?? 0);
        var address = map.Core.Heap.AllocateBlock($"struct bpf_map of {map.Name}", size, map);
        if (type is { } known)
        {
            var bytes = new Span<byte>((void*)address, size);
            Put(bytes, known, "map_type", (uint)map.Type);
            Put(bytes, known, "key_size", (uint)map.KeySize);
            Put(bytes, known, "value_size", (uint)map.ValueSize);
            Put(bytes, known, "max_entries", map.MaxEntries);
            Put(bytes, known, "map_flags", (uint)map.Flags);
            Put(bytes, known, "id", (uint)map.Id);
        }

        return address;
    }

    internal static BpfMap? Find(KernelCore core, ulong address) =>
        core.Heap.TryFindRegion(address, 0, out var region) && region.Slab.Owner is BpfMap map
        && map.Address == address ? map : null;

    private static void Put(Span<byte> bytes, BtfType type, string name, uint value)
    {
        for (var i = 0; i < type.VLen; i++)
        {
            var member = type.Member(i);
            if (member.Name == name && member.OffsetBytes + 4 <= bytes.Length)
            {
                BinaryPrimitives.WriteUInt32LittleEndian(bytes[member.OffsetBytes..], value);
            }
        }
    }
}
