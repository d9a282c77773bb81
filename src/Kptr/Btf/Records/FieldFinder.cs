using Kptr.Diagnostics;

namespace Kptr.Btf;

/// <summary>A special field as found, before what it refers to is resolved.</summary>
/// <param name="Kind">Its kind.</param>
/// <param name="Name">Member or variable path.</param>
/// <param name="OffsetBytes">Offset from the start of the value.</param>
/// <param name="RefTypeId">Of pointers the pointee, of graph roots the node's struct, in the program's BTF.</param>
/// <param name="NodeName">Of graph roots: the member of that struct.</param>
internal readonly record struct FoundField(
    BtfFieldKind Kind, string Name, int OffsetBytes, int RefTypeId, string NodeName);

/// <summary>Finds the special fields of a struct or data section, as <c>btf_find_field</c> of Linux does.</summary>
internal sealed class FieldFinder(BtfSpec btf, BtfRecordRules rules, BtfDeclTags tags, BtfFieldKind mask)
{
    private const int ArrayDepthMax = 32;
    private BtfFieldKind _seen;

    /// <summary>The fields in declaration order.</summary>
    /// <exception cref="BtfRecordFault">The type breaks a rule.</exception>
    internal List<FoundField> Find(int typeId)
    {
        var found = new List<FoundField>();
        switch (btf.KindOf(typeId))
        {
            case BtfKind.Struct:
                InStruct(typeId, 0, "", found);
                return found;
            case BtfKind.DataSec:
                InDataSec(typeId, found);
                return found;
            default:
                throw new BtfRecordFault(Errno.EINVAL, "only a struct or a data section has special fields");
        }
    }

    private void InStruct(int typeId, int level, string prefix, List<FoundField> found)
    {
        for (int i = 0, n = btf.VLenOf(typeId); i < n; i++)
        {
            var (m, place) = (btf.MemberOf(typeId, i), btf.MemberPlaceOf(typeId, i));
            if (place % 8 != 0)
            {
                throw new BtfRecordFault(Errno.EINVAL, $"bit field '{m.Name}' does not start at a byte");
            }

            FindOne(new(typeId, i, prefix + m.Name), m.TypeId, (int)(place / 8), 0, level, found);
        }
    }

    private void InDataSec(int typeId, List<FoundField> found)
    {
        for (int i = 0, n = btf.VLenOf(typeId); i < n; i++)
        {
            var v = btf.VarOf(typeId, i);
            FindOne(new(v.TypeId, -1, btf.NameOf(v.TypeId)), btf.RefTypeOf(v.TypeId), v.OffsetBytes,
                v.SizeBytes, 0, found);
        }
    }

    /// <summary>Adds what one member or variable holds.</summary>
    /// <param name="at">Whose it is.</param>
    /// <param name="typeId">Its type, as declared.</param>
    /// <param name="offset">Where it starts.</param>
    /// <param name="expectedSize">Size it must have to count (of a variable), or 0.</param>
    /// <param name="level">Structs around it.</param>
    /// <param name="found">Takes the fields.</param>
    private void FindOne(Place at, int typeId, int offset, int expectedSize, int level, List<FoundField> found)
    {
        // Linux multiplies in 32 bits, and so do we: an overflowing count is a wrapped one there, too.
        var count = 1u;
        for (var depth = 0; btf.KindOf(typeId) == BtfKind.Array && rules.AllowsArrays; depth++)
        {
            if (depth == ArrayDepthMax)
            {
                throw new BtfRecordFault(Errno.E2BIG, $"'{at.Name}' has too many dimensions");
            }

            count = unchecked(count * btf.WholeCountOf(typeId));
            typeId = btf.ArrayOf(typeId).ElemTypeId;
        }

        if (count == 0)
        {
            return;
        }

        var first = found.Count;
        var kind = KindOf(at, typeId);
        if (rules.ReadsKindsApart)
        {
            CheckPlace(at, kind, offset, expectedSize);
        }

        if (kind == BtfFieldKind.None)
        {
            if (btf.KindOf(typeId) == BtfKind.Struct && rules.NestingMax > 0
                && SizeAgrees(expectedSize, btf.WholeSizeOf(typeId), count))
            {
                InNested(at, typeId, offset, level + 1, found);
                Repeat(found, first, count, btf.WholeSizeOf(typeId), at);
            }

            return;
        }

        var size = rules.SizeOf(kind);
        if (!SizeAgrees(expectedSize, (uint)size, count) || offset % rules.AlignOf(kind) != 0)
        {
            return;
        }

        if (Make(at, kind, typeId, offset) is { } field)
        {
            Append(found, field);
            Repeat(found, first, count, (uint)size, at);
        }
    }

