using System.Globalization;
using Kptr.Btf;
using Kptr.Elf;
using Kptr.KernelSelftests.Testmod;
using Kptr.Specs;

namespace Kptr.KernelSelftests;

/// <summary>The kernel named on the command line.</summary>
public static class Kernel
{
    /// <summary>
    /// From <c>--kernel-btf</c>, <c>--module-btf NAME=FILE</c>, <c>--kernel-config FILE</c> and
    /// <c>--cpus N</c> (2 unless told, as the kernel of the expected verdicts had). The kfuncs include those
    /// of the selftests' own modules.
    /// </summary>
    public static KernelSpec Read(Options options)
    {
        var modules = options.All("module-btf").Select(m => m.Split('=', 2)).Select(m => (m[0], m[^1]));
        KernelTypes types = KernelBtfReader.Read(options["kernel-btf"]!, modules);
        var spec = TestModule.Spec(types) with
        {
            CpuIds = int.Parse(options["cpus"] ?? "2", CultureInfo.InvariantCulture),
        };
        return options["kernel-config"] is { } config
            ? spec with { Kconfig = KernelConfig.Parse(File.ReadAllText(config)) }
            : spec;
    }
}
