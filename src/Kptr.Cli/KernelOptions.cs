using System.CommandLine;
using Kptr.Diagnostics;
using Kptr.Elf;
using Kptr.Kfuncs;
using Kptr.Specs;

namespace Kptr.Cli;

/// <summary>The options that say against which kernel a command works.</summary>
internal static class KernelOptions
{
    public static Option<string?> KernelBtf { get; } = new("--kernel-btf")
    {
        Description =
            "The kernel's types: raw BTF or an ELF file with a .BTF section. Default: Kptr's own model kernel.",
        HelpName = "FILE",
    };

    public static Option<string[]> ModuleBtf { get; } = MakeModuleBtf();

    public static Option<string> Profile { get; } = MakeProfile();

    /// <summary>Of <c>check</c>: any number of profiles.</summary>
    public static Option<string[]> Profiles { get; } = MakeProfiles();

    public static Option<string?> Kernels { get; } = MakeKernels();

    public static Option<string?> Nearest { get; } = MakeNearest();

    /// <summary>The kernel the options name.</summary>
    /// <exception cref="DiagnosticException">A file has no BTF.</exception>
    public static KernelSpec Read(ParseResult parsed)
    {
        var profile = KernelProfile.Find(parsed.GetValue(Profile)!)!;
        var modules = (parsed.GetValue(ModuleBtf) ?? []).Select(m => SplitModule(m)!.Value);
        return parsed.GetValue(KernelBtf) is { } path
            ? BuiltinKernel.Spec(profile, KernelBtfReader.Read(path, modules))
            : BuiltinKernel.Spec(profile);
    }

    /// <summary>All kernels that the options of <c>check</c> name, in their order; types are read once.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="note">Hears what was read of a kernel without a profile, and what was not.</param>
    /// <exception cref="DiagnosticException">A file has no BTF.</exception>
    public static IReadOnlyList<KernelSpec> ReadAll(ParseResult parsed, Action<string> note)
    {
        var modules = (parsed.GetValue(ModuleBtf) ?? []).Select(m => SplitModule(m)!.Value);
        var types = parsed.GetValue(KernelBtf) is { } path ? KernelBtfReader.Read(path, modules) : null;
        if (parsed.GetValue(Nearest) is { } nearest)
        {
            var own = BtfKernel.Read(
                Path.GetFileName(parsed.GetValue(KernelBtf)!), types!, KernelProfile.Find(nearest)!);
            foreach (var fact in own.Facts)
            {
                note(fact.ToString());
            }

            return [own.Spec];
        }

        IEnumerable<KernelProfile> profiles = parsed.GetValue(Kernels) == All
            ? KernelProfile.All
            : parsed.GetValue(Profiles) is { Length: > 0 } names
                ? names.Distinct().Select(n => KernelProfile.Find(n)!)
                : [KernelProfile.Linux6_12];
        return [.. profiles.Select(p => types is null ? BuiltinKernel.Spec(p) : BuiltinKernel.Spec(p, types))];
    }

    /// <summary>Which of the options go together.</summary>
    public static void RequireOneChoice(Command command) => command.Validators.Add(r =>
    {
        var given = new Option[] { Profiles, Kernels, Nearest }
            .Where(o => r.GetResult(o) is { Implicit: false }).Select(o => o.Name).ToArray();
        if (given.Length > 1)
        {
            r.AddError($"{string.Join(" and ", given)} exclude each other.");
        }

        if (given.Contains(Nearest.Name) && r.GetResult(KernelBtf) is null)
        {
            r.AddError($"{Nearest.Name} needs --kernel-btf: the kernel is read from its types.");
        }
    });

    /// <summary>A module's types are split from a kernel's: one option needs the other.</summary>
    public static void RequireKernelForModules(Command command) => command.Validators.Add(r =>
    {
        if (r.GetResult(ModuleBtf) is { Tokens.Count: > 0 } && r.GetResult(KernelBtf) is null)
        {
            r.AddError("--module-btf needs --kernel-btf: a module's types are split from a kernel's.");
        }
    });

    private const string All = "all";

    private static string Names => string.Join(", ", KernelProfile.All.Select(p => p.Name));

    private static Option<string[]> MakeProfiles()
    {
        var option = new Option<string[]>("--profile")
        {
            Description = $"Whose rules: {Names}; may be given several times. Default: linux-6.12.",
            HelpName = "PROFILE",
        };
        option.AcceptOnlyFromAmong([.. KernelProfile.All.Select(p => p.Name)]);
        return option;
    }

    private static Option<string?> MakeKernels()
    {
        var option = new Option<string?>("--kernels")
        {
            Description = "Judge for all kernels that have a profile.",
            HelpName = All,
        };
        option.AcceptOnlyFromAmong(All);
        return option;
    }

    private static Option<string?> MakeNearest()
    {
        var option = new Option<string?>("--nearest")
        {
            Description = "Judge for the kernel of --kernel-btf itself; what its types do not tell is this profile's.",
            HelpName = "PROFILE",
        };
        option.AcceptOnlyFromAmong([.. KernelProfile.All.Select(p => p.Name)]);
        return option;
    }

    private static Option<string> MakeProfile()
    {
        var option = new Option<string>("--profile")
        {
            Description = $"Whose rules: {Names}. Default: linux-6.12.",
            HelpName = "PROFILE",
            DefaultValueFactory = _ => KernelProfile.Linux6_12.Name,
        };
        option.AcceptOnlyFromAmong([.. KernelProfile.All.Select(p => p.Name)]);
        return option;
    }

    private static Option<string[]> MakeModuleBtf()
    {
        var option = new Option<string[]>("--module-btf")
        {
            Description = "A module's types, split from the kernel's; may be given several times.",
            HelpName = "NAME=FILE",
        };
        option.Validators.Add(r =>
        {
            foreach (var token in r.Tokens.Where(t => SplitModule(t.Value) is null))
            {
                r.AddError($"--module-btf wants NAME=FILE, not '{token.Value}'.");
            }
        });
        return option;
    }

    private static (string Name, string Path)? SplitModule(string text) =>
        text.Split('=', 2) is [{ Length: > 0 } name, { Length: > 0 } path] ? (name, path) : null;
}
