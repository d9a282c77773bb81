using System.Collections.Immutable;
using Kptr.Diagnostics;

namespace Kptr.Btf;

/// <summary>Finds which special fields the types of one program's BTF hold, by Linux's rules.</summary>
/// <remarks>
/// Two questions, as in the kernel. Loading the BTF gives a record to every struct with special fields among its direct
/// members (<c>btf_parse_struct_metas</c>): those are what <c>bpf_obj_new</c>, graph nodes and local kptrs use, and one
/// bad struct, or a type that contains itself, fails the whole BTF. Creating a map reads its value's type
/// (<c>map_check_btf</c>). Safe for several threads.
/// </remarks>
public sealed class BtfRecordReader
{
    private readonly BtfSpec _btf;
    private readonly KernelTypes _kernel;
    private readonly Func<string, string?> _dtorOf;
    private readonly BtfRecordRules _rules;
    private readonly BtfDeclTags _tags;
    private readonly Dictionary<int, BtfRecord> _structs = [];

    /// <summary>Reads the records of every struct of <paramref name="progBtf"/>.</summary>
    /// <param name="progBtf">The program object's BTF.</param>
    /// <param name="kernel">Where kptrs' pointees are looked up first, by name and kind.</param>
    /// <param name="dtorOf">Kernel struct to its registered destructor kfunc; null where it has none.</param>
    /// <param name="rules">The kernel version's rules; Linux 6.12's by default.</param>
    public BtfRecordReader(
        BtfSpec progBtf, KernelTypes kernel, Func<string, string?> dtorOf, BtfRecordRules? rules = null)
    {
        ArgumentNullException.ThrowIfNull(progBtf);
        ArgumentNullException.ThrowIfNull(kernel);
        ArgumentNullException.ThrowIfNull(dtorOf);
        _btf = progBtf;
        _kernel = kernel;
        _dtorOf = dtorOf;
        _rules = rules ?? BtfRecordRules.Linux6_12;
        ArgumentNullException.ThrowIfNull(_rules.Tags, nameof(rules));
        _tags = new BtfDeclTags(progBtf);
        Load = ReadStructs();
    }

    /// <summary>
    /// Whether the kernel would load this BTF as far as special fields go; with an error there are no records.
    /// </summary>
    public BtfRecordResult Load { get; }

    /// <summary>The record of a struct for allocated objects, or null where the kernel keeps none for it.</summary>
    /// <remarks>
    /// Kernel: <c>btf_find_struct_meta</c>. Fields only in nested structs or arrays do not make a record.
    /// </remarks>
    public BtfRecord? StructRecord(int typeId) => _structs.GetValueOrDefault(typeId);

    /// <summary>Reads the special fields of a map's value.</summary>
    /// <param name="typeId">The value's type; typedefs and qualifiers on it do not matter.</param>
    /// <param name="valueSizeBytes">The map's value size.</param>
    /// <returns>
    /// The record. Mind that Linux creates a map whose value has a bad record, and then treats its value as ordinary
    /// memory; only errors with <see cref="RefusesMap"/> make the creation fail.
    /// </returns>
    public BtfRecordResult ReadMapValue(int typeId, int valueSizeBytes)
    {
        var type = _btf.SkipModifiers(typeId).Id;
        if (_rules.ReadsKindsApart)
        {
            return ReadKindsApart(type, valueSizeBytes);
        }

        try
        {
            return new(WithNodeRecords(Parse(type, _rules.MapValueKinds, valueSizeBytes)));
        }
        catch (BtfRecordFault fault)
        {
            return fault.Result;
        }
    }

    /// <summary>Whose records.</summary>
    public override string ToString() => $"special fields of {_btf} ({_structs.Count} structs)";

    /// <summary>
    /// Whether a failed <see cref="ReadMapValue"/> also fails the creation of the map: a root's node has no record.
    /// </summary>
    public static bool RefusesMap(BtfRecordResult result) => result.Error == Errno.EFAULT;

    // Kernel: btf_find_spin_lock, btf_find_timer and btf_parse_kptrs (6.1).
    private BtfRecordResult ReadKindsApart(int typeId, int valueSizeBytes)
    {
        var fields = new List<BtfField>();
        BtfRecordResult? failed = null;
        foreach (var kinds in (BtfFieldKind[])[BtfFieldKind.SpinLock, BtfFieldKind.Timer, BtfFieldKind.Kptr])
        {
            try
            {
                fields.AddRange(Parse(typeId, kinds & _rules.MapValueKinds, valueSizeBytes).Fields);
            }
            catch (BtfRecordFault fault)
            {
                failed = fault.Result;
            }
        }

        return failed is { } wrong && fields.Count == 0
            ? wrong : new(new BtfRecord([.. fields.OrderBy(f => f.OffsetBytes)]));
    }

