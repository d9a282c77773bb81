using System.Text;
using Kptr.Btf;
using Kptr.Diagnostics;

namespace Kptr.Fuzz;

/// <summary>
/// C declarations: refused at a place in the text, or BTF that answers every question and
/// prints as C that parses again.
/// </summary>
internal static class CDeclTarget
{
    internal static bool Run(byte[] input)
    {
        var sink = new DiagSink();
        var btf = CDeclParser.TryParse(Encoding.UTF8.GetString(input), "fuzz.h", null, sink);
        Finding.Unless((btf is null) == !sink.IsEmpty, "a fault and a result exclude each other");
        Finding.Unless(sink.All.All(d => d.Source!.StartsWith("fuzz.h:", StringComparison.Ordinal)),
            "a fault has its place");
        if (btf is null)
        {
            return false;
        }

        BtfQuestions.Ask(btf);
        Finding.Unless(CDeclParser.TryParse(BtfCPrinter.Print(btf), "again.h", null, sink) is not null,
            sink.IsEmpty ? "" : sink.All[0].ToString());
        return true;
    }

    internal static IEnumerable<byte[]> Seeds() => Texts().Select(Encoding.UTF8.GetBytes);

    /// <summary>Declarations of ours.</summary>
    internal static IEnumerable<string> Texts() =>
    [
        BtfQuestions.BaseText,
        """
        #define COUNT 4
        struct flags { unsigned int a : 3, : 5, b : 24; } __attribute__((packed));
        struct wide { char c; long l; } __attribute__((aligned(64)));
        struct list { struct list *next; struct { int x; union { u8 raw[COUNT]; u32 word; }; } in; u8 tail[]; };
        enum color { RED, GREEN = 5, BLUE = -1 };
        typedef int (*op_t)(const struct list *restrict, enum color, ...);
        static int (*table[COUNT * 2])(void);
        extern volatile unsigned long jiffies;
        u64 counter SEC(".data");
        int f(int a, char *b);
        """,
        """
        struct node { int key; struct bpf_rb_node *rb; };
        struct value { struct task_struct __kptr *task; struct node __percpu_kptr *p; struct task_struct __kptr_untrusted *u; void __user *w; };
        __bpf_kfunc struct task_struct *bpf_task_acquire(struct task_struct *p __arg_nonnull);
        """,
        .. SeedFiles.GoldenParts("types").Where(t => t.Length is > 100 and < 1500).Take(8),
        .. SeedFiles.GoldenParts("kernel").Where(t => t.Length < 1500).Take(6),
    ];
}
