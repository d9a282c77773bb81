using Kptr.Btf;
using Kptr.Specs;

namespace Kptr.Elf.CoRe;

/// <summary>
/// Computes the values a relocation stands for, from an access path in the program's or in the kernel's types.
/// </summary>
internal static class CoReCalculator
{
    private readonly record struct Value(ulong Number, bool Poison = false)
    {
        public bool Validate { get; init; } = true;

        public BtfType SizedType { get; init; }

        public int SizeBytes { get; init; }
    }

    /// <summary>The replacement for one candidate; null where it cannot be computed.</summary>
    /// <param name="local">The path in the program's types.</param>
    /// <param name="target">The path in the kernel's, or null where no candidate matches.</param>
    public static CoReResult? Compute(CoReSpec local, CoReSpec? target)
    {
        var (oldValue, newValue) = (ValueOf(local, local.Kind), ValueOf(target, local.Kind));
        if (oldValue is not { } from || newValue is not { } to)
        {
            return null;
        }

        if (to.Poison)
        {
            return new(from.Number, 0) { Poison = true, Validate = from.Validate };
        }

        return new(from.Number, to.Number)
        {
            Validate = from.Validate,
            OldSizeBytes = from.SizeBytes,
            NewSizeBytes = to.SizeBytes,
            IsResizeUnsafe = from.SizeBytes != to.SizeBytes && !IsResizeSafe(from.SizedType, to.SizedType),
        };
    }

    private static Value? ValueOf(CoReSpec? spec, CoReKind kind)
    {
        if (CoReSpec.IsField(kind))
        {
            return FieldValue(spec, kind);
        }

        return CoReSpec.IsType(kind) ? TypeValue(spec, kind) : EnumValue(spec, kind);
    }

    private static Value? TypeValue(CoReSpec? spec, CoReKind kind)
    {
        switch (kind)
        {
            case var _ when spec is null:
                return new(0);
            case CoReKind.TypeIdTarget:
                return new((ulong)spec.RootTypeId) { Validate = false };
            case CoReKind.TypeExists or CoReKind.TypeMatches:
                return new(1);
            default:
                var size = spec.Btf.ResolveSize(spec.RootTypeId);
                return size < 0 ? null : new((ulong)size);
        }
    }

    private static Value? EnumValue(CoReSpec? spec, CoReKind kind)
    {
        if (kind == CoReKind.EnumValExists)
        {
            return new(spec is null ? 0UL : 1);
        }

        if (spec is null)
        {
            return new(0, Poison: true);
        }

        var type = spec.Btf[spec.Last.TypeId];
        var value = type.EnumValue(spec.Last.Index).Value;

        // libbpf extends the 32 bits of a plain enum by its sign, whether or not the enum is signed.
        return new((ulong)(type.Kind == BtfKind.Enum ? (int)value : value));
    }

    private static Value? FieldValue(CoReSpec? spec, CoReKind kind)
    {
        if (kind == CoReKind.FieldExists)
        {
            return new(spec is null ? 0UL : 1);
        }

        if (spec is null)
        {
            return new(0, Poison: true);
        }

        return spec.Last.Name is null ? ElementValue(spec, kind) : MemberValue(spec, kind);
    }

    private static Value? ElementValue(CoReSpec spec, CoReKind kind)
    {
        var size = spec.Btf.ResolveSize(spec.Last.TypeId);
        return kind switch
        {
            _ when size < 0 => null,
            CoReKind.FieldByteOffset =>
                new(spec.BitOffset / 8) { SizeBytes = size, SizedType = spec.Btf[spec.Last.TypeId] },
            CoReKind.FieldByteSize => new((ulong)size),
            _ => null,
        };
    }

    private static Value? MemberValue(CoReSpec spec, CoReKind kind)
    {
        var member = spec.Btf[spec.Last.TypeId].Member(spec.Last.Index);
        var type = spec.Btf.SkipModifiers(member.TypeId);
        var isBitfield = member.BitfieldSizeBits > 0;
        if (Place(spec.BitOffset, member.BitfieldSizeBits, isBitfield
            ? type.SizeBytes
            : spec.Btf.ResolveSize(type.Id)) is not { } at)
        {
            return null;
        }

        var bits = isBitfield ? (ulong)member.BitfieldSizeBits : at.SizeBytes * 8;
        switch (kind)
        {
            case CoReKind.FieldByteOffset:
                return new(at.OffsetBytes)
                {
                    Validate = !isBitfield,
                    SizeBytes = isBitfield ? 0 : (int)at.SizeBytes,
                    SizedType = type,
                };
            case CoReKind.FieldByteSize:
                return new(at.SizeBytes) { Validate = !isBitfield };
            case CoReKind.FieldSigned:
                var isSigned = (type.Kind is BtfKind.Enum or BtfKind.Enum64 && type.KindFlag)
                    || (type.Kind == BtfKind.Int && type.Int.IsSigned);
                return new(isSigned ? 1UL : 0);
            case CoReKind.FieldLshiftU64:
                return new((uint)(64 - (spec.BitOffset + bits - (at.OffsetBytes * 8)))) { Validate = !isBitfield };
            default:
                return new((uint)(64 - bits));
        }
    }

    /// <summary>
    /// Where to load from, and how much; bit fields by the smallest aligned load that holds all their bits.
    /// </summary>
    private static (ulong OffsetBytes, ulong SizeBytes)? Place(uint bitOffset, int bitfieldBits, int typeBytes)
    {
        if (typeBytes < 0)
        {
            return null;
        }

        if (bitfieldBits == 0)
        {
            return (bitOffset / 8, (ulong)typeBytes);
        }

        var size = (ulong)typeBytes;
        if (size == 0)
        {
            return null;
        }

        var offset = bitOffset / 8 / size * size;
        while (bitOffset + (ulong)bitfieldBits - (offset * 8) > size * 8)
        {
            if (size >= 8)
            {
                return null;
            }

            size *= 2;
            offset = bitOffset / 8 / size * size;
        }

        return (offset, size);
    }

    // Pointers and unsigned integers are the same number when loaded with another size; the rest is not.
    private static bool IsResizeSafe(BtfType from, BtfType to)
    {
        if (from.Btf is null || to.Btf is null)
        {
            return false;
        }

        return (from.Kind == BtfKind.Ptr && to.Kind == BtfKind.Ptr)
            || (from.Kind == BtfKind.Int && to.Kind == BtfKind.Int && !IsOnlySigned(from) && !IsOnlySigned(to));
    }

    private static bool IsOnlySigned(BtfType type) => type.Int is { IsSigned: true, IsChar: false, IsBool: false };
}