    private void CheckPlace(Place at, BtfFieldKind kind, int offset, int expectedSize)
    {
        var looked = (mask & BtfFieldKind.Kptr) != 0 ? BtfFieldKind.KptrRef : kind;
        if (looked != BtfFieldKind.None && (expectedSize == 0 || expectedSize == rules.SizeOf(looked))
            && offset % rules.AlignOf(looked) != 0)
        {
            throw new BtfRecordFault(Errno.EINVAL, $"'{at.Name}' is not aligned for a field that is looked for");
        }
    }

    private static bool SizeAgrees(int expected, uint size, uint count) =>
        expected == 0 || (uint)expected == unchecked(size * count);

    private void InNested(Place at, int typeId, int offset, int level, List<FoundField> found)
    {
        if (level > rules.NestingMax)
        {
            throw new BtfRecordFault(Errno.E2BIG, $"'{at.Name}' is nested too deep");
        }

        var first = found.Count;
        InStruct(typeId, level, at.Name.Length == 0 ? "" : at.Name + ".", found);
        for (var i = first; i < found.Count; i++)
        {
            found[i] = found[i] with { OffsetBytes = found[i].OffsetBytes + offset };
        }
    }

    private void Repeat(List<FoundField> found, int first, uint count, uint elemSize, Place at)
    {
        var each = found.Count - first;
        if (count <= 1 || each == 0)
        {
            return;
        }

        for (var i = first; i < first + each; i++)
        {
            if ((found[i].Kind & (BtfFieldKind.Kptr | BtfFieldKind.Uptr | BtfFieldKind.GraphRoot)) == 0)
            {
                throw new BtfRecordFault(Errno.EINVAL, $"'{at.Name}' is an array of {found[i].Kind} fields");
            }
        }

        if ((ulong)count * (uint)each > (uint)(rules.FieldsMax - first))
        {
            throw TooMany(at);
        }

        for (var c = 1u; c < count; c++)
        {
            for (var i = 0; i < each; i++)
            {
                var f = found[first + i];
                found.Add(f with { OffsetBytes = f.OffsetBytes + (int)(c * elemSize) });
            }
        }
    }

    /// <summary>The kind that a member's type asks for by its name, or a kptr for anything that is no struct.</summary>
    private BtfFieldKind KindOf(Place at, int typeId)
    {
        var kind = btf.NameOf(typeId) switch
        {
            "bpf_spin_lock" => BtfFieldKind.SpinLock,
            "bpf_res_spin_lock" => BtfFieldKind.ResSpinLock,
            "bpf_timer" => BtfFieldKind.Timer,
            "bpf_wq" => BtfFieldKind.Workqueue,
            "bpf_task_work" => BtfFieldKind.TaskWork,
            "bpf_refcount" => BtfFieldKind.Refcount,
            "bpf_list_head" => BtfFieldKind.ListHead,
            "bpf_list_node" => BtfFieldKind.ListNode,
            "bpf_rb_root" => BtfFieldKind.RbRoot,
            "bpf_rb_node" => BtfFieldKind.RbNode,
            _ => BtfFieldKind.None,
        } & mask;
        if ((kind & ~(BtfFieldKind.GraphRoot | BtfFieldKind.GraphNode)) != 0)
        {
            if ((_seen & kind) != 0)
            {
                throw new BtfRecordFault(Errno.E2BIG, $"'{at.Name}' is the second {btf.NameOf(typeId)}");
            }

            _seen |= kind;
        }

        return kind == BtfFieldKind.None && btf.KindOf(typeId) != BtfKind.Struct
            && (mask & (BtfFieldKind.Kptr | BtfFieldKind.Uptr)) != 0
            ? BtfFieldKind.KptrRef
            : kind;
    }

    private FoundField? Make(Place at, BtfFieldKind kind, int typeId, int offset)
    {
        if ((kind & BtfFieldKind.Kptr) != 0)
        {
            return FindPtr(at, typeId, offset);
        }

        if (btf.KindOf(typeId) != BtfKind.Struct || btf.SizeOf(typeId) != rules.SizeOf(kind))
        {
            return null;
        }

        return (kind & BtfFieldKind.GraphRoot) != 0
            ? FindRoot(at, kind, offset)
            : new FoundField(kind, at.Name, offset, 0, "");
    }

