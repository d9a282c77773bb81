using Kptr.Diagnostics;

namespace Kptr.Btf.CDecl;

/// <summary>The names declared so far, with the types that the base BTF knows behind them.</summary>
internal sealed class CScope(BtfBuilder builder)
{
    private readonly Dictionary<string, int> _typedefs = [];
    private readonly Dictionary<string, (BtfKind Kind, int Id)> _tags = [];
    private readonly Dictionary<string, int> _symbols = [];
    private readonly Dictionary<int, int> _aligns = [];
    private readonly Dictionary<string, (int Id, long EndBytes)> _sections = [];

    private readonly BtfLayout? _baseLayout = builder.Base is { } b ? new BtfLayout(b) : null;

    internal CTypes Types { get; } = new(builder);

    /// <summary>Enum values and <c>#define</c>d integers.</summary>
    internal Dictionary<string, long> Constants { get; } = [];

    internal bool IsTypedef(string name) =>
        _typedefs.ContainsKey(name) || CTypes.IsCommonTypedef(name) || BaseId(name, BtfKind.Typedef) != 0;

    /// <summary>
    /// The typedef's id, made at first use where it is one of the kernel's everyday names; 0 if unknown.
    /// </summary>
    internal int Typedef(string name)
    {
        if (_typedefs.TryGetValue(name, out var id) || (id = BaseId(name, BtfKind.Typedef)) != 0)
        {
            return id;
        }

        return CTypes.IsCommonTypedef(name) ? _typedefs[name] = Types.CommonTypedef(name, Typedef) : 0;
    }

    internal int DeclareTypedef(CToken name, int target)
    {
        if (_typedefs.TryGetValue(name.Text, out var known))
        {
            return builder.RefOf(known) == target
                ? known
                : throw new CSyntaxException(
                    DiagCode.CDeclRedefined, name, $"typedef '{name.Text}' is declared as another type before");
        }

        return _typedefs[name.Text] = builder.AddTypedef(name.Text, target);
    }

    /// <summary>
    /// The struct, union or enum of this name; a forward declaration is made of an unknown struct or union.
    /// </summary>
    internal int UseTag(CToken name, BtfKind kind)
    {
        if (_tags.TryGetValue(name.Text, out var known))
        {
            return known.Kind == kind ? known.Id : throw OtherKind(name, known.Kind);
        }

        var id = BaseTag(name.Text, kind);
        if (id == 0)
        {
            id = kind == BtfKind.Enum
                ? builder.AddEnum(name.Text, 4, false, [])
                : builder.AddFwd(name.Text, kind == BtfKind.Union);
            _tags[name.Text] = (kind, id);
        }

        return id;
    }

    /// <summary>The id under which a struct or union is about to be defined: its forward declaration.</summary>
    internal int OpenComposite(CToken? name, BtfKind kind)
    {
        if (name is not { } tag)
        {
            return builder.AddFwd("", kind == BtfKind.Union);
        }

        if (!_tags.TryGetValue(tag.Text, out var known))
        {
            known = (kind, builder.AddFwd(tag.Text, kind == BtfKind.Union));
            _tags[tag.Text] = known;
        }
        else if (known.Kind != kind)
        {
            throw OtherKind(tag, known.Kind);
        }

        return builder.KindOf(known.Id) == BtfKind.Fwd
            ? known.Id
            : throw new CSyntaxException(DiagCode.CDeclRedefined, tag, $"'{tag.Text}' is defined before");
    }

    internal void CloseComposite(int id, long sizeBytes, int align, List<BtfMember> members)
    {
        builder.Complete(id, (int)sizeBytes, members);
        _aligns[id] = align;
    }

    internal int DefineEnum(CToken? name, int sizeBytes, bool isSigned, List<BtfEnumValue> values)
    {
        if (name is { } tag && _tags.TryGetValue(tag.Text, out var known)
            && (known.Kind != BtfKind.Enum || !builder.IsEmpty(known.Id)))
        {
            throw known.Kind == BtfKind.Enum
                ? new CSyntaxException(DiagCode.CDeclRedefined, tag, $"'{tag.Text}' is defined before")
                : OtherKind(tag, known.Kind);
        }

        var text = name?.Text ?? "";
        var id = sizeBytes == 8
            ? builder.AddEnum64(text, sizeBytes, isSigned, values)
            : builder.AddEnum(text, sizeBytes, isSigned, values);
        if (name is not null)
        {
            _tags[text] = (BtfKind.Enum, id);
        }

        return id;
    }

    /// <summary>Declares a function or variable; the same declaration may be repeated.</summary>
    internal int DeclareSymbol(CToken name, int typeId, Func<int> add)
    {
        if (_symbols.TryGetValue(name.Text, out var known))
        {
            return builder.SameShape(builder.RefOf(known), typeId)
                ? known
                : throw new CSyntaxException(
                    DiagCode.CDeclRedefined, name, $"'{name.Text}' is declared with another type before");
        }

        return _symbols[name.Text] = add();
    }

    /// <summary>Places a variable at the end of a data section.</summary>
    internal void AddToSection(string section, int varId, long sizeBytes, int align)
    {
        if (!_sections.TryGetValue(section, out var sec))
        {
            sec = (builder.AddDataSec(section, 0, []), 0);
        }

        var at = (sec.EndBytes + align - 1) / align * align;
        _sections[section] = (sec.Id, at + sizeBytes);
        builder.AppendToDataSec(sec.Id, new(varId, (int)at, (int)sizeBytes));
    }

    internal (long Size, int Align) Layout(int id) => Types.Layout(id, AlignOfComposite);

    private int AlignOfComposite(int id) =>
        _aligns.TryGetValue(id, out var align) ? align : _baseLayout!.AlignOf(id);

    private int BaseTag(string name, BtfKind kind)
    {
        var id = BaseId(name, kind);
        if (id == 0 && kind == BtfKind.Enum)
        {
            id = BaseId(name, BtfKind.Enum64);
        }

        return id;
    }

    private int BaseId(string name, BtfKind kind) => builder.Base?.FindId(name, kind) ?? 0;

    private static CSyntaxException OtherKind(CToken name, BtfKind kind)
    {
        var word = kind switch { BtfKind.Struct => "a struct", BtfKind.Union => "a union", _ => "an enum" };
        return new(DiagCode.CDeclRedefined, name, $"'{name.Text}' is declared as {word} before");
    }
}
