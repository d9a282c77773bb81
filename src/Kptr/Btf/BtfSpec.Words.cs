namespace Kptr.Btf;

/// <content>What one type's words say. Ids must be valid; none of these allocate unless they return a name.</content>
/// <remarks>
/// <code>
/// every type   name_off | kind_flag:1 kind:5 (at 24) vlen:16 | size or type id | what follows depends on the kind
/// member       name_off | type id | bit offset:32, or with kind_flag bits:8 (at 24) bit offset:24
/// </code>
/// <para>Sizes, counts and places have 32 bits without a sign. Here they are at most <see cref="int.MaxValue"/>; the
/// kernel's checks of an object's BTF ask for all bits.</para>
/// </remarks>
public sealed partial class BtfSpec
{
    internal BtfKind KindOf(int id) => id == 0 ? BtfKind.Void : (BtfKind)((Word(id, 1) >> 24) & 0x1f);

    internal int VLenOf(int id) => id == 0 ? 0 : (int)(Word(id, 1) & 0xffff);

    internal bool KindFlagOf(int id) => id != 0 && (Word(id, 1) >> 31) != 0;

    internal int SizeOf(int id) => KindOf(id) switch
    {
        BtfKind.Int or BtfKind.Struct or BtfKind.Union or BtfKind.Enum or BtfKind.Enum64
            or BtfKind.Float or BtfKind.DataSec
            => Saturated(Word(id, 2)),
        BtfKind.Ptr => 8,
        _ => 0,
    };

    internal int RefTypeOf(int id) => KindOf(id) switch
    {
        BtfKind.Ptr or BtfKind.Typedef or BtfKind.Volatile or BtfKind.Const or BtfKind.Restrict or BtfKind.Func
            or BtfKind.Var or BtfKind.DeclTag or BtfKind.TypeTag => (int)Word(id, 2),
        BtfKind.FuncProto => HasResult(id) ? (int)Word(id, 2) : 0,
        _ => 0,
    };

    /// <summary>
    /// All bits of a type's size in bytes, 8 for a pointer and 0 for what has none.
    /// </summary>
    internal uint WholeSizeOf(int id) => SizeOf(id) is var size and not int.MaxValue ? (uint)size : Word(id, 2);

    /// <summary>
    /// Whether the result of a prototype is a type that exists. libbpf does not ask, a kernel refuses the BTF.
    /// </summary>
    internal bool HasResult(int id) => Word(id, 2) < TypeCount;

    /// <summary>The id below typedefs, qualifiers and type tags; a chain without end stops somewhere in it.</summary>
    internal int SkipModifiersId(int id)
    {
        for (var left = ModifierChainMax; left > 0 && IsModifier(KindOf(id)); left--)
        {
            id = (int)Word(id, 2);
        }

        return id;
    }

    internal static bool IsModifier(BtfKind kind) =>
        kind is BtfKind.Typedef or BtfKind.Const or BtfKind.Volatile or BtfKind.Restrict or BtfKind.TypeTag;

    internal BtfMember MemberOf(int id, int i) =>
        new(MemberNameOf(id, i), MemberTypeOf(id, i), MemberBitOffsetOf(id, i), MemberBitsOf(id, i));

    internal int MemberTypeOf(int id, int i) => (int)Word(id, 4 + (3 * i));

    internal int MemberBitOffsetOf(int id, int i) =>
        Saturated(MemberPlaceOf(id, i));

    /// <summary>All bits of a member's offset in bits.</summary>
    internal uint MemberPlaceOf(int id, int i) =>
        Word(id, 5 + (3 * i)) & (KindFlagOf(id) ? 0xffffffu : uint.MaxValue);

    /// <summary>Width of a bit field, 0 for other members.</summary>
    internal int MemberBitsOf(int id, int i) => KindFlagOf(id) ? (int)(Word(id, 5 + (3 * i)) >> 24) : 0;

    internal string MemberNameOf(int id, int i) => StringOf(id, 3 + (3 * i));

    internal bool MemberIsAnonymous(int id, int i) => Word(id, 3 + (3 * i)) == 0;

    internal BtfParam ParamOf(int id, int i) => new(StringOf(id, 3 + (2 * i)), ParamTypeOf(id, i));

    internal int ParamTypeOf(int id, int i) => (int)Word(id, 4 + (2 * i));

    internal bool ParamIsAnonymous(int id, int i) => Word(id, 3 + (2 * i)) == 0;

    internal BtfEnumValue EnumValueOf(int id, int i) => KindOf(id) == BtfKind.Enum64
        ? new(StringOf(id, 3 + (3 * i)), (long)(Word(id, 4 + (3 * i)) | ((ulong)Word(id, 5 + (3 * i)) << 32)))
        : new(StringOf(id, 3 + (2 * i)), KindFlagOf(id) ? (int)Word(id, 4 + (2 * i)) : Word(id, 4 + (2 * i)));

    internal BtfVarSecInfo VarOf(int id, int i) =>
        new((int)Word(id, 3 + (3 * i)), Saturated(Word(id, 4 + (3 * i))), Saturated(Word(id, 5 + (3 * i))));

    internal BtfArrayInfo ArrayOf(int id) =>
        new((int)Word(id, 3), (int)Word(id, 4), Saturated(WholeCountOf(id)));

    /// <summary>All bits of the number of an array's elements.</summary>
    internal uint WholeCountOf(int id) => Word(id, 5);

    internal BtfIntInfo IntOf(int id)
    {
        var w = Word(id, 3);
        var enc = (w >> 24) & 0xf;
        return new((enc & 1) != 0, (enc & 2) != 0, (enc & 4) != 0, (int)((w >> 16) & 0xff), (int)(w & 0xff));
    }

    internal int LinkageOf(int id) => KindOf(id) == BtfKind.Var ? (int)Word(id, 3) : VLenOf(id);

    internal int ComponentIdxOf(int id) => (int)Word(id, 3);

    /// <summary>Where an own type begins in the type section, in words.</summary>
    internal int PlaceOf(int id) => _offsets[id - StartId];

    /// <summary>Words of an own type, the three that every type has among them.</summary>
    internal int WordsOf(int id) =>
        (id + 1 < TypeCount ? PlaceOf(id + 1) : _bytes.Types.Length) - PlaceOf(id);

    private static int Saturated(uint word) => (int)Math.Min(word, int.MaxValue);

    internal uint Word(int id, int word)
    {
        var owner = id >= StartId ? this : Owner(id);
        return owner._bytes.Types[owner._offsets[id - owner.StartId] + word];
    }
}
