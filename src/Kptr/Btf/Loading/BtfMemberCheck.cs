namespace Kptr.Btf;

/// <summary>Whether members lie in their struct as their type asks.</summary>
/// <remarks>
/// Kernel: the <c>check_member</c> and <c>check_kflag_member</c> of each kind (kernel/bpf/btf.c, 6.12).
/// </remarks>
internal sealed class BtfMemberCheck(BtfSpec btf)
{
    private const int BitsMax = 128;
    private const int EnumBits = 32;

    /// <summary>An integer that fills bytes of its own: 1, 2, 4, 8 or 16 of them.</summary>
    /// <remarks>Kernel: <c>btf_type_int_is_regular</c>.</remarks>
    internal static bool IsRegular(BtfSpec btf, int id) =>
        btf.IntOf(id) is { OffsetBits: 0, SizeBits: 8 or 16 or 32 or 64 or 128 };

    /// <summary>What is wrong with a member; null where nothing is.</summary>
    /// <param name="id">The struct or union.</param>
    /// <param name="i">The member.</param>
    /// <param name="type">Its type below modifiers.</param>
    /// <param name="typeSize">That type's size in bytes.</param>
    internal string? FaultOf(int id, int i, int type, uint typeSize)
    {
        var (at, bits) = (btf.MemberPlaceOf(id, i), btf.MemberBitsOf(id, i));
        return btf.KindOf(type) switch
        {
            BtfKind.Int when btf.KindFlagOf(id) => FlaggedInt(id, at, bits, type),
            BtfKind.Int when uint.MaxValue - at < btf.IntOf(type).OffsetBits => "bits_offset exceeds U32_MAX",
            BtfKind.Int => FaultOfBits(id, at + (uint)btf.IntOf(type).OffsetBits, btf.IntOf(type).SizeBits),
            BtfKind.Enum or BtfKind.Enum64 when btf.KindFlagOf(id) => FlaggedEnum(id, at, bits),
            _ when bits != 0 => "Invalid member bitfield_size",
            BtfKind.Float => Float(id, at, typeSize),
            _ when at % 8 != 0 => "Member is not byte aligned",
            _ => Exceeds((at / 8L) + typeSize, id),
        };
    }

    private string? FlaggedInt(int id, uint at, int bits, int type)
    {
        var whole = btf.IntOf(type).SizeBits;
        if (!IsRegular(btf, type))
        {
            return "Invalid member base type";
        }

        if (bits == 0 && at % 8 != 0)
        {
            return "Invalid member offset";
        }

        return bits > whole ? "Invalid member bitfield_size" : FaultOfBits(id, at, bits == 0 ? whole : bits);
    }

    private string? FaultOfBits(int id, uint at, int bits)
    {
        var copied = bits + (int)(at % 8);
        return copied > BitsMax ? "nr_copy_bits exceeds 128" : Exceeds((at / 8) + ((copied + 7L) / 8), id);
    }

    private string? FlaggedEnum(int id, uint at, int bits)
    {
        if (bits == 0 && at % 8 != 0)
        {
            return "Member is not byte aligned";
        }

        return bits > EnumBits
            ? "Invalid member bitfield_size"
            : Exceeds((at + (bits == 0 ? EnumBits : bits) + 7L) / 8, id);
    }

    /// <summary>Architectures differ in alignment, so only what all of them ask for is asked.</summary>
    private string? Float(int id, uint at, uint typeSize) => at % (8 * Math.Min(8, typeSize)) != 0
        ? "Member is not properly aligned"
        : Exceeds((at / 8L) + typeSize, id);

    private string? Exceeds(long endBytes, int id) =>
        endBytes > btf.WholeSizeOf(id) ? "Member exceeds struct_size" : null;
}
