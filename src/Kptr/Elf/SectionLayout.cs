using System.Text;
using Kptr.Diagnostics;

namespace Kptr.Elf;

/// <summary>What libbpf takes a section for.</summary>
internal enum SectionRole
{
    None,
    Code,
    Data,
    RoData,
    Bss,
    MapDefs,
    StructOps,
    Arena,
    Reloc,
}

/// <summary>The role of every section of an object, decided by name, type and flags as libbpf decides it.</summary>
internal sealed class SectionLayout
{
    private const int LicenseMaxChars = 63;
    private readonly SectionRole[] _roles;

    public SectionLayout(ElfFile file)
    {
        File = file;
        _roles = new SectionRole[file.Sections.Length];
        foreach (var section in file.Sections)
        {
            if (section.Index != 0 && !IsIgnored(section))
            {
                _roles[section.Index] = Classify(section);
            }
        }
    }

    public ElfFile File { get; }

    /// <summary>The <c>.text</c> section, home of subprograms; 0 where there is none.</summary>
    public int TextIdx { get; private set; }

    public ElfSection? MapDefs { get; private set; }

    public ElfSection? Arena { get; private set; }

    public ElfSection? Btf { get; private set; }

    public ElfSection? BtfExt { get; private set; }

    public string License { get; private set; } = "";

    public SectionRole RoleOf(int section) => (uint)section < (uint)_roles.Length ? _roles[section] : SectionRole.None;

    public IEnumerable<ElfSection> WithRole(params SectionRole[] roles) =>
        File.Sections.Where(s => roles.Contains(_roles[s.Index]));

    public static bool IsStructOpsName(string name) => name.TrimStart('?') is ".struct_ops" or ".struct_ops.link";

    private SectionRole Classify(ElfSection section)
    {
        switch (section.Name)
        {
            case "license":
                var text = section.Data.Span;
                var end = text.IndexOf((byte)0);
                text = end >= 0 ? text[..end] : text;
                License = Encoding.UTF8.GetString(text[..Math.Min(text.Length, LicenseMaxChars)]);
                return SectionRole.None;
            case "version":
                return section.SizeBytes == 4
                    ? SectionRole.None
                    : Fail(DiagCode.ElfMalformed, section, "the version section is not 4 bytes");
            case "maps":
                return Fail(DiagCode.ElfUnsupported, section,
                    "legacy map definitions in 'maps' section are not supported by libbpf v1.0+");
            case ".maps":
                MapDefs = section;
                return SectionRole.MapDefs;
            case ".BTF":
                Btf = RequireProgBits(section);
                return SectionRole.None;
            case ".BTF.ext":
                BtfExt = RequireProgBits(section);
                return SectionRole.None;
        }

        return section.Type switch
        {
            ElfConst.ProgBits when section.Data.Length > 0 => ClassifyProgBits(section),
            ElfConst.Rel => ClassifyReloc(section),
            ElfConst.NoBits when section.Name == ".bss" || section.Name.StartsWith(".bss.", StringComparison.Ordinal) =>
                SectionRole.Bss,
            _ => SectionRole.None,
        };
    }

    private SectionRole ClassifyProgBits(ElfSection section)
    {
        if (section.IsCode)
        {
            TextIdx = section.Name == ".text" ? section.Index : TextIdx;
            return SectionRole.Code;
        }

        if (section.Name == ".addr_space.1")
        {
            Arena = section;
            return SectionRole.Arena;
        }

        return section.Name switch
        {
            ".data" => SectionRole.Data,
            ".rodata" => SectionRole.RoData,
            var n when n.StartsWith(".data.", StringComparison.Ordinal) => SectionRole.Data,
            var n when n.StartsWith(".rodata.", StringComparison.Ordinal) => SectionRole.RoData,
            var n when IsStructOpsName(n) => SectionRole.StructOps,
            _ => SectionRole.None,
        };
    }

    private SectionRole ClassifyReloc(ElfSection section)
    {
        if (section.EntrySize != ElfConst.RelBytes || section.Info >= File.Sections.Length)
        {
            return Fail(DiagCode.ElfMalformed, section, "relocations of a wrong size, or for no section");
        }

        var name = section.Name;
        var isForData = name == ".rel.maps"
            || (name.StartsWith(".rel", StringComparison.Ordinal) && IsStructOpsName(name[4..]));
        return isForData || (File.Sections[(int)section.Info].Flags & ElfConst.FlagExec) != 0
            ? SectionRole.Reloc
            : SectionRole.None;
    }

    private ElfSection RequireProgBits(ElfSection section)
    {
        if (section.Type != ElfConst.ProgBits)
        {
            Fail(DiagCode.ElfMalformed, section, "BTF in a section without bytes");
        }

        return section;
    }

    private static bool IsIgnored(ElfSection section)
    {
        if (section.Type is ElfConst.StrTab or ElfConst.LlvmAddrSig)
        {
            return true;
        }

        if (section is { Type: ElfConst.ProgBits, SizeBytes: 0, Name: ".text" })
        {
            return true;
        }

        var name = section.Name;
        if (name.StartsWith(".rel", StringComparison.Ordinal))
        {
            name = name[4..];
            if (name is ".BTF" or ".BTF.ext")
            {
                return true;
            }
        }

        return name.StartsWith(".debug_", StringComparison.Ordinal);
    }

    private SectionRole Fail(DiagCode code, ElfSection section, string message)
    {
        ElfFault.Throw(code, File.Name, section.Name, 0, message);
        return SectionRole.None;
    }
}
