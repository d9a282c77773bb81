using Kptr.Btf;

namespace Kptr.Elf;

/// <summary>Questions about types that only the loader asks.</summary>
internal static class BtfQueries
{
    /// <summary>Alignment of an integer, enum, pointer or array of such, in bytes; 1 where it has none.</summary>
    public static int AlignOf(this BtfSpec btf, int id)
    {
        for (var depth = 0; depth < 64; depth++)
        {
            var type = btf.SkipModifiers(id);
            switch (type.Kind)
            {
                case BtfKind.Int or BtfKind.Enum or BtfKind.Enum64 or BtfKind.Float:
                    return Math.Clamp(type.SizeBytes, 1, 8);
                case BtfKind.Ptr:
                    return 8;
                case BtfKind.Array:
                    id = type.Array.ElemTypeId;
                    continue;
                default:
                    return 1;
            }
        }

        return 1;
    }

    /// <summary>The part of a name before its flavour: <c>task_struct</c> of <c>task_struct___old</c>.</summary>
    /// <remarks>The last <c>___</c> that has a character other than <c>_</c> on both sides cuts.</remarks>
    public static ReadOnlySpan<char> EssentialName(ReadOnlySpan<char> name)
    {
        for (var i = name.Length - 5; i >= 0; i--)
        {
            if (name[i] != '_' && name[i + 1] == '_' && name[i + 2] == '_' && name[i + 3] == '_' && name[i + 4] != '_')
            {
                return name[..(i + 1)];
            }
        }

        return name;
    }
}