    private BtfRecordResult ReadStructs()
    {
        try
        {
            new BtfLoadCheck(_btf, _rules).Run();
            if (!_rules.HasAllocatedObjects)
            {
                return new(BtfRecord.Empty);
            }

            var special = SpecialTypes();
            var found = new SortedDictionary<int, BtfRecord>();
            for (var id = 1; id < _btf.TypeCount && special.Count > 0; id++)
            {
                if (_btf.KindOf(id) == BtfKind.Struct && HasMemberOf(id, special))
                {
                    var record = Parse(id, _rules.AllocKinds, _btf.SizeOf(id));
                    found[id] = record.Fields.IsEmpty
                        ? throw new BtfRecordFault(
                            Errno.EFAULT, $"struct {_btf.NameOf(id)} has misplaced special fields")
                        : record;
                }
            }

            new OwnershipGraph(found, _rules).ResolveInto(_structs);
            return new(BtfRecord.Empty);
        }
        catch (BtfRecordFault fault)
        {
            return fault.Result;
        }
    }

    /// <summary>The types that make a struct's record worth reading: special structs and tagged pointers.</summary>
    private HashSet<int> SpecialTypes()
    {
        var special = new HashSet<int>();
        var names = new (BtfFieldKind Kind, string Name)[]
        {
            (BtfFieldKind.SpinLock, "bpf_spin_lock"), (BtfFieldKind.ListHead, "bpf_list_head"),
            (BtfFieldKind.ListNode, "bpf_list_node"), (BtfFieldKind.RbRoot, "bpf_rb_root"),
            (BtfFieldKind.RbNode, "bpf_rb_node"), (BtfFieldKind.Refcount, "bpf_refcount"),
            (BtfFieldKind.ResSpinLock, "bpf_res_spin_lock"),
        };
        foreach (var (kind, name) in names)
        {
            if ((_rules.Kinds & kind) != 0 && _btf.FindId(name, BtfKind.Struct) is var id and not 0)
            {
                special.Add(id);
            }
        }

        for (var id = 1; _rules.AllowsLocalKptrs && id < _btf.TypeCount; id++)
        {
            if (IsTaggedPtr(id))
            {
                special.Add(id);
            }
        }

        return special;
    }

    private bool IsTaggedPtr(int id)
    {
        try
        {
            return FieldFinder.Pointee(_btf, _rules, id, "") is { Kind: not BtfFieldKind.Uptr };
        }
        catch (BtfRecordFault)
        {
            return false;
        }
    }

