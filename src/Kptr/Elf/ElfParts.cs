namespace Kptr.Elf;

/// <summary>One section header with its name and bytes.</summary>
/// <param name="Index">Place in the section table.</param>
/// <param name="Name">Its name.</param>
/// <param name="Type"><c>sh_type</c>.</param>
/// <param name="Flags"><c>sh_flags</c>.</param>
/// <param name="Link"><c>sh_link</c>: of symbol tables the string table.</param>
/// <param name="Info"><c>sh_info</c>: of relocations the section they apply to.</param>
/// <param name="EntrySize"><c>sh_entsize</c>.</param>
/// <param name="SizeBytes"><c>sh_size</c>; of <see cref="ElfConst.NoBits"/> sections there is no
/// data of that size.</param>
/// <param name="Data">The bytes in the file.</param>
internal sealed record ElfSection(
    int Index, string Name, uint Type, ulong Flags, uint Link, uint Info, ulong EntrySize, long SizeBytes,
    ReadOnlyMemory<byte> Data)
{
    public bool IsCode => Type == ElfConst.ProgBits && (Flags & ElfConst.FlagExec) != 0;
}

/// <summary>One symbol; its name is read on demand (<see cref="ElfFile.NameOf"/>).</summary>
internal readonly record struct ElfSymbol(
    int Index, uint NameOffset, byte Info, byte Other, ushort Section, ulong Value, ulong Size)
{
    public int Bind => Info >> 4;

    public int Type => Info & 0xf;

    /// <summary>Global or weak, but not to be seen outside: the loader treats it as static.</summary>
    public bool IsHidden => (Other & 3) is ElfConst.VisInternal or ElfConst.VisHidden;

    public bool IsGlobal => Bind is ElfConst.BindGlobal or ElfConst.BindWeak;

    /// <summary>Undefined, without type, global or weak: what C calls <c>extern</c>.</summary>
    public bool IsExtern => Section == 0 && IsGlobal && Type == ElfConst.SymNoType;
}

/// <summary>One entry of a <c>SHT_REL</c> section.</summary>
internal readonly record struct ElfReloc(ulong Offset, int SymbolIndex, uint Type);

/// <summary>Numbers of the ELF specification, as far as BPF objects use them.</summary>
internal static class ElfConst
{
    public const int HeaderBytes = 64;
    public const int SectionHeaderBytes = 64;
    public const int SymbolBytes = 24;
    public const int RelBytes = 16;

    public const ushort TypeRel = 1;
    public const ushort MachineBpf = 247;

    public const uint ProgBits = 1;
    public const uint SymTab = 2;
    public const uint StrTab = 3;
    public const uint NoBits = 8;
    public const uint Rel = 9;
    public const uint LlvmAddrSig = 0x6FFF4C03;

    public const ulong FlagExec = 4;

    public const int SymNoType = 0;
    public const int SymObject = 1;
    public const int SymFunc = 2;
    public const int SymSection = 3;

    public const int BindLocal = 0;
    public const int BindGlobal = 1;
    public const int BindWeak = 2;

    public const int VisInternal = 1;
    public const int VisHidden = 2;

    public const ushort SectionLoReserve = 0xff00;
    public const ushort SectionXIndex = 0xffff;
}
