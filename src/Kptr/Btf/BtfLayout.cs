namespace Kptr.Btf;

/// <summary>Alignment of types, which BTF does not store, worked out from their members.</summary>
internal static class BtfLayout
{
    private const int DepthMax = 32;

    /// <summary>Alignment in bytes on x86-64; a struct whose offsets contradict its members' alignment is packed: 1.</summary>
    internal static int AlignOf(BtfSpec btf, int id) => AlignOf(btf, id, 0);

    /// <summary>Whether members stand where natural alignment would not put them.</summary>
    internal static bool IsPacked(BtfSpec btf, int id)
    {
        var type = btf[id];
        return type.IsComposite && NaturalAlign(type, 0) > 1 && Contradicts(type, NaturalAlign(type, 0), 0);
    }

    private static int AlignOf(BtfSpec btf, int id, int depth)
    {
        if (depth > DepthMax)
        {
            return 1;
        }

        var type = btf.SkipModifiers(id);
        switch (type.Kind)
        {
            case BtfKind.Ptr:
                return 8;
            case BtfKind.Int or BtfKind.Float or BtfKind.Enum or BtfKind.Enum64:
                return Math.Clamp(type.SizeBytes, 1, 16);
            case BtfKind.Array:
                return AlignOf(btf, type.Array.ElemTypeId, depth + 1);
            case BtfKind.Struct or BtfKind.Union:
                var align = NaturalAlign(type, depth);
                return Contradicts(type, align, depth) ? 1 : align;
            default:
                return 1;
        }
    }

    private static int NaturalAlign(BtfType type, int depth)
    {
        var align = 1;
        for (var i = 0; i < type.VLen; i++)
        {
            align = Math.Max(align, AlignOf(type.Btf, type.Member(i).TypeId, depth + 1));
        }

        return align;
    }

    private static bool Contradicts(BtfType type, int align, int depth)
    {
        if (type.SizeBytes % align != 0)
        {
            return true;
        }

        for (var i = 0; i < type.VLen; i++)
        {
            var m = type.Member(i);
            if (m.BitfieldSizeBits == 0 && m.BitOffset % (8 * AlignOf(type.Btf, m.TypeId, depth + 1)) != 0)
            {
                return true;
            }
        }

        return false;
    }
}
