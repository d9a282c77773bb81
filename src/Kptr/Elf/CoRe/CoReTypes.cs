using Kptr.Btf;

namespace Kptr.Elf.CoRe;

/// <summary>
/// When a type of a program and a type of the kernel are the same thing, under libbpf's three notions of it.
/// </summary>
/// <remarks>
/// Null answers mean that the types are nested too deeply to say. Kernel: tools/lib/bpf/relo_core.c (6.12).
/// </remarks>
internal static class CoReTypes
{
    private const int DepthMax = 32;

    /// <summary>Same kind; the two kinds of enum count as one.</summary>
    public static bool SameKind(BtfType local, BtfType target) =>
        local.Kind == target.Kind || (IsEnum(local) && IsEnum(target));

    /// <summary>
    /// May the field of the program stand for the field of the kernel? Structs mix freely, pointers too.
    /// </summary>
    public static bool AreFieldsCompatible(BtfType local, BtfType target)
    {
        for (var depth = 0; depth < DepthMax; depth++)
        {
            (local, target) = (local.SkipModifiers(), target.SkipModifiers());
            if (local.IsComposite && target.IsComposite)
            {
                return true;
            }

            if (!SameKind(local, target))
            {
                return false;
            }

            switch (local.Kind)
            {
                case BtfKind.Ptr or BtfKind.Float:
                    return true;
                case BtfKind.Fwd or BtfKind.Enum or BtfKind.Enum64:
                    var a = BtfQueries.EssentialName(local.Name);
                    var b = BtfQueries.EssentialName(target.Name);
                    return a.Length == 0 || b.Length == 0 || a.SequenceEqual(b);
                case BtfKind.Int:
                    return local.Int.OffsetBits == 0 && target.Int.OffsetBits == 0;
                case BtfKind.Array:
                    (local, target) = (local.Btf[local.Array.ElemTypeId], target.Btf[target.Array.ElemTypeId]);
                    continue;
                default:
                    return false;
            }
        }

        return false;
    }

    /// <summary>
    /// Same shape, whatever the names below the root: used for types and for prototypes of kernel functions.
    /// </summary>
    public static bool? AreCompatible(BtfType local, BtfType target, int level = DepthMax)
    {
        if (!SameKind(local, target))
        {
            return false;
        }

        for (var depth = 0; depth < DepthMax; depth++)
        {
            (local, target) = (local.SkipModifiers(), target.SkipModifiers());
            if (!SameKind(local, target))
            {
                return false;
            }

            switch (local.Kind)
            {
                case BtfKind.Void or BtfKind.Struct or BtfKind.Union or BtfKind.Enum or BtfKind.Enum64 or BtfKind.Fwd:
                    return true;
                case BtfKind.Int:
                    return local.Int.OffsetBits == 0 && target.Int.OffsetBits == 0;
                case BtfKind.Ptr:
                    (local, target) = (local.Ref, target.Ref);
                    continue;
                case BtfKind.Array:
                    (local, target) = (local.Btf[local.Array.ElemTypeId], target.Btf[target.Array.ElemTypeId]);
                    continue;
                case BtfKind.FuncProto:
                    if (AreParamsCompatible(local, target, level) is not true and var answer)
                    {
                        return answer;
                    }

                    (local, target) = (local.Ref.SkipModifiers(), target.Ref.SkipModifiers());
                    continue;
                default:
                    return false;
            }
        }

        return null;
    }

