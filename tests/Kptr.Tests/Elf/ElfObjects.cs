using System.Collections.Immutable;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Elf;
using Kptr.Specs;

namespace Kptr.Tests.Elf;

/// <summary>The objects under tests/data/elf, and kernels declared in C to link them against.</summary>
internal static class ElfObjects
{
    public static byte[] Bytes(string name) => File.ReadAllBytes(TestData.Path("elf", name + ".bpf.o"));

    public static ObjectSpec Read(string name) => ObjectReader.Read(TestData.Path("elf", name + ".bpf.o"));

    public static KernelSpec Kernel(string declarations) =>
        new(KernelProfile.Linux6_12, new KernelTypes(CDeclParser.Parse(declarations, "vmlinux")))
        {
            Dtors = ImmutableDictionary<string, string>.Empty.Add("task_struct", "bpf_task_release"),
        };

    public static ObjectSpec Link(string name, string declarations, DiagSink? sink = null) =>
        ObjectLinker.Link(Read(name), Kernel(declarations), sink ?? new DiagSink());

    public static ProgSpec Prog(this ObjectSpec spec, string name) => spec.Progs.Single(p => p.Name == name);

    public static MapSpec Map(this ObjectSpec spec, string name) => spec.Maps.Single(m => m.Name == name);
}
