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

    /// <summary>A module's types are split from a kernel's: one option needs the other.</summary>
    public static void RequireKernelForModules(Command command) => command.Validators.Add(r =>
    {
        if (r.GetResult(ModuleBtf) is { Tokens.Count: > 0 } && r.GetResult(KernelBtf) is null)
        {
            r.AddError("--module-btf needs --kernel-btf: a module's types are split from a kernel's.");
        }
    });

    private static Option<string> MakeProfile()
    {
        var option = new Option<string>("--profile")
        {
            Description = "Whose rules: a kernel version.",
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
