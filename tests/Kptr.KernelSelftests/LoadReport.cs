using Kptr.KernelSelftests.Testmod;
using Kptr.Objects;

namespace Kptr.KernelSelftests;

/// <summary>
/// Loads every object without its programs, so that all its maps are made, as libbpf would make them.
/// </summary>
/// <remarks>
/// Judging makes no maps. <c>--ratchet FILE</c> names the objects that are known not to load: those whose maps the
/// model does not make, and those that user space sizes first.
/// </remarks>
public static class LoadReport
{
    public static int Run(Options options)
    {
        var spec = Kernel.Read(options);
        var judged = new List<(string Object, bool Loads)>();
        foreach (var path in options.Objects())
        {
            var why = WhyNot(path, spec);
            judged.Add((Options.NameOf(path), why is null));
            if (why is not null)
            {
                Console.WriteLine($"not loaded: {Options.NameOf(path)}: {why}");
            }
        }

        Console.WriteLine($"loaded {judged.Count(j => j.Loads)}/{judged.Count} objects, maps and all");
        return options["ratchet"] is not { } file || Ratchet.Holds(file, judged) ? 0 : 1;
    }

    private static string? WhyNot(string path, Specs.KernelSpec spec)
    {
        using var kernel = new KernelModel(new()
        {
            Kernel = spec, Profile = spec.Profile, Kfuncs = TestModule.Kfuncs, Driver = DeferredDriver.Manual,
        });
        try
        {
            using var loaded = BpfObject.Open(path).Load(kernel, new LoadOptions { Autoload = _ => false });
            return null;
        }
        catch (Exception e)
        {
            return $"{e.GetType().Name}: {e.Message.Split('\n')[0]}";
        }
    }
}
