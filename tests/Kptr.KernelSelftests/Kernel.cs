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
    /// From <c>--kernel-btf</c>, <c>--module-btf NAME=FILE</c>, <c>--kernel-config FILE</c>, <c>--profile NAME</c>
    /// (<c>linux-6.12</c> unless told) and <c>--cpus N</c> (2 unless told, as the kernel of the expected verdicts had).
    /// The kfuncs include those of the selftests' own modules.
    /// </summary>
    /// <exception cref="ArgumentException">There is no such profile.</exception>
    public static KernelSpec Read(Options options)
    {
        var name = options["profile"] ?? KernelProfile.Linux6_12.Name;
        var profile = KernelProfile.Find(name) ?? throw new ArgumentException(
            $"No profile is called {name}; there are {string.Join(", ", KernelProfile.All)}.");
        var modules = options.All("module-btf").Select(m => m.Split('=', 2)).Select(m => (m[0], m[^1]));
        KernelTypes types = KernelBtfReader.Read(options["kernel-btf"]!, modules);
        var spec = TestModule.Spec(types, profile) with
        {
            CpuIds = int.Parse(options["cpus"] ?? "2", CultureInfo.InvariantCulture),
        };
        return options["kernel-config"] is { } config
            ? spec with { Kconfig = KernelConfig.Parse(File.ReadAllText(config)) }
            : spec;
    }
}
