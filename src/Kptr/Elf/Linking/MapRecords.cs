using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Elf.Linking;

/// <summary>Gives maps the record of their value's special fields.</summary>
internal sealed class MapRecords
{
    private readonly BtfRecordReader _reader;
    private readonly KernelProfile _profile;

    /// <param name="btf">The object's BTF as the kernel gets it.</param>
    /// <param name="kernel">The kernel whose types and rules count.</param>
    public MapRecords(BtfSpec btf, KernelSpec kernel)
    {
        Btf = btf;
        _profile = kernel.Profile;
        _reader = new(btf, kernel.Types, kernel.Dtors.GetValueOrDefault, kernel.Profile.RecordRules);
        LoadFault = _reader.Load.IsOk
            ? null
            : new(DiagCode.BtfMalformed, $"the kernel refuses the object's BTF: {_reader.Load.Message}")
            {
                Section = ".BTF",
            };
    }

    /// <summary>The BTF that linked maps refer to.</summary>
    public BtfSpec Btf { get; }

    /// <summary>Why a kernel would not take the BTF at all; null where it would.</summary>
    public Diagnostic? LoadFault { get; }

    public MapSpec Resolve(MapSpec map, ref Diagnostic? fault)
    {
        if (map.InnerMap is { } inner)
        {
            map = map with { InnerMap = Resolve(inner, ref fault) };
        }

        if (!TakesBtf(map.Type))
        {
            return map.WithoutTypes();
        }

        map = map.Btf is null ? map : map with { Btf = Btf };
        if (map.Btf is null || map.ValueTypeId == 0)
        {
            return map;
        }

        var result = _reader.ReadMapValue(map.ValueTypeId, map.ValueSize);
        if (BtfRecordReader.RefusesMap(result))
        {
            fault ??= new(DiagCode.ElfBadMapDef, $"map '{map.Name}': {result.Message}") { Section = ".maps" };
        }

        map = map with { Record = result.Record };
        var refused = MapBtfRules.Check(map, _profile);
        if (refused != Errno.None && MapBtfRules.NeedsTypes(map.Type))
        {
            fault ??= new(DiagCode.MapRefused, $"map '{map.Name}': the kernel refuses its types ({refused})")
            {
                Section = ".maps",
            };
        }

        // libbpf tries again without the types.
        return refused == Errno.None ? map : map.WithoutTypes();
    }

    /// <summary>
    /// Whether libbpf tells the kernel the types of key and value. A map made without has no special fields.
    /// </summary>
    private static bool TakesBtf(BpfMapType type) => type is not (BpfMapType.PerfEventArray or BpfMapType.CgroupArray
        or BpfMapType.StackTrace or BpfMapType.ArrayOfMaps or BpfMapType.HashOfMaps or BpfMapType.Devmap
        or BpfMapType.DevmapHash
        or BpfMapType.Cpumap or BpfMapType.Xskmap or BpfMapType.Sockmap or BpfMapType.Sockhash or BpfMapType.Queue
        or BpfMapType.Stack or BpfMapType.Arena or BpfMapType.StructOps);
}
