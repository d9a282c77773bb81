using Kptr.Btf;

namespace Kptr.Fuzz;

/// <summary>Every question that a BTF which was read must be able to answer.</summary>
internal static class BtfQuestions
{
    /// <summary>Types of a kernel to split from, and for records to point to.</summary>
    internal const string BaseText = """
        typedef unsigned int refcount_t;
        struct task_struct { refcount_t usage; int pid; struct task_struct *parent; char comm[16]; u64 a : 7, b : 33; };
        struct bpf_spin_lock { unsigned int val; };
        struct bpf_timer { u64 opaque[2]; };
        struct bpf_list_head { u64 opaque[2]; };
        struct bpf_list_node { u64 opaque[3]; };
        struct bpf_rb_root { u64 opaque[2]; };
        struct bpf_rb_node { u64 opaque[4]; };
        struct bpf_refcount { u32 opaque[1]; };
        struct bpf_wq { u64 opaque[2]; };
        enum wide { BIG = 0x100000000, SMALL = 1 };
        union either { struct task_struct *task; struct opaque *other; float number; };
        typedef void (*handler_t)(void *, struct task_struct *, u64);
        """;

    private const int FieldsMax = 12;
    private const int PrintedCharsMax = 4_000_000;

    /// <summary>The types of <see cref="BaseText"/>.</summary>
    internal static BtfSpec Base { get; } = CDeclParser.Parse(BaseText, "vmlinux");

    private static readonly KernelTypes s_kernel = new(Base);

    /// <summary>Asks them all.</summary>
    /// <exception cref="Finding">An answer is wrong.</exception>
    internal static void Ask(BtfSpec btf)
    {
        for (var id = 0; id < btf.TypeCount; id++)
        {
            var type = btf[id];
            _ = type.SkipModifiers().Kind;
            _ = btf.ResolveSize(id);
            _ = BtfCPrinter.Declare(type, "x");
            AskParts(type);

            // A name that is no UTF-8, or was cut, cannot be asked for.
            var isWhole = type.Name is { Length: > 0 and < 1024 }
                && !type.Name.Contains('\ufffd', StringComparison.Ordinal);
            Finding.Unless(!isWhole || btf.FindId(type.Name, type.Kind) > 0, $"type {id} is not found by its name");
        }

        var again = BtfSpec.Read(btf.ToBytes(), "again", btf.Base);
        Finding.Unless(again.TypeCount == btf.TypeCount, "what is written is what was read");
        Finding.Unless(BtfCPrinter.Print(btf).Length < PrintedCharsMax, "printing has a budget");
        AskRecords(btf);
    }

    private static void AskParts(BtfType type)
    {
        for (var i = 0; i < type.VLen; i++)
        {
            _ = type.Kind switch
            {
                BtfKind.Struct or BtfKind.Union => type.Btf[type.Member(i).TypeId].Kind,
                BtfKind.Enum or BtfKind.Enum64 => type.EnumValue(i).Name.Length < 0 ? type.Kind : type.Kind,
                BtfKind.FuncProto => type.Btf[type.Param(i).TypeId].Kind,
                BtfKind.DataSec => type.Btf[type.Var(i).TypeId].Kind,
                _ => type.Ref.Kind,
            };
        }
    }

    private static void AskRecords(BtfSpec btf)
    {
        foreach (var rules in new[] { BtfRecordRules.Linux6_2, BtfRecordRules.Linux6_12, BtfRecordRules.Linux7_2 })
        {
            var reader = new BtfRecordReader(btf, s_kernel, n => n == "task_struct" ? "bpf_task_release" : null, rules);
            for (var id = 1; reader.Load.IsOk && id < btf.TypeCount; id++)
            {
                var fields = reader.ReadMapValue(id, Math.Max(btf.ResolveSize(id), 0)).Record.Fields;
                Finding.Unless(fields.Length < FieldsMax, $"type {id} has {fields.Length} special fields");
            }
        }
    }
}
