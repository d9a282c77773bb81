using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Elf;

/// <summary>
/// The order in which an object is taken apart; libbpf's order, so that the first fault found is the one libbpf names.
/// </summary>
internal sealed class ObjectBuilder(ElfFile file)
{
    private readonly SectionLayout _layout = new(file);
    private Diagnostic? _btfFault;

    public ObjectSpec Build()
    {
        var progs = new ElfProgTable(_layout);
        var raw = ReadBtf();
        var ext = new ExtInfo(file, _layout.BtfExt, raw);
        var externs = new ExternTable(file, raw);
        var btf = raw is null ? null : BtfFixup.Apply(file, raw, _layout.Btf!.Data, externs, progs);
        var maps = new ElfMapTable(_layout, btf, externs);
        new RelocReader(_layout, progs, maps, externs, btf).ReadAll();

        var parts = new ObjectParts(file.Name, _layout.License, progs, externs, ext, btf);
        var budget = new InsnBudget(file.SizeBytes);
        var built = progs.All.Where(p => !progs.IsSubprog(p)).Select(p => ProgAssembler.Build(parts, p, budget));
        return new(ObjectName(file.Name))
        {
            License = _layout.License,
            Progs = [.. WithStructOps(built, maps)],
            Maps = [.. maps.All.Select(m => m.Spec)],
            Btf = btf,
            BtfFault = _btfFault,
            Externs = externs.All,
        };
    }

    private BtfSpec? ReadBtf()
    {
        if (_layout.Btf is not { } section)
        {
            return null;
        }

        try
        {
            return ReadBtf(section);
        }
        catch (DiagnosticException unreadable) when (CanDoWithoutBtf)
        {
            _btfFault = unreadable.Diagnostics[0];
            return null;
        }
    }

    /// <summary>Whether libbpf goes on with BTF that it cannot read: maps and struct_ops are made of it.</summary>
    private bool CanDoWithoutBtf =>
        _layout.MapDefs is null && !file.Sections.Any(s => SectionLayout.IsStructOpsName(s.Name));

    private BtfSpec ReadBtf(ElfSection section)
    {
        if (!section.Data.Span.StartsWith((ReadOnlySpan<byte>)[0x9f, 0xeb]))
        {
            ElfFault.Throw(DiagCode.BtfBadHeader, file.Name, section.Name, 0, "no little-endian BTF");
        }

        var btf = BtfSpec.Read(section.Data, file.Name);
        for (var id = 1; id < btf.TypeCount; id++)
        {
            if (btf.KindOf(id) == BtfKind.Func && btf.KindOf(btf.RefTypeOf(id)) != BtfKind.FuncProto)
            {
                ElfFault.Throw(DiagCode.BtfMalformed, file.Name, section.Name, 0,
                    $"type [{id}]: referenced type [{btf.RefTypeOf(id)}] is not FUNC_PROTO");
            }
        }

        return btf;
    }

    /// <summary>The file's name up to its first dot, as libbpf names objects.</summary>
    private static string ObjectName(string path)
    {
        var name = Path.GetFileName(path);
        var dot = name.IndexOf('.', StringComparison.Ordinal);
        return dot >= 0 ? name[..dot] : name;
    }

    /// <summary>
    /// Programs in <c>struct_ops</c> slots learn their type and member, and are loaded where one of their maps is.
    /// </summary>
    private static IEnumerable<ProgSpec> WithStructOps(IEnumerable<ProgSpec> progs, ElfMapTable maps)
    {
        var uses = maps.All.Where(m => m.Spec.StructOps is not null)
            .SelectMany(m => m.Spec.StructOps!.Slots.Select(s => (s.Prog, Map: m.Spec, s.Member)))
            .ToLookup(u => u.Prog);
        foreach (var prog in progs)
        {
            var mine = uses[prog.Name].ToArray();
            yield return mine.Length == 0 || prog.Type != ProgType.StructOps
                ? prog
                : prog with
                {
                    AttachTarget = $"{mine[0].Map.StructOps!.TypeName}.{mine[0].Member}",
                    Autoload = mine.Any(u => u.Map.Autocreate),
                };
        }
    }
}
