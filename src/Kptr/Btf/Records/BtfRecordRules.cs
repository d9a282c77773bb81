using System.Collections.Immutable;

namespace Kptr.Btf;

#pragma warning disable CA1707 // the underscore stands for the dot of a kernel version

/// <summary>What a kernel version knows of special fields. Data: readers ask it and never compare versions.</summary>
public sealed record BtfRecordRules
{
    private static readonly ImmutableDictionary<string, BtfFieldKind> s_tagsUntil6_3 =
        ImmutableDictionary.CreateRange(new Dictionary<string, BtfFieldKind>
        {
            ["kptr"] = BtfFieldKind.KptrUnref,
            ["kptr_ref"] = BtfFieldKind.KptrRef,
        });

    private static readonly ImmutableDictionary<string, BtfFieldKind> s_tagsSince6_4 =
        ImmutableDictionary.CreateRange(new Dictionary<string, BtfFieldKind>
        {
            ["kptr_untrusted"] = BtfFieldKind.KptrUnref,
            ["kptr"] = BtfFieldKind.KptrRef,
        });

    /// <summary>
    /// Linux 6.1: tags <c>kptr</c> (untrusted) and <c>kptr_ref</c>, in maps alone; a struct of the program's own has no
    /// special fields.
    /// </summary>
    public static BtfRecordRules Linux6_1 { get; } = new()
    {
        Kinds = BtfFieldKind.SpinLock | BtfFieldKind.Timer | BtfFieldKind.KptrUnref | BtfFieldKind.KptrRef,
        Tags = s_tagsUntil6_3,
        FieldsMax = 8,
        NestingMax = 0,
        AllowsArrays = false,
        AllowsLocalKptrs = false,
        HasAllocatedObjects = false,
        ReadsKindsApart = true,
    };

    /// <summary>Linux 6.2: tags <c>kptr</c> (untrusted) and <c>kptr_ref</c>; no nesting, no arrays, no trees.</summary>
    public static BtfRecordRules Linux6_2 { get; } = new()
    {
        Kinds = BtfFieldKind.SpinLock | BtfFieldKind.Timer | BtfFieldKind.KptrUnref | BtfFieldKind.KptrRef
            | BtfFieldKind.ListHead | BtfFieldKind.ListNode,
        Tags = s_tagsUntil6_3,
        FieldsMax = 10,
        NestingMax = 0,
        AllowsArrays = false,
        AllowsLocalKptrs = false,
        NodeSizeBytes = 16,
        OwnershipDepthMax = null,
    };

    /// <summary>Linux 6.12.</summary>
    public static BtfRecordRules Linux6_12 { get; } = new()
    {
        Kinds = BtfFieldKind.SpinLock | BtfFieldKind.Timer | BtfFieldKind.Kptr | BtfFieldKind.GraphRoot
            | BtfFieldKind.GraphNode | BtfFieldKind.Refcount | BtfFieldKind.Workqueue,
        Tags = s_tagsSince6_4.Add("percpu_kptr", BtfFieldKind.KptrPercpu),
    };

    /// <summary>Linux 7.2: adds <c>uptr</c>, <c>bpf_res_spin_lock</c> and <c>bpf_task_work</c>.</summary>
    public static BtfRecordRules Linux7_2 { get; } = new()
    {
        Kinds = Linux6_12.Kinds | BtfFieldKind.Uptr | BtfFieldKind.ResSpinLock | BtfFieldKind.TaskWork,
        Tags = Linux6_12.Tags.Add("uptr", BtfFieldKind.Uptr),
        AllowsAttributeTags = true,
        ReadsTagsAmongModifiers = true,
    };

    /// <summary>Kinds that are special; fields of other kinds are ordinary memory.</summary>
    public required BtfFieldKind Kinds { get; init; }

    /// <summary>
    /// Type tag to the kind of pointer it makes; any other tag on a field's pointer is a fault, unless
    /// <see cref="ReadsTagsAmongModifiers"/>.
    /// </summary>
    public required ImmutableDictionary<string, BtfFieldKind> Tags { get; init; }

    /// <summary>Most fields of one record (<c>BTF_FIELDS_MAX</c>).</summary>
    public int FieldsMax { get; init; } = 11;

    /// <summary>
    /// How deep structs in structs are searched (below <c>MAX_RESOLVE_DEPTH</c>); 0: direct members only.
    /// </summary>
    public int NestingMax { get; init; } = 31;

    /// <summary>Whether arrays of kptrs and roots, and structs in arrays, are searched.</summary>
    public bool AllowsArrays { get; init; } = true;

    /// <summary>Whether a kptr may point to a type of the program's own BTF.</summary>
    public bool AllowsLocalKptrs { get; init; } = true;

    /// <summary>
    /// Whether locks, timers and kptrs are each looked for on their own: what is wrong with one leaves the others, a
    /// member that is not aligned for a field that is looked for is a fault and not passed over, and for kptrs that is
    /// every member.
    /// </summary>
    public bool ReadsKindsApart { get; init; }

    /// <summary>Whether programs allocate objects of their own types, so that structs have records.</summary>
    public bool HasAllocatedObjects { get; init; } = true;

    /// <summary>
    /// Whether type and declaration tags may carry the kind flag, by which they stand for any attribute.
    /// </summary>
    public bool AllowsAttributeTags { get; init; }

    /// <summary>
    /// Whether type tags may stand in any order among other modifiers, and those that the kernel does not know mean
    /// nothing: in 7.2. Before, a tag stands directly below its pointer, and one that is unknown is a fault.
    /// </summary>
    public bool ReadsTagsAmongModifiers { get; init; }

    /// <summary>Size of <c>struct bpf_list_node</c>.</summary>
    public int NodeSizeBytes { get; init; } = 24;

    /// <summary>
    /// Longest chain of types that own each other (<c>BTF_MAX_OWNERSHIP_DEPTH</c>); null for the older rule that no
    /// type which is in a graph owns a type that has a root.
    /// </summary>
    public int? OwnershipDepthMax { get; init; } = 8;

    /// <summary>Kinds a map's value may have; what else is declared in it is ordinary memory.</summary>
    public BtfFieldKind MapValueKinds => Kinds & ~BtfFieldKind.GraphNode;

    /// <summary>Kinds an allocated object may have.</summary>
    public BtfFieldKind AllocKinds =>
        Kinds & ~(BtfFieldKind.Timer | BtfFieldKind.Workqueue | BtfFieldKind.Uptr | BtfFieldKind.TaskWork)
            & ~(AllowsLocalKptrs ? BtfFieldKind.None : BtfFieldKind.Kptr);

    /// <summary>Size of a field of this kind in bytes.</summary>
    public int SizeOf(BtfFieldKind kind) => kind switch
    {
        BtfFieldKind.SpinLock or BtfFieldKind.ResSpinLock or BtfFieldKind.Refcount => 4,
        BtfFieldKind.KptrUnref or BtfFieldKind.KptrRef or BtfFieldKind.KptrPercpu or BtfFieldKind.Uptr
            or BtfFieldKind.TaskWork => 8,
        BtfFieldKind.ListNode => NodeSizeBytes,
        BtfFieldKind.RbNode => 32,
        _ => 16,
    };

    /// <summary>What fields it knows.</summary>
    public override string ToString() => $"rules for special fields: {Kinds}, at most {FieldsMax}";

    /// <summary>Alignment a field of this kind must have to be found.</summary>
    public int AlignOf(BtfFieldKind kind) => Math.Min(SizeOf(kind), 8);
}
