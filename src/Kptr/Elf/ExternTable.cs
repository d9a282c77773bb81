using System.Collections.Immutable;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Elf;

/// <summary>The <c>extern</c> symbols of an object, with the kconfig values laid out in their map.</summary>
internal sealed class ExternTable
{
    private readonly Dictionary<int, ExternSpec> _bySymbol = [];

    public ExternTable(ElfFile file, BtfSpec? btf)
    {
        var found = file.Symbols
            .Where(s => s.IsExtern)
            .Select(s => (s.Index, Name: file.NameOf(s), IsWeak: s.Bind == ElfConst.BindWeak))
            .Where(s => s.Name.Length > 0).ToArray();
        if (found.Length == 0)
        {
            All = [];
            return;
        }

        if (btf is null)
        {
            ElfFault.Throw(DiagCode.ElfBtfMissing, file.Name, null, null,
                $"failed to find BTF for extern '{found[0].Name}': the object has none");
        }

        var ids = IndexVariables(btf);
        var sections = IndexSections(btf);
        var specs = found.Select(s => (s.Index, Spec: Read(file.Name, btf, ids, sections, s.Name, s.IsWeak))).ToArray();
        All = Order(btf, specs);
    }

    /// <summary>Kconfig values by falling alignment, size and name; then kernel symbols by name.</summary>
    public ImmutableArray<ExternSpec> All { get; }

    /// <summary>Size of the <c>.kconfig</c> map's value; 0 where there is none.</summary>
    public int KconfigSizeBytes { get; private set; }

    public ExternSpec? BySymbol(int symbol) => _bySymbol.GetValueOrDefault(symbol);

    private ImmutableArray<ExternSpec> Order(BtfSpec btf, (int Symbol, ExternSpec Spec)[] specs)
    {
        var sorted = specs
            .OrderBy(e => e.Spec.Kind == ExternKind.Kconfig ? 0 : 1)
            .ThenByDescending(e => e.Spec.Kind == ExternKind.Kconfig ? btf.AlignOf(e.Spec.LocalTypeId) : 0)
            .ThenBy(e => e.Spec.Kconfig?.SizeBytes ?? 0)
            .ThenBy(e => e.Spec.Name, StringComparer.Ordinal);
        var all = ImmutableArray.CreateBuilder<ExternSpec>(specs.Length);
        foreach (var (symbol, spec) in sorted)
        {
            var placed = spec;
            if (spec.Kconfig is { } slot)
            {
                var align = btf.AlignOf(spec.LocalTypeId);
                slot = slot with { OffsetBytes = (KconfigSizeBytes + align - 1) / align * align };
                KconfigSizeBytes = slot.OffsetBytes + slot.SizeBytes;
                placed = spec with { Kconfig = slot };
            }

            all.Add(_bySymbol[symbol] = placed);
        }

        return all.MoveToImmutable();
    }

    private static ExternSpec Read(
        string file, BtfSpec btf, Dictionary<string, int> ids, Dictionary<int, string> sections,
        string name, bool isWeak)
    {
        var id = ids.GetValueOrDefault(name);
        if (id == 0 || btf[id].Linkage != 2)
        {
            ElfFault.Throw(DiagCode.ElfBadExtern, file, ".BTF", null, $"failed to find BTF for extern '{name}'");
        }

        if (!sections.TryGetValue(id, out var section))
        {
            ElfFault.Throw(DiagCode.ElfBadExtern, file, ".BTF",
                null, $"failed to find BTF for extern '{name}' [{id}] section");
        }

        var type = btf.SkipModifiers(btf[id].RefTypeId);
        switch (section)
        {
            case ".kconfig" when btf[id].Kind == BtfKind.Var:
                return new(name, ExternKind.Kconfig, isWeak, type.Id) { Kconfig = ReadKconfig(file, btf, name, type) };
            case ".ksyms":
                var kind = btf[id].Kind == BtfKind.Func ? ExternKind.KsymFunc
                    : type.Id == 0 ? ExternKind.KsymTypeless : ExternKind.KsymVar;
                return new(name, kind, isWeak, type.Id);
            default:
                ElfFault.Throw(DiagCode.ElfBadExtern, file, ".BTF", null,
                    $"extern '{name}' is in unrecognized section '{section}'");
                return null;
        }
    }

    private static KconfigSlot ReadKconfig(string file, BtfSpec btf, string name, BtfType type)
    {
        var size = btf.ResolveSize(type.Id);
        if (size <= 0 || KconfigTypeOf(btf, type) is not { } kind)
        {
            ElfFault.Throw(DiagCode.ElfBadExtern, file, ".BTF", null, $"extern (kcfg) '{name}': type is unsupported");
            return null;
        }

        return new(kind, 0, size, type.Kind == BtfKind.Int && type.Int.IsSigned);
    }

    private static KconfigType? KconfigTypeOf(BtfSpec btf, BtfType type) => type.Kind switch
    {
        BtfKind.Int when type.Int.IsBool => type.SizeBytes == 1 ? KconfigType.Bool : null,
        BtfKind.Int when type.SizeBytes == 1 => KconfigType.Char,
        BtfKind.Int when type.SizeBytes is 2 or 4 or 8 => KconfigType.Int,
        BtfKind.Enum when type is { SizeBytes: 4, Name: "libbpf_tristate" } => KconfigType.Tristate,
        BtfKind.Enum64 when type.Name == "libbpf_tristate" => KconfigType.Tristate,
        BtfKind.Array when type.Array.Count > 0
            && btf.SkipModifiers(type.Array.ElemTypeId) is { Kind: BtfKind.Int, SizeBytes: 1 } e
            && !e.Int.IsBool => KconfigType.CharArray,
        _ => null,
    };

    private static Dictionary<string, int> IndexVariables(BtfSpec btf)
    {
        var ids = new Dictionary<string, int>();
        for (var id = 1; id < btf.TypeCount; id++)
        {
            if (btf[id].Kind is BtfKind.Var or BtfKind.Func)
            {
                ids.TryAdd(btf[id].Name, id);
            }
        }

        return ids;
    }

    private static Dictionary<int, string> IndexSections(BtfSpec btf)
    {
        var sections = new Dictionary<int, string>();
        for (var id = 1; id < btf.TypeCount; id++)
        {
            var type = btf[id];
            for (var i = 0; type.Kind == BtfKind.DataSec && i < type.VLen; i++)
            {
                sections.TryAdd(type.Var(i).TypeId, type.Name);
            }
        }

        return sections;
    }
}
