using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Verifier.Context;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <summary>What lies at an offset of a kernel struct: a number, or a pointer.</summary>
/// <param name="Type">A number, a pointer to <paramref name="BtfId"/>, or memory that nobody vouches for.</param>
/// <param name="BtfId">Type pointed to.</param>
/// <param name="Flags">What its type tags say: <see cref="RegType.MemRcu"/>, ... and untrusted inside unions.</param>
/// <param name="FieldName">Name of the pointer member, or null.</param>
internal readonly record struct BtfAccess(RegType Type, int BtfId, RegType Flags, string? FieldName);

/// <summary>Walks structs by offset, as the kernel's <c>btf_struct_walk</c> (kernel/bpf/btf.c, 6.12).</summary>
internal static class BtfStructWalk
{
    // A compiler's structs nest a few levels; a hostile kernel BTF may have one that contains itself.
    private const int NestingMax = 64;

    private static readonly BtfAccess s_number = new(RegType.Scalar, 0, 0, null);

    private enum Found
    {
        Scalar,
        Ptr,
        Memory,
        Struct,
        Fault,
    }

    private ref struct Walk(BtfSpec btf, bool walkFlexArrays)
    {
        public readonly BtfSpec Btf = btf;
        public readonly bool WalkFlexArrays = walkFlexArrays;
        public bool TrustsUnions;
        public bool ReadsTagsAmongModifiers;
        public bool ReadsAnyPointee;
        public RegType Flags;
        public int NextId;
        public string? FieldName;
        public string? Error;
    }

    /// <summary>What an access of some bytes at an offset reads; refuses what hits no field.</summary>
    public static BtfAccess Access(VerifierRun run, BtfSpec btf, int typeId, int off, int size, RegType regType)
    {
        var isAlloc = regType.Has(RegType.MemAlloc);
        if (isAlloc)
        {
            RejectSpecialFields(run, run.RecordOfType(btf, typeId), off, size);
        }

        var walk = new Walk(btf, walkFlexArrays: !isAlloc)
        {
            TrustsUnions = !run.Kernel.Profile.DistrustsUnions,
            ReadsTagsAmongModifiers = run.Kernel.Profile.RecordRules.ReadsTagsAmongModifiers,
            ReadsAnyPointee = run.Kernel.Profile.ReadsUntrustedMemory,
        };
        var id = typeId;
        for (var left = NestingMax; left > 0; left--)
        {
            switch (Step(ref walk, id, off, size))
            {
                case Found.Ptr:
                    return isAlloc ? s_number : new(RegType.PtrToBtfId, walk.NextId, walk.Flags, walk.FieldName);
                case Found.Memory:
                    return new(RegType.PtrToMem, 0, RegType.MemRdOnly | RegType.PtrUntrusted, null);
                case Found.Scalar:
                    return s_number;
                case Found.Struct:
                    id = walk.NextId;
                    off = 0;
                    break;
                default:
                    run.Reject(DiagCode.BtfAccessInvalid, walk.Error
                        ?? "invalid access to a struct", errno: Errno.EACCES);
                    return default;
            }
        }

        run.Reject(DiagCode.BtfAccessInvalid, "structs are nested too deep", errno: Errno.E2BIG);
        return default;
    }

    /// <summary>Whether the object at an offset of one type is of another type (<c>btf_struct_ids_match</c>).</summary>
    public static bool IdsMatch(
        VerifierRun run, BtfSpec btf, int id, int off, BtfSpec needBtf, int needId, bool strict, bool walkFlexArrays)
    {
        _ = run;
        if (off == 0 && SameType(btf, id, needBtf, needId))
        {
            return true;
        }

        if (strict)
        {
            return false;
        }

        var walk = new Walk(btf, walkFlexArrays);
        for (var left = NestingMax; left > 0 && Step(ref walk, id, off, 1) == Found.Struct; left--)
        {
            id = walk.NextId;
            if (SameType(btf, id, needBtf, needId))
            {
                return true;
            }

            off = 0;
        }

        return false;
    }

    /// <summary>Whether two ids name one type: the same id of the same BTF, or of the base both share.</summary>
    public static bool SameType(BtfSpec a, int idA, BtfSpec b, int idB) =>
        idA == idB && (ReferenceEquals(a, b) || ReferenceEquals(Owner(a, idA), Owner(b, idB)));

    private static BtfSpec Owner(BtfSpec btf, int id) =>
        id >= btf.StartId || btf.Base is null ? btf : Owner(btf.Base, id);

    private static void RejectSpecialFields(VerifierRun run, BtfRecord record, int off, int size)
    {
        foreach (var field in record.Fields)
        {
            if (off < field.OffsetBytes + field.SizeBytes && field.OffsetBytes < off + size)
            {
                run.Reject(DiagCode.SpecialFieldAccess,
                    $"direct access to {VerifierRun.FieldKindName(field.Kind)} is disallowed", errno: Errno.EACCES);
            }
        }
    }

