using Kptr.Btf;
using Kptr.Elf;
using Kptr.Kfuncs;
using Kptr.Specs;

namespace Kptr.KernelSelftests;

/// <summary>The kernel named on the command line.</summary>
public static class Kernel
{
    /// <summary>
    /// From <c>--kernel-btf</c>, <c>--module-btf NAME=FILE</c> and <c>--kernel-config FILE</c>. A module of the selftests' own
    /// registers one destructor.
    /// </summary>
    public static KernelSpec Read(Options options)
    {
        var modules = options.All("module-btf").Select(m => m.Split('=', 2)).Select(m => (m[0], m[^1]));
        KernelTypes types = KernelBtfReader.Read(options["kernel-btf"]!, modules);
        var spec = BuiltinKernel.Spec(KernelProfile.Linux6_12, types);
        spec = TestModuleKfuncs.AddTo(spec) with { Dtors = spec.Dtors.SetItem("bpf_testmod_ctx", "bpf_testmod_ctx_release") };
        return options["kernel-config"] is { } config ? spec with { Kconfig = KernelConfig.Parse(File.ReadAllText(config)) } : spec;
    }
}
