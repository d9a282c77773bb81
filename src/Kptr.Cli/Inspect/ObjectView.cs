using System.Collections.Immutable;
using Kptr.Btf;
using Kptr.Specs;

namespace Kptr.Cli.Inspect;

/// <summary>An object as <c>kptr inspect</c> shows it: what both output formats print.</summary>
internal sealed record ObjectView(
    string Object, string License, ImmutableArray<ProgView> Programs, ImmutableArray<MapView> Maps,
    ImmutableArray<ExternView> Externs)
{
    /// <param name="file">The file it was read from.</param>
    /// <param name="read">The object with its references by name.</param>
    /// <param name="linked">The same against a kernel: only that knows the special fields.</param>
    public static ObjectView Of(string file, ObjectSpec read, ObjectSpec linked) => new(
        file,
        read.License,
        [.. read.Progs.Zip(linked.Progs, ProgView.Of)],
        [.. linked.Maps.Select(MapView.Of)],
        [.. read.Externs.Select(e => ExternView.Of(e, read))]);
}

/// <summary>One entry program.</summary>
internal sealed record ProgView(
    string Name,
    string Section,
    string Type,
    string? AttachType,
    string? Target,
    bool Sleepable,
    bool Autoload,
    int Insns,
    ImmutableArray<string> Subprograms,
    ImmutableArray<string> Kfuncs,
    ImmutableArray<string> MapsUsed,
    string? LinkFault)
{
    public static ProgView Of(ProgSpec read, ProgSpec linked) => new(
        read.Name,
        read.SectionName,
        KernelNames.Of(read.Type),
        read.ExpectedAttachType is { } attach ? KernelNames.Of(attach) : null,
        read.AttachTarget,
        read.IsSleepable,
        read.Autoload,
        read.Insns.Length,
        [.. read.FuncInfos.Skip(1).Select(f => read.Btf![f.TypeId].Name)],
        NamesOf(read, ProgRelocKind.KfuncCall),
        NamesOf(read, ProgRelocKind.Map, ProgRelocKind.MapValue),
        linked.LinkFault?.ToString());

    private static ImmutableArray<string> NamesOf(ProgSpec prog, params ProgRelocKind[] kinds) =>
        [.. prog.Relocs.Where(r => kinds.Contains(r.Kind)).Select(r => r.Name).Distinct().Order(
            StringComparer.Ordinal)];
}

/// <summary>One map.</summary>
internal sealed record MapView(
    string Name,
    string Type,
    string Key,
    string Value,
    int KeySize,
    int ValueSize,
    uint MaxEntries,
    string Flags,
    bool Pinned,
    ImmutableArray<FieldView> Fields,
    ImmutableArray<SlotView> Slots)
{
    public static MapView Of(MapSpec map) => new(
        map.Name,
        KernelNames.Of(map.Type),
        TypeText(map, map.KeyTypeId, map.KeySize),
        TypeText(map, map.ValueTypeId, map.ValueSize),
        map.KeySize,
        map.ValueSize,
        map.MaxEntries,
        map.Flags == MapFlags.None ? "" : map.Flags.ToString(),
        map.PinByName,
        [.. map.Record.Fields.Select(FieldView.Of)],
        [
            .. map.InitialSlots.Select(
                s => new SlotView(s.Key.ToString(System.Globalization.CultureInfo.InvariantCulture), s.Target)),
            .. (map.StructOps?.Slots ?? []).Select(s => new SlotView(s.Member, s.Prog)),
        ]);

    private static string TypeText(MapSpec map, int typeId, int size)
    {
        if (size == 0)
        {
            return "none";
        }

        var type = typeId != 0 ? map.Btf?[typeId] : null;
        return type is not { } known ? $"{size} bytes"
            : known.Kind == BtfKind.DataSec ? $"{known.VLen} variable{(known.VLen == 1 ? "" : "s")} ({size} bytes)"
            : $"{BtfCPrinter.Declare(known)} ({size} bytes)";
    }
}

/// <summary>One special field of a map's value.</summary>
internal sealed record FieldView(int Offset, int Size, string Kind, string Name, string? Pointee, string? Destructor)
{
    public static FieldView Of(BtfField field) => new(
        field.OffsetBytes,
        field.SizeBytes,
        KindOf(field.Kind),
        field.Name,
        field.Pointee.Btf is not null
            ? $"struct {field.Pointee.Name}" : field.NodeType.Btf is not null ? $"struct {field.NodeType.Name}" : null,
        field.Dtor);

    private static string KindOf(BtfFieldKind kind) => kind switch
    {
        BtfFieldKind.KptrRef => "kptr",
        BtfFieldKind.KptrUnref => "kptr_untrusted",
        BtfFieldKind.KptrPercpu => "percpu_kptr",
        BtfFieldKind.Uptr => "uptr",
        BtfFieldKind.SpinLock => "bpf_spin_lock",
        BtfFieldKind.ResSpinLock => "bpf_res_spin_lock",
        BtfFieldKind.Timer => "bpf_timer",
        BtfFieldKind.Workqueue => "bpf_wq",
        BtfFieldKind.TaskWork => "bpf_task_work",
        BtfFieldKind.ListHead => "bpf_list_head",
        BtfFieldKind.ListNode => "bpf_list_node",
        BtfFieldKind.RbRoot => "bpf_rb_root",
        BtfFieldKind.RbNode => "bpf_rb_node",
        BtfFieldKind.Refcount => "bpf_refcount",
        _ => kind.ToString(),
    };
}

/// <summary>An initial entry of a map of maps or program array, or a member of a struct_ops variable.</summary>
internal sealed record SlotView(string Key, string Target);

/// <summary>Something the object wants of the kernel by name.</summary>
internal sealed record ExternView(string Name, string Kind, bool Weak, string Type)
{
    public static ExternView Of(ExternSpec spec, ObjectSpec read) => new(
        spec.Name,
        spec.Kind switch
        {
            ExternKind.Kconfig => "kconfig",
            ExternKind.KsymFunc => "kfunc",
            ExternKind.KsymVar => "variable",
            _ => "symbol",
        },
        spec.IsWeak,
        spec.LocalTypeId == 0 || read.Btf is not { } btf ? "" : BtfCPrinter.Declare(btf[spec.LocalTypeId], spec.Name));
}
