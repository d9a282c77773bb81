using Kptr.Btf.CDecl;

namespace Kptr.Btf;

/// <summary>
/// How a struct or union must be written in C so that its members stand where its BTF says: BTF stores offsets, but
/// neither alignment nor attributes.
/// </summary>
/// <param name="Align">Alignment that C gives it then.</param>
/// <param name="IsPacked">It needs <c>packed</c>.</param>
/// <param name="Aligned">It needs <c>aligned(n)</c>; 0 where it does not.</param>
internal readonly record struct CShape(int Align, bool IsPacked, int Aligned);

/// <summary>
/// Works the shapes of one BTF's structs and unions out, each once. Not safe for several threads at once.
/// </summary>
internal sealed class BtfLayout(BtfSpec btf)
{
    private const int DepthMax = 64;
    private readonly Dictionary<int, CShape> _shapes = [];

    /// <summary>Alignment in bytes on x86-64; 1 for types without one.</summary>
    internal int AlignOf(int id) => AlignOf(id, 0);

    internal CShape ShapeOf(int id) => ShapeOf(id, 0);

    /// <summary>
    /// Places member <paramref name="i"/> and returns its offset in bits, which may not be what BTF says.
    /// </summary>
    internal long Place(CLayout layout, int id, int i)
    {
        var (typeId, bits) = (btf.MemberTypeOf(id, i), btf.MemberBitsOf(id, i));
        var size = Math.Max(btf.ResolveSize(typeId), 0);
        return bits > 0
            ? layout.AddBits(bits, Math.Max(size, 1), 0, !btf.MemberIsAnonymous(id, i))
            : layout.Add(size, AlignOf(typeId), 0);
    }

    private int AlignOf(int id, int depth)
    {
        for (; depth <= DepthMax; depth++)
        {
            id = btf.SkipModifiersId(id);
            switch (btf.KindOf(id))
            {
                case BtfKind.Ptr:
                    return 8;
                case BtfKind.Int or BtfKind.Float or BtfKind.Enum or BtfKind.Enum64:
                    return Math.Clamp(btf.SizeOf(id), 1, 16);
                case BtfKind.Array:
                    id = btf.ArrayOf(id).ElemTypeId;
                    continue;
                case BtfKind.Struct or BtfKind.Union:
                    return ShapeOf(id, depth + 1).Align;
                default:
                    return 1;
            }
        }

        return 1;
    }

    private CShape ShapeOf(int id, int depth)
    {
        if (!_shapes.TryGetValue(id, out var shape))
        {
            // Set first, so that a struct that contains itself ends here.
            _shapes[id] = new(1, true, 0);
            _shapes[id] = shape = Work(id, depth);
        }

        return shape;
    }

    private CShape Work(int id, int depth)
    {
        var natural = 1;
        for (int i = 0, n = btf.VLenOf(id); i < n; i++)
        {
            var isUnnamedBits = btf.MemberBitsOf(id, i) > 0 && btf.MemberIsAnonymous(id, i);
            natural = Math.Max(natural, isUnnamedBits ? 1 : AlignOf(btf.MemberTypeOf(id, i), depth));
        }

        var packed = btf.SizeOf(id) % natural != 0 || Contradicts(id, depth);
        var align = packed ? 1 : natural;
        return btf.KindOf(id) == BtfKind.Union ? Widen(id, packed, align) : new(align, packed, 0);
    }

    private bool Contradicts(int id, int depth)
    {
        for (int i = 0, n = btf.VLenOf(id); i < n; i++)
        {
            var (typeId, at, bits) = (btf.MemberTypeOf(id, i), btf.MemberBitOffsetOf(id, i), btf.MemberBitsOf(id, i));
            var unit = 8L * Math.Max(btf.ResolveSize(typeId), 1);
            if (bits == 0 ? at % (8 * AlignOf(typeId, depth)) != 0 : at / unit != (at + bits - 1L) / unit)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Nothing inside a union can make it larger than its members; an alignment can.</summary>
    private CShape Widen(int id, bool packed, int align)
    {
        var layout = new CLayout(isUnion: true, packed);
        for (int i = 0, n = btf.VLenOf(id); i < n; i++)
        {
            Place(layout, id, i);
        }

        var size = btf.SizeOf(id);
        for (var aligned = 2 * align; size > layout.SizeBytes && aligned <= 4096; aligned *= 2)
        {
            if (size % aligned == 0 && size - layout.SizeBytes < aligned)
            {
                return new(aligned, packed, aligned);
            }
        }

        return new(align, packed, 0);
    }
}
