using System.Collections.Immutable;

namespace Kptr.Btf;

/// <summary>Kinds of special fields; the bits of <c>enum btf_field_type</c>.</summary>
[Flags]
public enum BtfFieldKind
{
#pragma warning disable CS1591 // each is the kernel's BPF_ name in .NET case
    None = 0,
    SpinLock = 1 << 0,
    Timer = 1 << 1,
    KptrUnref = 1 << 2,
    KptrRef = 1 << 3,
    KptrPercpu = 1 << 4,
    ListHead = 1 << 5,
    ListNode = 1 << 6,
    RbRoot = 1 << 7,
    RbNode = 1 << 8,
    Refcount = 1 << 9,
    Workqueue = 1 << 10,
    Uptr = 1 << 11,
    ResSpinLock = 1 << 12,
    TaskWork = 1 << 13,
    Kptr = KptrUnref | KptrRef | KptrPercpu,
    GraphNode = ListNode | RbNode,
    GraphRoot = ListHead | RbRoot,
#pragma warning restore CS1591
}

/// <summary>One special field of a map value or an allocated object.</summary>
/// <remarks>Kernel: <c>struct btf_field</c> (include/linux/bpf.h).</remarks>
public sealed record BtfField(BtfFieldKind Kind, string Name, int OffsetBytes, int SizeBytes)
{
    /// <summary>Of kptrs: the pointee. A kernel type, unless <see cref="IsLocalPointee"/>.</summary>
    public BtfType Pointee { get; init; }

    /// <summary>Of kptrs: the pointee is a type of the program's own BTF (made by <c>bpf_obj_new</c>).</summary>
    public bool IsLocalPointee { get; init; }

    /// <summary>
    /// Of referenced kptrs to kernel types: the registered destructor kfunc (<c>bpf_task_release</c>).
    /// </summary>
    public string? Dtor { get; init; }

    /// <summary>Of graph roots: the node's type, in the program's BTF.</summary>
    public BtfType NodeType { get; init; }

    /// <summary>Of graph roots: offset of the node field in <see cref="NodeType"/>, in bytes.</summary>
    public int NodeOffsetBytes { get; init; }

    /// <summary>Kind, name and place; fields refer to records and those to fields, so no more.</summary>
    public override string ToString() => $"{Kind} {Name} at {OffsetBytes}, {SizeBytes} bytes";

    /// <summary>
    /// Of graph roots: the record of <see cref="NodeType"/>; of local kptrs: that of the pointee. May be null.
    /// </summary>
    public BtfRecord? Inner { get; init; }
}

/// <summary>The special fields of one type, in order of their offsets.</summary>
/// <remarks>Kernel: <c>struct btf_record</c>.</remarks>
public sealed record BtfRecord(ImmutableArray<BtfField> Fields)
{
    /// <summary>A type without special fields.</summary>
    public static BtfRecord Empty { get; } = new([]);

    /// <summary>The fields.</summary>
    public ImmutableArray<BtfField> Fields
    {
        get;
        init
        {
            field = value.IsDefault ? [] : value;
            Kinds = KindsOf(field);
        }
    } = Fields.IsDefault ? [] : Fields;

    /// <summary>Union of the kinds of all fields.</summary>
    public BtfFieldKind Kinds { get; private init; } = KindsOf(Fields);

    /// <summary>Whether any field has one of these kinds.</summary>
    public bool Has(BtfFieldKind kinds) => (Kinds & kinds) != 0;

    /// <summary>How many fields, and the first few.</summary>
    public override string ToString() => Fields.IsDefaultOrEmpty ? "no special fields"
        : $"{Fields.Length} special fields: {string.Join(", ", Fields.Take(8).Select(f => $"{f.Kind} {f.Name}"))}";

    /// <summary>Whether both have the same fields in the same places (<c>btf_record_equal</c>).</summary>
    internal bool HasSameFields(BtfRecord other) =>
        Fields.Select(f => (f.Kind, f.OffsetBytes, f.Pointee, f.NodeType, f.NodeOffsetBytes))
            .SequenceEqual(other.Fields.Select(
                f => (f.Kind, f.OffsetBytes, f.Pointee, f.NodeType, f.NodeOffsetBytes)));

    private static BtfFieldKind KindsOf(ImmutableArray<BtfField> fields) =>
        (fields.IsDefault ? [] : fields).Aggregate(BtfFieldKind.None, (k, f) => k | f.Kind);

    /// <summary>Whether some of these bytes are in a field.</summary>
    internal bool Overlaps(int offsetBytes, int sizeBytes) => Fields.Any(
        f => f.OffsetBytes < (long)offsetBytes + sizeBytes && offsetBytes < (long)f.OffsetBytes + f.SizeBytes);

    /// <summary>The field that covers this byte and has one of these kinds, or <see langword="null"/>.</summary>
    public BtfField? FindAt(int offsetBytes, BtfFieldKind kinds = (BtfFieldKind)(-1))
    {
        foreach (var f in Fields)
        {
            if (offsetBytes >= f.OffsetBytes && offsetBytes < f.OffsetBytes + f.SizeBytes && (f.Kind & kinds) != 0)
            {
                return f;
            }
        }

        return null;
    }
}