    private bool HasMemberOf(int id, HashSet<int> special)
    {
        for (int i = 0, n = _btf.VLenOf(id); i < n; i++)
        {
            if (special.Contains(_btf.MemberTypeOf(id, i)))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Kernel: <c>btf_parse_fields</c>.</summary>
    private BtfRecord Parse(int typeId, BtfFieldKind mask, int valueSizeBytes)
    {
        var found = new FieldFinder(_btf, _rules, _tags, mask).Find(typeId);
        var fields = ImmutableArray.CreateBuilder<BtfField>(found.Count);
        var nextOff = 0;
        foreach (var f in found)
        {
            var size = _rules.SizeOf(f.Kind);
            if ((long)f.OffsetBytes + size > valueSizeBytes)
            {
                throw new BtfRecordFault(Errno.EFAULT, $"'{f.Name}' reaches past the end of the value");
            }

            if (f.OffsetBytes < nextOff)
            {
                throw new BtfRecordFault(Errno.EEXIST, $"'{f.Name}' overlaps the special field before it");
            }

            nextOff = f.OffsetBytes + size;
            fields.Add(Resolve(f, new(f.Kind, f.Name, f.OffsetBytes, size)));
        }

        return CheckWhole(new BtfRecord(fields.ToImmutable()));
    }

    private BtfField Resolve(FoundField f, BtfField field)
    {
        if ((f.Kind & BtfFieldKind.GraphRoot) != 0)
        {
            return ResolveRoot(f, field);
        }

        return f.Kind == BtfFieldKind.Uptr ? ResolveUptr(f, field)
            : (f.Kind & BtfFieldKind.Kptr) != 0 ? ResolveKptr(f, field)
            : field;
    }

    private BtfField ResolveUptr(FoundField f, BtfField field)
    {
        var pointee = _btf[f.RefTypeId];
        return pointee.SizeBytes switch
        {
            0 => throw new BtfRecordFault(Errno.EINVAL, $"'{f.Name}' points to an empty struct"),
            > 4096 => throw new BtfRecordFault(Errno.E2BIG, $"'{f.Name}' points to more than a page"),
            _ => field with { Pointee = pointee, IsLocalPointee = true },
        };
    }

    /// <summary>A kernel type of the same name comes first; only what no kernel BTF has is the program's own.</summary>
    private BtfField ResolveKptr(FoundField f, BtfField field)
    {
        var local = _btf[f.RefTypeId];
        // Linux looks for an anonymous one by the name "(anon)", which no kernel type has.
        if (local.Name.Length == 0 || _kernel.Find(local.Name, local.Kind) is not { } place)
        {
            return _kernel.HasUndescribedStruct(local.Name) ? throw UndescribedPointee(f, local.Name)
                : _rules.AllowsLocalKptrs ? field with { Pointee = local, IsLocalPointee = true }
                : throw new BtfRecordFault(Errno.ENOENT, $"the kernel has no struct {local.Name}");
        }

        field = field with { Pointee = _kernel[place] };
        if (f.Kind != BtfFieldKind.KptrRef)
        {
            return field;
        }

        return _dtorOf(local.Name) is { } dtor
            ? field with { Dtor = dtor }
            : throw new BtfRecordFault(
                Errno.ENOENT, $"'{f.Name}': struct {local.Name} has no registered destructor and cannot be a __kptr");
    }

    /// <summary>
    /// What destructors are registered for is described, so a referenced kptr to anything else is refused as in the
    /// kernel. One without a reference would give a kernel struct of unknown layout: such a map is not made at all.
    /// </summary>
    private static BtfRecordFault UndescribedPointee(FoundField f, string name) => f.Kind == BtfFieldKind.KptrRef
        ? new(Errno.ENOENT,
            $"'{f.Name}': struct {name} is the kernel's, has no registered destructor and cannot be a __kptr")
        : new(Errno.EFAULT, $"'{f.Name}': struct {name} is the kernel's, whose types in use do not describe it");

    private BtfField ResolveRoot(FoundField f, BtfField field)
    {
        var (nodeType, nodeKind) = f.Kind == BtfFieldKind.ListHead
            ? ("bpf_list_node", BtfFieldKind.ListNode)
            : ("bpf_rb_node", BtfFieldKind.RbNode);
        var owner = _btf[f.RefTypeId];
        var offset = -1;
        for (var i = 0; i < owner.VLen; i++)
        {
            var m = owner.Member(i);
            if (m.Name != f.NodeName)
            {
                continue;
            }

            if (offset >= 0 || _btf.KindOf(m.TypeId) != BtfKind.Struct || _btf.NameOf(m.TypeId) != nodeType
                || m.BitOffset % (8 * _rules.AlignOf(nodeKind)) != 0)
            {
                throw new BtfRecordFault(
                    Errno.EINVAL, $"'{f.Name}': {owner.Name}.{f.NodeName} is not one well placed struct {nodeType}");
            }

            offset = m.OffsetBytes;
        }

        return offset >= 0
            ? field with { NodeType = owner, NodeOffsetBytes = offset }
            : throw new BtfRecordFault(Errno.ENOENT, $"'{f.Name}': struct {owner.Name} has no field {f.NodeName}");
    }

    private static BtfRecord CheckWhole(BtfRecord record)
    {
        if (record.Has(BtfFieldKind.SpinLock) && record.Has(BtfFieldKind.ResSpinLock))
        {
            throw new BtfRecordFault(Errno.EINVAL, "two kinds of locks in one value");
        }

        if (record.Has(BtfFieldKind.GraphRoot) && !record.Has(BtfFieldKind.SpinLock | BtfFieldKind.ResSpinLock))
        {
            throw new BtfRecordFault(Errno.EINVAL, "a list head or tree root needs a lock beside it");
        }

        return record.Has(BtfFieldKind.ListNode) && record.Has(BtfFieldKind.RbNode)
            && !record.Has(BtfFieldKind.Refcount)
            ? throw new BtfRecordFault(Errno.EINVAL, "a node of both a list and a tree needs a bpf_refcount")
            : record;
    }

    /// <summary>Hangs the records of nodes and of local pointees into a map value's record.</summary>
    private BtfRecord WithNodeRecords(BtfRecord record) => new([.. record.Fields.Select(f =>
        (f.Kind & BtfFieldKind.GraphRoot) != 0
            ? f with
            {
                Inner = StructRecord(f.NodeType.Id)
                    ?? throw new BtfRecordFault(Errno.EFAULT, $"'{f.Name}': struct {f.NodeType.Name} has no record"),
            }
            : f.IsLocalPointee && f.Kind != BtfFieldKind.Uptr && f.Kind != BtfFieldKind.KptrUnref
                ? f with { Inner = StructRecord(f.Pointee.Id) }
                : f)]);
}
