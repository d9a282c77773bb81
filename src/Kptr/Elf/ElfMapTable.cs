using System.Collections.Immutable;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Elf;

/// <summary>A map while its object is being read, with the place in the file that symbols point to.</summary>
internal sealed class ElfMap(MapSpec spec, int section, long offset, long size)
{
    public MapSpec Spec { get; set; } = spec;

    public int Section { get; } = section;

    public long Offset { get; } = offset;

    public long SizeBytes { get; } = size;

    /// <summary>The definition's struct, of maps in <c>.maps</c> and of <c>struct_ops</c>; else <c>void</c>.</summary>
    public BtfType Def { get; init; }
}

/// <summary>All maps of an object, in libbpf's order.</summary>
internal sealed class ElfMapTable
{
    private readonly SectionLayout _layout;
    private readonly ElfFile _file;
    private readonly BtfSpec? _btf;
    private readonly List<ElfMap> _all = [];

    public ElfMapTable(SectionLayout layout, BtfSpec? btf, ExternTable externs)
    {
        _layout = layout;
        _file = layout.File;
        _btf = btf;
        AddDefined();
        foreach (var section in layout
            .WithRole(SectionRole.Data, SectionRole.RoData, SectionRole.Bss)
            .Where(s => s.SizeBytes > 0))
        {
            AddData(section);
        }

        AddKconfig(externs);
        foreach (var section in layout.WithRole(SectionRole.StructOps))
        {
            AddStructOps(section);
        }
    }

    public IReadOnlyList<ElfMap> All => _all;

    /// <summary>The one arena map, or null.</summary>
    public ElfMap? Arena { get; private set; }

    public ElfMap? FindAt(int section, long offset) => _all.Find(m => m.Section == section && m.Offset == offset);

    public ElfMap? FindCovering(int section, ulong offset, int sizeBytes) =>
        _all.Find(m => m.Section == section && offset >= (ulong)m.Offset
            && offset + (ulong)sizeBytes <= (ulong)(m.Offset + m.SizeBytes)
            && offset <= long.MaxValue);

    private BtfSpec RequireBtf(string section)
    {
        if (_btf is null)
        {
            ElfFault.Throw(DiagCode.ElfBtfMissing, _file.Name, section, null,
                "BTF is required, but is missing or corrupted");
        }

        return _btf;
    }

    private void AddDefined()
    {
        if (_layout.MapDefs is { } section)
        {
            var btf = RequireBtf(section.Name);
            var id = btf.FindId(section.Name, BtfKind.DataSec);
            if (id == 0)
            {
                Fail(DiagCode.ElfBadMapDef, section.Name, "DATASEC '.maps' not found");
            }

            for (var i = 0; i < btf[id].VLen; i++)
            {
                AddDefined(btf, section, btf[id].Var(i));
            }
        }

        if (_layout.Arena is { } arena && Arena is null)
        {
            Fail(DiagCode.ElfBadMapDef, arena.Name, "global __arena variables need an arena map declared in .maps");
        }
    }

    private void AddDefined(BtfSpec btf, ElfSection section, BtfVarSecInfo info)
    {
        var variable = btf[info.TypeId];
        if (variable.Name.Length == 0 || variable.Kind != BtfKind.Var || variable.Linkage != 1)
        {
            Fail(DiagCode.ElfBadMapDef, section.Name, $"map '{variable.Name}' is no global variable");
        }

        var def = btf.SkipModifiers(variable.RefTypeId);
        if (info.OffsetBytes < 0 || info.SizeBytes < 0 || (long)info.OffsetBytes + info.SizeBytes > section.SizeBytes
            || def.Kind != BtfKind.Struct || def.SizeBytes > info.SizeBytes)
        {
            Fail(DiagCode.ElfBadMapDef, section.Name, $"map '{variable.Name}' BTF data is corrupted");
        }

        var spec = MapDefReader.Read(_file.Name, btf, variable.Name, def);
        var map = new ElfMap(spec, section.Index, info.OffsetBytes, info.SizeBytes) { Def = def };
        _all.Add(map);
        if (spec.Type != BpfMapType.Arena)
        {
            return;
        }

        if (Arena is not null)
        {
            Fail(DiagCode.ElfBadMapDef, section.Name, $"map '{spec.Name}': only single ARENA map is supported");
        }

        Arena = map;
        if (_layout.Arena is { } data)
        {
            map.Spec = WithArenaData(spec, data);
        }
    }

