namespace Kptr.Btf.CDecl;

/// <summary>Places the members of one struct or union as the System V ABI for x86-64 does.</summary>
internal sealed class CLayout(bool isUnion, bool isPacked)
{
    private long _endBits;
    private long _sizeBits;

    internal int Align { get; private set; } = 1;

    internal bool IsUnion => isUnion;

    /// <summary>First bit after the last member.</summary>
    internal long EndBits => _endBits;

    internal long SizeBytes => RoundUp((_sizeBits + 7) / 8, Align);

    /// <summary>Places a member that is no bit field; returns its offset in bits.</summary>
    /// <param name="sizeBytes">Its size.</param>
    /// <param name="align">Its type's alignment.</param>
    /// <param name="asked">What <c>aligned(n)</c> on the member asks for, or 0.</param>
    internal long Add(long sizeBytes, int align, int asked)
    {
        align = Math.Max(isPacked ? 1 : align, asked);
        return Place(RoundUp(_endBits, 8L * align), sizeBytes * 8, align);
    }

    /// <summary>Places a bit field; returns its offset in bits.</summary>
    internal long AddBits(int widthBits, int typeBytes, int asked, bool isNamed)
    {
        var at = _endBits;
        if (widthBits == 0)
        {
            _endBits = isUnion ? 0 : RoundUp(at, typeBytes * 8L);
            return at;
        }

        var unit = typeBytes * 8L;
        if (asked > 0)
        {
            at = RoundUp(at, asked * 8L);
        }
        else if (!isPacked && (at / unit) != (at + widthBits - 1) / unit)
        {
            at = RoundUp(at, unit);
        }

        return Place(at, widthBits, isNamed ? Math.Max(isPacked ? 1 : typeBytes, asked) : 1);
    }

    internal CLayout Copy() => (CLayout)MemberwiseClone();

    internal void RaiseAlign(int align) => Align = Math.Max(Align, align);

    private long Place(long at, long bits, int align)
    {
        Align = Math.Max(Align, align);
        _sizeBits = Math.Max(_sizeBits, at + bits);
        _endBits = isUnion ? 0 : at + bits;
        return at;
    }

    private static long RoundUp(long value, long step) => (value + step - 1) / step * step;
}
