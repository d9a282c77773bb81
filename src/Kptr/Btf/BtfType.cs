using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Kptr.Btf;

/// <summary>One type of one <see cref="BtfSpec"/>: a light view, read from the BTF bytes on demand.</summary>
/// <param name="Btf">The BTF the type belongs to. In split BTF this may be the base.</param>
/// <param name="Id">The id by which it was asked for; 0 is <c>void</c>.</param>
/// <remarks>
/// Anything asked of a default value, or of an id that the BTF has not, is an <see cref="InvalidOperationException"/>.
/// </remarks>
public readonly record struct BtfType(BtfSpec Btf, int Id)
{
    /// <summary>The kind; <see cref="BtfKind.Void"/> for id 0.</summary>
    public BtfKind Kind => Known.KindOf(Id);

    /// <summary>The name, empty for anonymous types.</summary>
    public string Name => Known.NameOf(Id);

    /// <summary>Number of members, values, parameters or variables.</summary>
    public int VLen => Known.VLenOf(Id);

    /// <summary>
    /// The <c>kind_flag</c> bit: bit fields in structs, signed enums, union in <see cref="BtfKind.Fwd"/>.
    /// </summary>
    public bool KindFlag => Known.KindFlagOf(Id);

    /// <summary>Size in bytes of a sized kind; 0 for the others (see <see cref="BtfSpec.ResolveSize"/>).</summary>
    public int SizeBytes => Known.SizeOf(Id);

    /// <summary>The type referred to by pointers, modifiers, typedefs, functions (their prototype), prototypes (their
    /// return type), variables and tags.</summary>
    public int RefTypeId => Known.RefTypeOf(Id);

    /// <summary>The type referred to.</summary>
    public BtfType Ref => Known[RefTypeId];

    /// <summary>The type below typedefs, <c>const</c>, <c>volatile</c>, <c>restrict</c> and type tags.</summary>
    public BtfType SkipModifiers() => Known.SkipModifiers(Id);

    /// <summary>Whether this is a struct or a union.</summary>
    public bool IsComposite => Kind is BtfKind.Struct or BtfKind.Union;

    /// <summary>Member <paramref name="index"/> of a struct or union.</summary>
    /// <exception cref="InvalidOperationException">This is no struct or union.</exception>
    /// <exception cref="ArgumentOutOfRangeException">It has no such member.</exception>
    public BtfMember Member(int index) => KnownAs(IsComposite, "struct or union").MemberOf(Id, Checked(index));

    /// <summary>Parameter <paramref name="index"/> of a prototype.</summary>
    /// <exception cref="InvalidOperationException">This is no prototype.</exception>
    /// <exception cref="ArgumentOutOfRangeException">It has no such param.</exception>
    public BtfParam Param(int index) => KnownAs(Kind is BtfKind.FuncProto, "prototype").ParamOf(Id, Checked(index));

    /// <summary>Value <paramref name="index"/> of an enum.</summary>
    /// <exception cref="InvalidOperationException">This is no enum.</exception>
    /// <exception cref="ArgumentOutOfRangeException">It has no such value.</exception>
    public BtfEnumValue EnumValue(int index) =>
        KnownAs(Kind is BtfKind.Enum or BtfKind.Enum64, "enum").EnumValueOf(Id, Checked(index));

    /// <summary>Variable <paramref name="index"/> of a data section.</summary>
    /// <exception cref="InvalidOperationException">This is no data section.</exception>
    /// <exception cref="ArgumentOutOfRangeException">It has no such var.</exception>
    public BtfVarSecInfo Var(int index) => KnownAs(Kind is BtfKind.DataSec, "data section").VarOf(Id, Checked(index));

    /// <summary>Element type and count of an array.</summary>
    /// <exception cref="InvalidOperationException">This is no array.</exception>
    public BtfArrayInfo Array => KnownAs(Kind is BtfKind.Array, "array").ArrayOf(Id);

    /// <summary>Encoding of an integer.</summary>
    /// <exception cref="InvalidOperationException">This is no integer.</exception>
    public BtfIntInfo Int => KnownAs(Kind is BtfKind.Int, "integer").IntOf(Id);

    /// <summary>Linkage of a function or variable: 0 static, 1 global, 2 extern.</summary>
    public int Linkage => Known.LinkageOf(Id);

    /// <summary>Of a <see cref="BtfKind.DeclTag"/>: member or parameter index, or -1 for the type itself.</summary>
    /// <exception cref="InvalidOperationException">This is no declaration tag.</exception>
    public int ComponentIdx => KnownAs(Kind is BtfKind.DeclTag, "declaration tag").ComponentIdxOf(Id);

    /// <summary>Kind, name and id.</summary>
    public override string ToString() => Btf is null || (uint)Id >= (uint)Btf.TypeCount ? $"no type ({Id})"
        : Name.Length == 0 ? $"{Kind} ({Id})" : $"{Kind} {Name} ({Id})";

    private BtfSpec Known
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get
        {
            if (Btf is null || (uint)Id >= (uint)Btf.TypeCount)
            {
                ThrowUnknown();
            }

            return Btf;
        }
    }

    private BtfSpec KnownAs(bool isOfKind, string what) =>
        isOfKind ? Btf : throw new InvalidOperationException($"type {Id} ({Kind} {Name}) is no {what}");

    private int Checked(int index)
    {
        if ((uint)index >= (uint)VLen)
        {
            throw new ArgumentOutOfRangeException(
                nameof(index), index, $"type {Id} ({Kind} {Name}) has {VLen} of them");
        }

        return index;
    }

    [DoesNotReturn]
    private void ThrowUnknown() => throw new InvalidOperationException(Btf is null
        ? $"a default {nameof(BtfType)} is no type" : $"{Btf.Name} has {Btf.TypeCount} types and none with id {Id}");
}