    private MapSpec WithArenaData(MapSpec spec, ElfSection data)
    {
        const long PageBytes = 4096;
        if ((data.SizeBytes + PageBytes - 1) / PageBytes > spec.MaxEntries)
        {
            Fail(DiagCode.ElfBadMapDef, data.Name,
                $"the arena of {spec.MaxEntries} pages is too small for {data.SizeBytes} bytes of variables");
        }

        return spec with { InitialValue = [.. data.Data.Span] };
    }

    private void AddData(ElfSection section)
    {
        var role = _layout.RoleOf(section.Index);
        var typeId = _btf?.FindId(section.Name, BtfKind.DataSec) ?? 0;
        var isReadOnly = role == SectionRole.RoData;
        _all.Add(new(
            DataMap(section.Name, typeId, (int)section.SizeBytes, isReadOnly) with
            {
                InitialValue = role == SectionRole.Bss ? default : [.. section.Data.Span],
            },
            section.Index,
            0,
            section.SizeBytes));
    }

    private void AddKconfig(ExternTable externs)
    {
        if (externs.KconfigSizeBytes > 0)
        {
            var typeId = _btf!.FindId(".kconfig", BtfKind.DataSec);
            _all.Add(new(DataMap(".kconfig", typeId, externs.KconfigSizeBytes, isReadOnly: true),
                -1, 0, externs.KconfigSizeBytes));
        }
    }

    private MapSpec DataMap(string name, int typeId, int sizeBytes, bool isReadOnly) => new(name, BpfMapType.Array)
    {
        KeySize = 4,
        ValueSize = sizeBytes,
        MaxEntries = 1,
        Flags = (isReadOnly ? MapFlags.RdOnlyProg : MapFlags.None)
            | (IsMmapable(typeId) ? MapFlags.Mmapable : MapFlags.None),
        Btf = typeId != 0 ? _btf : null,
        ValueTypeId = typeId,
        Frozen = isReadOnly,
    };

    /// <summary>
    /// A data map can be mapped into user space where one of its variables is visible outside the object.
    /// </summary>
    private bool IsMmapable(int typeId)
    {
        for (var i = 0; typeId != 0 && i < _btf![typeId].VLen; i++)
        {
            var variable = _btf[_btf[typeId].Var(i).TypeId];
            if (variable.Kind == BtfKind.Var && variable.Linkage != 0)
            {
                return true;
            }
        }

        return false;
    }

    private void AddStructOps(ElfSection section)
    {
        var btf = RequireBtf(section.Name);
        var id = btf.FindId(section.Name, BtfKind.DataSec);
        if (id == 0)
        {
            Fail(DiagCode.ElfBadStructOps, section.Name, $"DATASEC {section.Name} not found");
        }

        var isLink = section.Name.EndsWith(".link", StringComparison.Ordinal);
        for (var i = 0; i < btf[id].VLen; i++)
        {
            var info = btf[id].Var(i);
            var type = btf.SkipModifiers(btf[info.TypeId].RefTypeId);
            if (type.Kind != BtfKind.Struct || type.Name.Length == 0)
            {
                Fail(DiagCode.ElfBadStructOps, section.Name,
                    $"'{btf[info.TypeId].Name}' is not of a struct with a name");
            }

            if (info.OffsetBytes < 0 || type.SizeBytes < 0
                || (long)info.OffsetBytes + type.SizeBytes > section.Data.Length)
            {
                Fail(DiagCode.ElfBadStructOps, section.Name,
                    $"'{btf[info.TypeId].Name}' is beyond the end of its section");
            }

            var spec = new MapSpec(btf[info.TypeId].Name, BpfMapType.StructOps)
            {
                KeySize = 4,
                ValueSize = type.SizeBytes,
                MaxEntries = 1,
                Flags = isLink ? MapFlags.Link : MapFlags.None,
                Btf = btf,
                ValueTypeId = type.Id,
                InitialValue = [.. section.Data.Span.Slice(info.OffsetBytes, type.SizeBytes)],
                Autocreate = section.Name[0] != '?',
                StructOps = new(type.Name, ImmutableArray<(string, string)>.Empty),
            };
            _all.Add(new(spec, section.Index, info.OffsetBytes, type.SizeBytes) { Def = type });
        }
    }

    private void Fail(DiagCode code, string section, string message) =>
        ElfFault.Throw(code, _file.Name, section, null, message);
}
