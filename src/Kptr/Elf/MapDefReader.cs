using System.Numerics;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Elf;

/// <summary>
/// Reads one map definition of <c>.maps</c>: a struct whose members' types spell the map's properties.
/// </summary>
/// <remarks>
/// <c>__uint(n, v)</c> is <c>int (*n)[v]</c>, <c>__type(n, T)</c> is <c>T *n</c>, <c>__array(n, T)</c> is
/// <c>T *n[]</c>, <c>__ulong(n, v)</c> an enum with the one value <c>v</c>. Kernel:
/// <c>parse_btf_map_def</c> (libbpf 1.5).
/// </remarks>
internal sealed class MapDefReader
{
    private const uint PageBytes = 4096;
    private readonly string _file;
    private readonly BtfSpec _btf;
    private readonly string _name;
    private readonly bool _isInner;
    private uint _keySize;
    private uint _valueSize;
    private MapSpec _map;

    private MapDefReader(string file, BtfSpec btf, string name, bool isInner)
    {
        _file = file;
        _btf = btf;
        _name = name;
        _isInner = isInner;
        _map = new(name, BpfMapType.Unspec) { Btf = btf };
    }

    public static MapSpec Read(string file, BtfSpec btf, string name, BtfType def, bool isInner = false)
    {
        var reader = new MapDefReader(file, btf, name, isInner);
        for (var i = 0; i < def.VLen; i++)
        {
            reader.ReadMember(def.Member(i), i == def.VLen - 1);
        }

        return reader.Finish();
    }

    private void ReadMember(BtfMember member, bool isLast)
    {
        switch (member.Name)
        {
            case "type":
                _map = _map with { Type = (BpfMapType)ReadUInt(member) };
                break;
            case "max_entries":
                _map = _map with { MaxEntries = ReadUInt(member) };
                break;
            case "map_flags":
                _map = _map with { Flags = (MapFlags)ReadUInt(member) };
                break;
            case "numa_node":
                _ = ReadUInt(member); // where memory comes from is nothing Kptr models
                break;
            case "key_size":
                SetSize(ref _keySize, "key", ReadUInt(member));
                break;
            case "key":
                _map = _map with { KeyTypeId = ReadType(member, ref _keySize) };
                break;
            case "value_size":
                SetSize(ref _valueSize, "value", ReadUInt(member));
                break;
            case "value":
                _map = _map with { ValueTypeId = ReadType(member, ref _valueSize) };
                break;
            case "values":
                ReadValues(member, isLast);
                break;
            case "pinning":
                ReadPinning(member);
                break;
            case "map_extra":
                _map = _map with { MapExtra = ReadULong(member) };
                break;
            default:
                Fail($"unknown field '{member.Name}'");
                break;
        }
    }

    private MapSpec Finish()
    {
        if (_map.Type == BpfMapType.Unspec)
        {
            Fail("map type isn't specified");
        }

        if (_keySize > int.MaxValue || _valueSize > int.MaxValue)
        {
            Fail("keys or values of more than 2 GiB");
        }

        var isRing = _map.Type is BpfMapType.Ringbuf or BpfMapType.UserRingbuf;
        return _map with
        {
            KeySize = (int)_keySize,
            ValueSize = (int)_valueSize,
            MaxEntries = isRing ? RoundRing(_map.MaxEntries) : _map.MaxEntries,
        };
    }

    /// <summary>
    /// Rings are a power of two of pages; libbpf rounds up what is not, and leaves 0 for the kernel to refuse.
    /// </summary>
    private static uint RoundRing(uint bytes)
    {
        if (bytes == 0 || (bytes % PageBytes == 0 && BitOperations.IsPow2(bytes / PageBytes)))
        {
            return bytes;
        }

        for (ulong size = PageBytes; size <= uint.MaxValue; size <<= 1)
        {
            if (size > bytes)
            {
                return (uint)size;
            }
        }

        return bytes;
    }

    private uint ReadUInt(BtfMember member)
    {
        var pointer = _btf.SkipModifiers(member.TypeId);
        if (pointer.Kind != BtfKind.Ptr || pointer.Ref.Kind != BtfKind.Array)
        {
            Fail($"attr '{member.Name}': expected a pointer to an array, got {pointer.Kind}");
        }

        return (uint)pointer.Ref.Array.Count;
    }

    private ulong ReadULong(BtfMember member)
    {
        var type = _btf.SkipModifiers(member.TypeId);
        if (type.Kind is BtfKind.Enum or BtfKind.Enum64)
        {
            if (type.VLen != 1)
            {
                Fail($"attr '{member.Name}': invalid __ulong");
            }

            return (ulong)type.EnumValue(0).Value;
        }

        return ReadUInt(member);
    }

    private int ReadType(BtfMember member, ref uint size)
    {
        var pointer = _btf[member.TypeId];
        if (pointer.Kind != BtfKind.Ptr)
        {
            Fail($"{member.Name} spec is not a pointer: {pointer.Kind}");
        }

        var resolved = _btf.ResolveSize(pointer.RefTypeId);
        if (resolved < 0)
        {
            Fail($"can't determine {member.Name} size for type [{pointer.RefTypeId}]");
        }

        SetSize(ref size, member.Name, (uint)resolved);
        return pointer.RefTypeId;
    }

    private void SetSize(ref uint size, string what, uint value)
    {
        if (size != 0 && size != value)
        {
            Fail($"conflicting {what} size {size} != {value}");
        }

        size = value;
    }

    private void ReadValues(BtfMember member, bool isLast)
    {
        var isMapInMap = _map.Type is BpfMapType.ArrayOfMaps or BpfMapType.HashOfMaps;
        if (_isInner || !isLast || !(isMapInMap || _map.Type == BpfMapType.ProgArray))
        {
            Fail("'values' must be the last member of a map-in-map or prog-array");
        }

        SetSize(ref _valueSize, "value", 4);
        var array = _btf[member.TypeId];
        if (array.Kind != BtfKind.Array || array.Array.Count != 0)
        {
            Fail("'values' is not a zero-sized array");
        }

        var pointer = _btf.SkipModifiers(array.Array.ElemTypeId);
        var pointee = pointer.Kind == BtfKind.Ptr ? _btf.SkipModifiers(pointer.RefTypeId) : pointer;
        if (pointer.Kind != BtfKind.Ptr || pointee.Kind != (isMapInMap ? BtfKind.Struct : BtfKind.FuncProto))
        {
            Fail($"'values' points to {pointee.Kind}");
        }

        if (isMapInMap)
        {
            _map = _map with { InnerMap = Read(_file, _btf, _name + ".inner", pointee, isInner: true) };
        }
    }

    private void ReadPinning(BtfMember member)
    {
        var pinning = ReadUInt(member);
        if (_isInner || pinning > 1)
        {
            Fail(_isInner ? "inner def can't be pinned" : $"invalid pinning value {pinning}");
        }

        _map = _map with { PinByName = pinning == 1 };
    }

    private void Fail(string message) =>
        ElfFault.Throw(DiagCode.ElfBadMapDef, _file, ".maps", null, $"map '{_name}': {message}");
}
