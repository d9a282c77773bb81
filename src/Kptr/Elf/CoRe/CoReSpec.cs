using System.Globalization;
using Kptr.Btf;
using Kptr.Specs;

namespace Kptr.Elf.CoRe;

/// <summary>
/// One meaningful step of a field access: a named member, or an array index where <see cref="Name"/> is null.
/// </summary>
internal readonly record struct CoReStep(int TypeId, int Index, string? Name);

/// <summary>A relocation's access path through types: of the program, or of the kernel once matched.</summary>
/// <remarks>
/// The access string counts every member, anonymous structs included; the steps keep only what has a name or indexes an
/// array, because anonymous nesting may differ between kernels.
/// </remarks>
internal sealed class CoReSpec(BtfSpec btf, int rootTypeId, CoReKind kind)
{
    /// <summary>Limit on levels of nesting (<c>BPF_CORE_SPEC_MAX_LEN</c>).</summary>
    public const int LevelsMax = 64;

    public BtfSpec Btf { get; } = btf;

    public int RootTypeId { get; } = rootTypeId;

    public CoReKind Kind { get; } = kind;

    public List<CoReStep> Steps { get; } = [];

    /// <summary>Members passed so far, anonymous ones included.</summary>
    public int Levels { get; set; }

    public uint BitOffset { get; set; }

    public CoReStep Last => Steps[^1];

    public static bool IsField(CoReKind kind) => kind is >= CoReKind.FieldByteOffset and <= CoReKind.FieldRshiftU64;

    public static bool IsType(CoReKind kind) =>
        kind is >= CoReKind.TypeIdLocal and <= CoReKind.TypeSize or CoReKind.TypeMatches;

    public static bool IsEnumValue(CoReKind kind) => kind is CoReKind.EnumValExists or CoReKind.EnumValValue;

    /// <summary>Reads a relocation against the program's own types; null where it is not well-formed.</summary>
    public static CoReSpec? Parse(BtfSpec btf, CoReReloc reloc)
    {
        if (reloc.TypeId < 0 || reloc.TypeId >= btf.TypeCount)
        {
            return null;
        }

        var spec = new CoReSpec(btf, reloc.TypeId, reloc.Kind);
        if (IsType(reloc.Kind))
        {
            return reloc.Access == "0" ? spec : null;
        }

        if (ParseAccess(reloc.Access) is not { } access)
        {
            return null;
        }

        var type = btf.SkipModifiers(reloc.TypeId);
        if (IsEnumValue(reloc.Kind))
        {
            if (type.Kind is not (BtfKind.Enum or BtfKind.Enum64) || access.Length != 1 || access[0] >= type.VLen)
            {
                return null;
            }

            spec.Steps.Add(new(type.Id, access[0], type.EnumValue(access[0]).Name));
            return spec;
        }

        return IsField(reloc.Kind) && spec.Walk(type, access) ? spec : null;
    }

    /// <summary>A flexible array is the last member of its struct and has no elements of its own.</summary>
    public static bool IsFlexArray(BtfSpec btf, CoReStep holder, BtfArrayInfo array) =>
        holder.Name is not null && array.Count == 0 && holder.Index == btf[holder.TypeId].VLen - 1;

    private bool Walk(BtfType type, int[] access)
    {
        var size = Btf.ResolveSize(type.Id);
        if (size < 0)
        {
            return false;
        }

        Steps.Add(new(type.Id, access[0], null));
        BitOffset = (uint)((long)access[0] * size * 8);
        var id = type.Id;
        foreach (var index in access.AsSpan(1))
        {
            type = Btf.SkipModifiers(id);
            if (type.IsComposite
                ? !StepMember(type, index, ref id)
                : type.Kind != BtfKind.Array || !StepArray(type, index, ref id))
            {
                return false;
            }
        }

        return true;
    }

    private bool StepMember(BtfType type, int index, ref int id)
    {
        if (index >= type.VLen)
        {
            return false;
        }

        var member = type.Member(index);
        BitOffset += (uint)member.BitOffset;
        if (member.Name.Length > 0)
        {
            Steps.Add(new(type.Id, index, member.Name));
        }

        id = member.TypeId;
        return true;
    }

    private bool StepArray(BtfType type, int index, ref int id)
    {
        var array = type.Array;
        id = Btf.SkipModifiers(array.ElemTypeId).Id;
        var size = Btf.ResolveSize(id);
        if (size < 0 || (index >= array.Count && !IsFlexArray(Btf, Last, array)))
        {
            return false;
        }

        Steps.Add(new(id, index, null));
        BitOffset += (uint)((long)index * size * 8);
        return true;
    }

    private static int[]? ParseAccess(string access)
    {
        var parts = access.Split(':');
        if (parts.Length > LevelsMax)
        {
            return null;
        }

        var numbers = new int[parts.Length];
        for (var i = 0; i < parts.Length; i++)
        {
            if (!int.TryParse(parts[i], NumberStyles.None, CultureInfo.InvariantCulture, out numbers[i]))
            {
                return null;
            }
        }

        return numbers;
    }
}
