using Kptr.Btf;

namespace Kptr.Tests.Btf;

/// <summary>BTF with every kind in it, written by <see cref="BtfBuilder"/> and from C.</summary>
internal static class BtfSamples
{
    /// <summary>The structs that Linux 6.12 and later take for special fields, wherever a member has one.</summary>
    internal const string SpecialTypes =
        """
        struct bpf_spin_lock { u32 val; };
        struct bpf_timer { u64 __opaque[2]; } __attribute__((aligned(8)));
        struct bpf_list_head { u64 __opaque[2]; } __attribute__((aligned(8)));
        struct bpf_list_node { u64 __opaque[3]; } __attribute__((aligned(8)));
        struct bpf_rb_root { u64 __opaque[2]; } __attribute__((aligned(8)));
        struct bpf_rb_node { u64 __opaque[4]; } __attribute__((aligned(8)));
        struct bpf_refcount { u32 __opaque[1]; } __attribute__((aligned(4)));

        """;

    internal const string Text =
        """
        struct list_head { struct list_head *next, *prev; };
        struct task_struct {
            volatile long state;
            void *stack;
            u32 flags;
            u32 on_cpu : 1, on_rq : 2;
            u32 : 0;
            char comm[16];
            const struct cred __rcu *cred;
            struct { int uid; int gid; };
            union { u64 raw; struct list_head node; };
            struct task_struct __kptr *parent;
            enum state { RUNNING, SLEEPING = 2, DEAD = -1 } st;
            int (*fn)(struct task_struct *, const char *fmt, ...);
            u8 tail[];
        };
        enum wide { BIG = 0x100000000, SMALL = 1 };
        struct cred { int usage; struct { char c; int i; } __attribute__((packed)) p; };
        typedef void (*btf_trace_task_newtask)(void *, struct task_struct *, u64);
        extern int probe(int *restrict a __arg_nonnull, double d);
        u64 counter SEC(".data");
        __bpf_kfunc struct task_struct *bpf_task_acquire(struct task_struct *p);
        struct opaque;
        union u { struct opaque *o; float f; };
        """;

    internal static BtfSpec Base { get; } = CDeclParser.Parse(Text, "vmlinux");

    internal static BtfSpec Split { get; } =
        CDeclParser.Parse("struct mod { struct task_struct *t; struct cred c; u64 x; }; typedef struct mod mod_t;",
            "mod", Base);
}
