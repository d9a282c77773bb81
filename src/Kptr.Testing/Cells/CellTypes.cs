using System.Collections.Concurrent;
using Kptr.Btf;
using Kptr.Specs;

namespace Kptr.Testing.Cells;

/// <summary>What the values of a cell hold.</summary>
/// <param name="Name">What tables call it.</param>
/// <param name="Struct">The struct of <see cref="CellTypes"/>; empty for the map's own values.</param>
internal sealed record CellFields(string Name, string Struct)
{
    /// <summary>The values that the map was made with.</summary>
    internal static CellFields Own { get; } = new("Own", "");

    /// <summary>All kinds, in the order of tables.</summary>
    internal static IReadOnlyList<CellFields> All { get; } =
    [
        new("None", "none"), new("Kptr", "kptr"), new("TwoKptrs", "two"), new("ArrayOfKptrs", "several"),
        new("PercpuKptr", "percpu"), new("UnrefKptr", "unref"), new("RefcountAndKptr", "counted"),
        new("Lock", "locked"), new("LockAndKptr", "locked_kptr"), new("ResLockAndKptr", "res_locked"),
        new("TimerAndKptr", "timed"), new("WorkqueueAndKptr", "worked"), new("TaskWorkAndKptr", "task_worked"),
        new("List", "listed"), new("Tree", "treed"), new("TreeListAndKptr", "both"), new("Uptr", "user"),
    ];

    /// <summary>Whether kernels before the one of the recycle policy have such a field.</summary>
    internal bool IsNew => Struct is "res_locked" or "task_worked";
}

/// <summary>The C types of the values that cells are tried with.</summary>
internal static class CellTypes
{
    /// <summary>Bytes of each of them.</summary>
    internal const int ValueBytes = 72;

    private const string Text =
        """
        struct bpf_spin_lock { unsigned int val; };
        struct bpf_res_spin_lock { unsigned int val; };
        struct bpf_timer { u64 opaque[2]; } __attribute__((aligned(8)));
        struct bpf_wq { u64 opaque[2]; } __attribute__((aligned(8)));
        struct bpf_task_work { u64 opaque; } __attribute__((aligned(8)));
        struct bpf_list_head { u64 opaque[2]; } __attribute__((aligned(8)));
        struct bpf_list_node { u64 opaque[3]; } __attribute__((aligned(8)));
        struct bpf_rb_root { u64 opaque[2]; } __attribute__((aligned(8)));
        struct bpf_rb_node { u64 opaque[4]; } __attribute__((aligned(8)));
        struct bpf_refcount { unsigned int opaque[1]; } __attribute__((aligned(4)));
        struct bpf_cpumask { u64 bits; };

        struct kit_node { struct bpf_list_node l; struct bpf_rb_node r; struct bpf_refcount c; u64 key; };
        struct kit_counter { u64 hits; };

        struct none { u64 plain[9]; };
        struct kptr { u64 plain; struct bpf_cpumask __kptr *f8; u64 rest[7]; };
        struct two { u64 plain; struct bpf_cpumask __kptr *f8; u64 rest[6]; struct bpf_cpumask __kptr *f64; };
        struct several {
            struct bpf_cpumask __kptr *f0; struct bpf_cpumask __kptr *f8; struct bpf_cpumask __kptr *f16; u64 rest[6];
        };
        struct percpu { u64 plain[5]; struct kit_counter __percpu_kptr *f40; u64 rest[3]; };
        struct unref { u64 plain; struct bpf_cpumask __kptr_untrusted *f8; u64 rest[7]; };
        struct counted { struct bpf_refcount f0; struct bpf_cpumask __kptr *f8; u64 rest[7]; };
        struct locked { struct bpf_spin_lock f0; u64 rest[8]; };
        struct locked_kptr { struct bpf_spin_lock f0; struct bpf_cpumask __kptr *f8; u64 rest[7]; };
        struct res_locked { struct bpf_res_spin_lock f0; struct bpf_cpumask __kptr *f8; u64 rest[7]; };
        struct timed { u64 plain; struct bpf_cpumask __kptr *f8; struct bpf_timer f16; u64 rest[5]; };
        struct worked { struct bpf_wq f0; struct bpf_cpumask __kptr *f16; u64 rest[6]; };
        struct task_worked { u64 plain; struct bpf_cpumask __kptr *f8; struct bpf_task_work f16; u64 rest[6]; };
        struct listed { struct bpf_spin_lock f0; struct bpf_list_head f8 __contains(kit_node, l); u64 rest[6]; };
        struct treed {
            struct bpf_rb_root f0 __contains(kit_node, r); u64 plain; struct bpf_spin_lock f24; u64 rest[5];
        };
        struct both {
            struct bpf_spin_lock f0; struct bpf_rb_root f8 __contains(kit_node, r); u64 plain;
            struct bpf_list_head f32 __contains(kit_node, l); u64 more; struct bpf_cpumask __kptr *f56; u64 last;
        };

        int fill(void *ctx);
        static int ring(void *map, void *key, void *value);
        static bool less(struct bpf_rb_node *a, const struct bpf_rb_node *b);
        """;

    private static readonly ConcurrentDictionary<(KernelSpec Kernel, int Id), BtfRecord> Records = new();
    private static readonly BtfRecord User = new([new(BtfFieldKind.Uptr, "f8", 8, sizeof(ulong))]);

    /// <summary>All of them, and the functions of the program that fills them.</summary>
    internal static BtfSpec Btf { get; } = CDeclParser.Parse(Text, "kptr_testing");

    /// <summary>Number of a struct.</summary>
    internal static int IdOf(string name) => Btf.FindId(name, BtfKind.Struct);

    /// <summary>A blueprint whose values have the fields.</summary>
    internal static MapSpec Apply(MapSpec spec, CellFields fields, KernelSpec kernel)
    {
        if (spec.InnerMap is { } inner)
        {
            return spec with { InnerMap = Apply(inner, fields, kernel) };
        }

        if (fields.Struct == "user")
        {
            return spec with { ValueSize = ValueBytes, Record = User };
        }

        var id = IdOf(fields.Struct);
        return spec with
        {
            ValueSize = ValueBytes,
            Btf = Btf,
            KeyTypeId = Btf.FindId("int", BtfKind.Int),
            ValueTypeId = id,
            Record = Records.GetOrAdd((kernel, id), static of => ReaderOf(of.Kernel).ReadMapValue(
                of.Id, ValueBytes).Record),
        };
    }

    private static BtfRecordReader ReaderOf(KernelSpec kernel) =>
        new(Btf, kernel.Types, kernel.Dtors.GetValueOrDefault, kernel.Profile.RecordRules);
}