    /// <summary>Same names, kinds and sizes all the way down to pointers.</summary>
    public static bool? Match(BtfType local, BtfType target, bool isBehindPtr = false, int level = DepthMax)
    {
        for (var depth = 0; depth < DepthMax && level > 0; depth++)
        {
            (local, target) = (local.SkipModifiers(), target.SkipModifiers());
            if (!NamesMatch(local.Name, target.Name))
            {
                return false;
            }

            switch (local.Kind)
            {
                case BtfKind.Void:
                    return target.Kind == BtfKind.Void;
                case BtfKind.Fwd:
                    return ForwardMatches(local, target, isBehindPtr);
                case BtfKind.Enum or BtfKind.Enum64:
                    return IsEnum(target) && EnumsMatch(local, target);
                case BtfKind.Struct or BtfKind.Union:
                    return CompositesMatch(local, target, isBehindPtr, level);
                case BtfKind.Int:
                    return target.Kind == BtfKind.Int && local.SizeBytes == target.SizeBytes
                        && local.Int.IsSigned == target.Int.IsSigned;
                case BtfKind.Ptr when target.Kind == BtfKind.Ptr:
                    isBehindPtr = true;
                    (local, target) = (local.Ref, target.Ref);
                    continue;
                case BtfKind.Array when target.Kind == BtfKind.Array && local.Array.Count == target.Array.Count:
                    (local, target) = (local.Btf[local.Array.ElemTypeId], target.Btf[target.Array.ElemTypeId]);
                    continue;
                case BtfKind.FuncProto when target.Kind == BtfKind.FuncProto && local.VLen == target.VLen:
                    if (ParamsMatch(local, target, isBehindPtr, level) is not true and var answer)
                    {
                        return answer;
                    }

                    (local, target) = (local.Ref, target.Ref);
                    continue;
                default:
                    return false;
            }
        }

        return null;
    }

    private static bool IsEnum(BtfType type) => type.Kind is BtfKind.Enum or BtfKind.Enum64;

    private static bool NamesMatch(string local, string target) => target.Length == 0
        ? local.Length == 0
        : BtfQueries.EssentialName(local).SequenceEqual(BtfQueries.EssentialName(target));

    private static bool? AreParamsCompatible(BtfType local, BtfType target, int level)
    {
        if (local.VLen != target.VLen)
        {
            return false;
        }

        for (var i = 0; i < local.VLen; i++)
        {
            var answer = level <= 0
                ? null
                : AreCompatible(
                    local.Btf.SkipModifiers(local.Param(i).TypeId),
                    target.Btf.SkipModifiers(target.Param(i).TypeId), level - 1);
            if (answer is not true)
            {
                return answer;
            }
        }

        return true;
    }

    private static bool? ParamsMatch(BtfType local, BtfType target, bool isBehindPtr, int level)
    {
        for (var i = 0; i < local.VLen; i++)
        {
            var answer = Match(local.Btf[local.Param(i).TypeId], target.Btf[target.Param(i).TypeId],
                isBehindPtr, level - 1);
            if (answer is not true)
            {
                return answer;
            }
        }

        return true;
    }

    // The flag of a forward declaration says struct (0) or union (1).
    private static bool ForwardMatches(BtfType local, BtfType target, bool isBehindPtr) => target.Kind switch
    {
        BtfKind.Fwd => local.KindFlag == target.KindFlag,
        BtfKind.Struct => isBehindPtr && !local.KindFlag,
        BtfKind.Union => isBehindPtr && local.KindFlag,
        _ => false,
    };

    private static bool EnumsMatch(BtfType local, BtfType target)
    {
        if (local.SizeBytes != target.SizeBytes || local.VLen > target.VLen)
        {
            return false;
        }

        return Enumerable.Range(0, local.VLen).All(i =>
            Enumerable.Range(0, target.VLen).Any(j => NamesMatch(local.EnumValue(i).Name, target.EnumValue(j).Name)));
    }

    private static bool? CompositesMatch(BtfType local, BtfType target, bool isBehindPtr, int level)
    {
        if (isBehindPtr)
        {
            return local.Kind == target.Kind
                || (target.Kind == BtfKind.Fwd && (local.Kind == BtfKind.Union) == target.KindFlag);
        }

        if (local.Kind != target.Kind || local.VLen > target.VLen)
        {
            return false;
        }

        for (var i = 0; i < local.VLen; i++)
        {
            var answer = MemberMatches(local, local.Member(i), target, level);
            if (answer is not true)
            {
                return answer;
            }
        }

        return true;
    }

    private static bool? MemberMatches(BtfType local, BtfMember member, BtfType target, int level)
    {
        for (var j = 0; j < target.VLen; j++)
        {
            var other = target.Member(j);
            if (NamesMatch(member.Name, other.Name)
                && Match(local.Btf[member.TypeId], target.Btf[other.TypeId], false, level - 1) is not false
                    and var answer)
            {
                return answer;
            }
        }

        return false;
    }
}