    private static Found Step(ref Walk walk, int id, int off, int size)
    {
        var type = walk.Btf.SkipModifiers(id);
        for (var left = NestingMax; left > 0; left--)
        {
            if (!type.IsComposite)
            {
                walk.Error = $"Type '{NameOf(type.Name)}' is not a struct";
                return Found.Fault;
            }

            if (type.Kind == BtfKind.Union && type.VLen != 1 && !walk.TrustsUnions)
            {
                walk.Flags |= RegType.PtrUntrusted;
            }

            if ((uint)(off + size) > (uint)type.SizeBytes)
            {
                if (StepFlexArray(ref walk, ref type, ref off, size) is { } found)
                {
                    return found;
                }

                continue;
            }

            if (StepMembers(ref walk, ref type, ref off, size) is { } done)
            {
                return done;
            }
        }

        walk.Error = $"struct {NameOf(type.Name)} is nested too deep";
        return Found.Fault;
    }

    /// <summary>Past the end is fine inside a last member without length. Null to go on in its element.</summary>
    private static Found? StepFlexArray(ref Walk walk, ref BtfType type, ref int off, int size)
    {
        if (walk.WalkFlexArrays && type.VLen > 0)
        {
            var last = type.Member(type.VLen - 1);
            var array = walk.Btf.SkipModifiers(last.TypeId);
            if (array.Kind == BtfKind.Array && array.Array.Count == 0 && off >= last.OffsetBytes)
            {
                var elem = walk.Btf.SkipModifiers(array.Array.ElemTypeId);
                if (elem.Kind == BtfKind.Int)
                {
                    return Found.Scalar;
                }

                if (elem.IsComposite && elem.SizeBytes > 0)
                {
                    off = (off - last.OffsetBytes) % elem.SizeBytes;
                    type = elem;
                    return null;
                }
            }
        }

        walk.Error = $"access beyond struct {NameOf(type.Name)} at off {off} size {size}";
        return Found.Fault;
    }

    /// <summary>Finds the member at the offset. Null to go on inside a nested struct.</summary>
    private static Found? StepMembers(ref Walk walk, ref BtfType type, ref int off, int size)
    {
        for (var i = 0; i < type.VLen; i++)
        {
            var member = type.Member(i);
            var at = member.OffsetBytes;
            if (off + size <= at)
            {
                break;
            }

            if (member.BitfieldSizeBits != 0)
            {
                var endBit = member.BitOffset + member.BitfieldSizeBits;
                if (off <= at && (endBit + 7) / 8 <= off + size)
                {
                    return Found.Scalar;
                }

                continue;
            }

            if (off < at)
            {
                break;
            }

            var memberSize = walk.Btf.ResolveSize(member.TypeId);
            if (memberSize < 0)
            {
                walk.Error = $"field {NameOf(member.Name)} doesn't have size";
                return Found.Fault;
            }

            var end = at + memberSize;
            if (off >= end)
            {
                continue;
            }

            return StepMember(ref walk, ref type, ref off, size, member, at, memberSize, end);
        }

        walk.Error = $"struct {NameOf(type.Name)} doesn't have field at offset {off}";
        return Found.Fault;
    }

    private static Found? StepMember(
        ref Walk walk, ref BtfType type, ref int off, int size, BtfMember member, int at, int memberSize, int end)
    {
        var (id, count) = Linearize(walk.Btf, member.TypeId);
        var inner = walk.Btf.SkipModifiers(id);
        if (count > 0)
        {
            memberSize /= count;
            at += (off - at) / memberSize * memberSize;
        }

        if (inner.IsComposite)
        {
            if (off == at)
            {
                walk.NextId = inner.Id;
                return Found.Struct;
            }

            off -= at;
            type = inner;
            return null;
        }

        if (inner.Kind == BtfKind.Ptr)
        {
            if (memberSize != size || off != at)
            {
                walk.Error =
                    $"cannot access ptr member {NameOf(member.Name)} with moff {at} in struct {NameOf(type.Name)} with "
                        + $"off {off} size {size}";
                return Found.Fault;
            }

            if (PointeeTags.Of(inner, PointeeTags.OfMembers, walk.ReadsTagsAmongModifiers) is not { } tags)
            {
                walk.Error = "type 'PTR' has multiple type tags";
                return Found.Fault;
            }

            var target = walk.Btf.SkipModifiers(inner.RefTypeId);
            if (target.IsComposite)
            {
                walk.NextId = target.Id;
                walk.Flags |= tags;
                walk.FieldName = member.Name;
                return Found.Ptr;
            }

            if (walk.ReadsAnyPointee)
            {
                return Found.Memory;
            }
        }

        if (off + size > end && (walk.Flags & RegType.PtrUntrusted) == 0)
        {
            walk.Error =
                $"access beyond the end of member {NameOf(member.Name)} (mend:{end}) in struct "
                    + $"{NameOf(type.Name)} with off {off} size {size}";
            return Found.Fault;
        }

        return Found.Scalar;
    }

    /// <summary>A name as the kernel prints it (<c>__btf_name_by_offset</c>).</summary>
    private static string NameOf(string name) => name.Length == 0 ? "(anon)" : name;

    /// <summary>Element type and count of a member that is an array of any dimensions; count 0 for no array.</summary>
    private static (int Id, int Count) Linearize(BtfSpec btf, int id)
    {
        var count = 0;
        for (var type = btf.SkipModifiers(id); type.Kind == BtfKind.Array; type = btf.SkipModifiers(id))
        {
            count = (count == 0 ? 1 : count) * type.Array.Count;
            id = type.Array.ElemTypeId;
        }

        return (id, count);
    }
}
