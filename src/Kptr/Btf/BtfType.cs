namespace Kptr.Btf;

/// <summary>One type of one <see cref="BtfSpec"/>: a light view, read from the BTF bytes on demand.</summary>
/// <param name="Btf">The BTF the type belongs to. In split BTF this may be the base.</param>
/// <param name="Id">The id by which it was asked for; 0 is <c>void</c>.</param>
public readonly record struct BtfType(BtfSpec Btf, int Id)
{
    /// <summary>The kind; <see cref="BtfKind.Void"/> for id 0.</summary>
    public BtfKind Kind => Btf.KindOf(Id);

    /// <summary>The name, empty for anonymous types.</summary>
    public string Name => Btf.NameOf(Id);

    /// <summary>Number of members, values, parameters or variables.</summary>
    public int VLen => Btf.VLenOf(Id);

    /// <summary>
    /// The <c>kind_flag</c> bit: bit fields in structs, signed enums, union in <see cref="BtfKind.Fwd"/>.
    /// </summary>
    public bool KindFlag => Btf.KindFlagOf(Id);

    /// <summary>Size in bytes of a sized kind; 0 for the others (see <see cref="BtfSpec.ResolveSize"/>).</summary>
    public int SizeBytes => Btf.SizeOf(Id);

    /// <summary>The type referred to by pointers, modifiers, typedefs, functions (their prototype), prototypes (their
    /// return type), variables and tags.</summary>
    public int RefTypeId => Btf.RefTypeOf(Id);

    /// <summary>The type referred to.</summary>
    public BtfType Ref => Btf[RefTypeId];

    /// <summary>The type below typedefs, <c>const</c>, <c>volatile</c>, <c>restrict</c> and type tags.</summary>
    public BtfType SkipModifiers() => Btf.SkipModifiers(Id);

    /// <summary>Whether this is a struct or a union.</summary>
    public bool IsComposite => Kind is BtfKind.Struct or BtfKind.Union;

    /// <summary>Member <paramref name="index"/> of a struct or union.</summary>
    public BtfMember Member(int index) => Btf.MemberOf(Id, index);

    /// <summary>Parameter <paramref name="index"/> of a prototype.</summary>
    public BtfParam Param(int index) => Btf.ParamOf(Id, index);

    /// <summary>Value <paramref name="index"/> of an enum.</summary>
    public BtfEnumValue EnumValue(int index) => Btf.EnumValueOf(Id, index);

    /// <summary>Variable <paramref name="index"/> of a data section.</summary>
    public BtfVarSecInfo Var(int index) => Btf.VarOf(Id, index);

    /// <summary>Element type and count of an array.</summary>
    public BtfArrayInfo Array => Btf.ArrayOf(Id);

    /// <summary>Encoding of an integer.</summary>
    public BtfIntInfo Int => Btf.IntOf(Id);

    /// <summary>Linkage of a function or variable: 0 static, 1 global, 2 extern.</summary>
    public int Linkage => Btf.LinkageOf(Id);

    /// <summary>Of a <see cref="BtfKind.DeclTag"/>: member or parameter index, or -1 for the type itself.</summary>
    public int ComponentIdx => Btf.ComponentIdxOf(Id);
}
