namespace Kptr.Btf;

/// <summary>One member of a struct or union.</summary>
/// <param name="Name">Empty for anonymous members.</param>
/// <param name="TypeId">The member's type.</param>
/// <param name="BitOffset">Offset from the start of the struct, in bits.</param>
/// <param name="BitfieldSizeBits">Width in bits, or 0 for a member that is no bit field.</param>
public readonly record struct BtfMember(string Name, int TypeId, int BitOffset, int BitfieldSizeBits)
{
    /// <summary>Offset in whole bytes; of a bit field, the byte its first bit is in.</summary>
    public int OffsetBytes => BitOffset / 8;
}

/// <summary>One parameter of a function prototype; type 0 in last place means <c>...</c>.</summary>
public readonly record struct BtfParam(string Name, int TypeId);

/// <summary>One value of an enum, sign- or zero-extended to 64 bits.</summary>
public readonly record struct BtfEnumValue(string Name, long Value);

/// <summary>One variable of a data section.</summary>
/// <param name="TypeId">The <see cref="BtfKind.Var"/> or <see cref="BtfKind.Func"/>.</param>
/// <param name="OffsetBytes">Offset in the section.</param>
/// <param name="SizeBytes">Size of the variable.</param>
public readonly record struct BtfVarSecInfo(int TypeId, int OffsetBytes, int SizeBytes);

/// <summary>What an array type holds.</summary>
public readonly record struct BtfArrayInfo(int ElemTypeId, int IndexTypeId, int Count);

/// <summary>How an <see cref="BtfKind.Int"/> is to be read.</summary>
public readonly record struct BtfIntInfo(bool IsSigned, bool IsChar, bool IsBool, int OffsetBits, int SizeBits);