    private FoundField? FindPtr(Place at, int typeId, int offset)
    {
        if (Pointee(btf, rules, typeId, at.Name) is not var (kind, pointee) || (kind & mask) == 0)
        {
            return null;
        }

        return new FoundField(kind, at.Name, offset, pointee, "");
    }

    /// <summary>The kind and pointee of a tagged pointer; null for types that are none.</summary>
    internal static (BtfFieldKind Kind, int TypeId)? Pointee(BtfSpec btf, BtfRecordRules rules, int typeId, string name)
    {
        typeId = !rules.ReadsKindsApart && btf.KindOf(typeId) == BtfKind.Volatile ? btf.RefTypeOf(typeId) : typeId;
        if (btf.KindOf(typeId) != BtfKind.Ptr)
        {
            return null;
        }

        var (kind, pointee) = rules.ReadsTagsAmongModifiers
            ? AnyTag(btf, rules, typeId, name) : FirstTag(btf, rules, typeId, name);
        return kind == 0 ? null
            : btf.KindOf(pointee) == BtfKind.Struct ? (kind, pointee)
            : throw new BtfRecordFault(Errno.EINVAL, $"'{name}' does not point to a complete struct");
    }

    private static (BtfFieldKind Kind, int Pointee) AnyTag(BtfSpec btf, BtfRecordRules rules, int ptr, string name)
    {
        var walk = BtfTagWalk.Of(btf, ptr, rules.Tags.ContainsKey);
        return walk.HasSeveral ? throw new BtfRecordFault(Errno.EINVAL, $"'{name}' has more than one type tag")
            : (walk.Tag is { } tag ? rules.Tags[tag] : 0, walk.PointeeId);
    }

    private static (BtfFieldKind Kind, int Pointee) FirstTag(BtfSpec btf, BtfRecordRules rules, int ptr, string name)
    {
        var tag = btf.RefTypeOf(ptr);
        if (btf.KindOf(tag) != BtfKind.TypeTag)
        {
            return default;
        }

        if (btf.KindOf(btf.RefTypeOf(tag)) == BtfKind.TypeTag)
        {
            throw new BtfRecordFault(Errno.EINVAL, $"'{name}' has more than one type tag");
        }

        if (!rules.Tags.TryGetValue(btf.NameOf(tag), out var kind))
        {
            throw new BtfRecordFault(Errno.EINVAL, $"'{name}' has the unknown type tag '{btf.NameOf(tag)}'");
        }

        return (kind, btf.SkipModifiers(btf.RefTypeOf(tag)).Id);
    }

    private FoundField FindRoot(Place at, BtfFieldKind kind, int offset)
    {
        var contains = tags.Find(at.TypeId, at.MemberIdx, "contains:").Take(2).ToList();
        var colon = contains.Count == 1 ? contains[0].IndexOf(':', StringComparison.Ordinal) : -1;
        if (colon < 0)
        {
            throw new BtfRecordFault(Errno.EINVAL, $"'{at.Name}' needs exactly one __contains(type, node)");
        }

        var (type, node) = (contains[0][..colon], contains[0][(colon + 1)..]);
        var id = btf.FindId(type, BtfKind.Struct);
        if (id == 0)
        {
            throw new BtfRecordFault(Errno.ENOENT, $"'{at.Name}' contains the unknown struct {type}");
        }

        return node.Length > 0
            ? new(kind, at.Name, offset, id, node)
            : throw new BtfRecordFault(Errno.EINVAL, $"'{at.Name}' does not name the node's field");
    }

    private void Append(List<FoundField> found, FoundField field)
    {
        if (found.Count >= rules.FieldsMax)
        {
            throw TooMany(new(0, 0, field.Name));
        }

        found.Add(field);
    }

    private BtfRecordFault TooMany(Place at) =>
        new(Errno.E2BIG, $"with '{at.Name}' there are more than {rules.FieldsMax} special fields");

    /// <summary>What a declaration tag is attached to: a member of a struct, or a variable (index -1).</summary>
    private readonly record struct Place(int TypeId, int MemberIdx, string Name);
}
