using Kptr.Btf;

namespace Kptr.Tests.Btf;

/// <summary>Special fields of structs written in C, read under the rules of a kernel.</summary>
internal static class BtfRecordSamples
{
    internal const string Prelude = BtfSamples.SpecialTypes +
        """
        struct bpf_res_spin_lock { u32 val; };
        struct bpf_task_work { u64 __opaque; } __attribute__((aligned(8)));
        struct bpf_wq { u64 __opaque[2]; } __attribute__((aligned(8)));
        struct task_struct { int pid; };
        struct other { int x; };

        """;

    internal static readonly KernelTypes Kernel = new(
        CDeclParser.Parse("struct task_struct { int pid; int tgid; };", "vmlinux"));

    internal static BtfRecordRules RulesOf(string kernel) => kernel switch
    {
        "6.1" => BtfRecordRules.Linux6_1,
        "6.2" => BtfRecordRules.Linux6_2,
        "7.2" => BtfRecordRules.Linux7_2,
        _ => BtfRecordRules.Linux6_12,
    };

    internal static BtfRecordResult Read(string kernel, string text)
    {
        var btf = CDeclParser.Parse(Prelude + text, "t");
        var id = btf.FindId("v", BtfKind.Struct);
        return Reader(btf, kernel).ReadMapValue(id, btf.ResolveSize(id));
    }

    internal static BtfRecordReader Reader(BtfSpec btf, string kernel) =>
        new(btf, Kernel, n => n == "task_struct" ? "bpf_task_release" : null, RulesOf(kernel));
}
