using System.Collections.Immutable;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Elf;
using Kptr.Specs;

namespace Kptr.Fuzz;

/// <summary>Object files: read to a spec or refused with diagnostics, then linked against a small kernel.</summary>
internal static class ElfTarget
{
    private const int SeedBytesMax = 17_000;

    /// <summary>What objects are linked against: types of which some differ from the objects' own.</summary>
    internal static readonly KernelSpec Kernel = new(KernelProfile.Linux6_12, new KernelTypes(CDeclParser.Parse(
        """
        struct task_struct { int pid; int tgid; };
        struct point { int y; int x; };
        struct shape { unsigned int narrow; struct point origin; struct point corners[4]; int level : 5; };
        enum color { GREEN = 5 };
        struct my_ops { void (*second)(void); int (*first)(int); unsigned int flags; char name[16]; };
        struct bpf_struct_ops_my_ops { struct my_ops data; };
        struct task_struct *bpf_task_acquire(struct task_struct *p);
        int runqueues;
        """,
        "vmlinux")))
    {
        Dtors = ImmutableDictionary<string, string>.Empty.Add("task_struct", "bpf_task_release"),
    };

    internal static bool Run(byte[] input)
    {
        var sink = new DiagSink();
        var spec = ObjectReader.TryRead(input, "fuzz.o", sink);
        Finding.Unless((spec is null) == !sink.IsEmpty, "a fault and a result exclude each other");
        if (spec is null)
        {
            return false;
        }

        var linked = ObjectLinker.Link(spec, Kernel, sink);
        Finding.Unless(linked.Progs.Length == spec.Progs.Length, "linking keeps every program");
        Finding.Unless(linked.Progs.All(p => p.LinkFault is not null || p.Relocs.IsEmpty),
            "a linked program has no relocations");
        return true;
    }

    internal static IEnumerable<byte[]> Seeds() => SeedFiles.Objects().Where(o => o.Length < SeedBytesMax);
}
