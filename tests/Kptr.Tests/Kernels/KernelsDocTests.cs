using System.Reflection;
using System.Text;
using System.Text.RegularExpressions;
using Kptr.Btf;
using Kptr.Kfuncs;
using Kptr.Specs;

namespace Kptr.Tests.Kernels;

/// <summary>Keeps <c>docs/kernels.md</c> what the profiles say. <c>KPTR_UPDATE_DOCS=1</c> writes it anew.</summary>
public class KernelsDocTests
{
    private const BindingFlags Rules = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic
        | BindingFlags.DeclaredOnly;

    private static readonly string s_page = Path.Combine(TestData.Root, "docs", "kernels.md");

    private static readonly string s_source = string.Concat(Directory.GetFiles(
        Path.Combine(TestData.Root, "src", "Kptr", "Specs"), "KernelProfile*.cs").Order().Select(File.ReadAllText));

    private static readonly IReadOnlyList<KernelProfile> s_profiles = KernelProfile.All;

    [Fact]
    public void Page_InTheDocs_IsThatOfTheProfiles()
    {
        var page = Generate();
        if (Environment.GetEnvironmentVariable("KPTR_UPDATE_DOCS") == "1")
        {
            File.WriteAllText(s_page, page);
        }

        File.ReadAllText(s_page).Should().Be(page, "KPTR_UPDATE_DOCS=1 dotnet test writes it anew");
    }

    /// <summary>A rule that all kernels share, or that says nothing of itself, is none.</summary>
    [Fact]
    public void EveryRule_DiffersBetweenKernels_AndSaysFromWhen() => RuleProperties().Should().OnlyContain(
        p => s_profiles.Select(p.GetValue).Distinct().Count() == 2 && Regex.IsMatch(TextOf(p), @"\d\.\d"));

    private static string Generate()
    {
        var text = new StringBuilder();
        text.AppendLine("""
            # What each kernel allows for kptrs

            Generated from the profiles (`KernelProfile.All`) that Kptr judges by: what is on this page is what `kptr check` does. 7.2, 6.12 and 6.1 are held
            against whole tables and the selftests of such kernels ([figures](../tests/Kptr.KernelSelftests/README.md)); how sure
            each fact is, is in [Specs](../src/Kptr/Specs/README.md). "Since" is the version whose sources or history show it.

            ```sh
            kptr check --kernels all prog.bpf.o                          # a column a kernel, and what differs
            kptr check --profile linux-6.1 --profile linux-6.12 prog.bpf.o
            ```

            The exit code is 0 where every kernel asked takes every program, 1 where some kernel refuses one (or Kptr does not know enough to say),
            2 for bad usage or input that cannot be read. `--format json` has one object a program, with an array `kernels` and `differs`.
            In C#, `ObjectCheck.Run(path, kernels)` reads an object once and answers for each kernel.

            ## At a glance
            """).AppendLine();
        Table(text, "", Glance());
        text.AppendLine("""
            ## Kfuncs that take or give references

            Flags as each kernel has them; `-` where it has no such kfunc. Who may call them is in [kfuncs.md](kfuncs.md).
            """).AppendLine();
        Table(text, "kfunc", Kfuncs());
        text.AppendLine("""
            ## Rule by rule

            Each rule is a property of `KernelProfile`. Programs on both sides of most are under `tests/data/verifier/kernels`, and what the cells of
            real kernels say in the tables of `tests/data`. The first table says who has it, the list what it is.
            """).AppendLine();
        Table(text, "rule", [.. RuleProperties().Select(p => (p.Name, s_profiles.Select(k => YesNo(p.GetValue(k)))))]);
        foreach (var rule in RuleProperties())
        {
            text.AppendLine($"* `{rule.Name}`: {TextOf(rule)}");
        }

        text.AppendLine().AppendLine("""
            ## A kernel of your own

            A vendor's kernel has no profile. Its BTF (`/sys/kernel/btf/vmlinux`, or what the kernel's debug or headers package brings) tells which kfuncs
            with which prototypes, map types, program types and special fields it has; the rest is that of the profile nearest to it, and the answer
            says which is which:

            ```sh
            kptr check --kernel-btf vmlinux --nearest linux-6.12 prog.bpf.o
            ```
            ```csharp
            BtfKernel kernel = BtfKernel.Read("vendor-6.6", KernelBtfReader.Read(vmlinux), KernelProfile.Linux6_12);
            Console.WriteLine(kernel);                                     // each fact, and where it comes from
            foreach (ProgVerdict verdict in ObjectCheck.Run(path, kernel.Spec))
            {
                Console.WriteLine(verdict);
            }
            ```

            Flags of kfuncs are in no BTF: they are the nearest profile's, else those of another profile that has the kfunc. A kfunc that no profile
            knows may not be called. Rules of the verifier that a vendor took over early, or left out, are not seen.
            """);
        return text.ToString().ReplaceLineEndings("\n");
    }

    private static (string, IEnumerable<string>)[] Glance() =>
    [
        Row("tag of a kptr that owns its reference", p => TagOf(p, BtfFieldKind.KptrRef)),
        Row("tag of a kptr without one", p => TagOf(p, BtfFieldKind.KptrUnref)),
        Row("tag of a per-CPU kptr", p => TagOf(p, BtfFieldKind.KptrPercpu)),
        Row("special fields of a map's value", p => Words(p.RecordRules.MapValueKinds.ToString())),
        Row("most of them in one value", p => $"{p.RecordRules.FieldsMax}"),
        Row("kptrs in structs in the value, and in arrays", p => YesNo(p.RecordRules.AllowsArrays)),
        Row("kptrs to types of the program's own", p => YesNo(p.RecordRules.AllowsLocalKptrs)),
        Row("maps that hold kptrs", p => string.Join(", ", p.MapsWithKptrs.Where(t => t <= p.LastMapType))),
        Row("destructor registered for", p => string.Join(", ", KfuncRegistry.Builtin.DtorsOf(p).Keys.Order()
            .Select(d => $"`{d}`"))),
        Row("update and delete destroy the value's kptrs", p => p.Destroy == DestroyBehavior.Eager
            ? "at once" : "when the memory goes"),
        Row("functions open at once", p => $"{p.CallFramesMax}"),
        Row("newest map type", p => $"{p.LastMapType}"),
        Row("newest program type", p => $"{p.LastProgType}"),
    ];

    private static (string, IEnumerable<string>)[] Kfuncs()
    {
        const KfuncFlags moving = KfuncFlags.Acquire | KfuncFlags.Release | KfuncFlags.KptrGet;
        var specs = s_profiles.Select(KfuncRegistry.Builtin.SpecsOf).ToList();
        return [.. specs.SelectMany(s => s.Values).Where(k => (k.Flags & moving) != 0).Select(k => k.Name).Distinct()
            .Order(StringComparer.Ordinal).Select(name => ($"`{name}`", specs.Select(
                s => s.GetValueOrDefault(name) is { } k ? k.Flags.ToString() : "-")))];
    }

    private static IEnumerable<PropertyInfo> RuleProperties() => typeof(KernelProfile).GetProperties(Rules)
        .Where(p => p.PropertyType == typeof(bool) && p.CanWrite).OrderBy(p => p.Name, StringComparer.Ordinal);

    private static string TextOf(PropertyInfo rule)
    {
        var declared = Regex.Match(s_source, @"<summary>((?:(?!<summary>).)*)</summary>\s+(?:public|internal) bool "
            + rule.Name + " ", RegexOptions.Singleline);
        declared.Success.Should().BeTrue($"{rule.Name} says what it is");
        var text = Regex.Replace(declared.Groups[1].Value, "</?c>", "`");
        return Regex.Replace(text, @"(?:\s|///)+", " ").Trim();
    }

    private static (string, IEnumerable<string>) Row(string what, Func<KernelProfile, string> cell) =>
        (what, s_profiles.Select(cell));

    private static string TagOf(KernelProfile profile, BtfFieldKind kind) =>
        profile.RecordRules.Tags.FirstOrDefault(t => t.Value == kind).Key is { } tag ? $"`{tag}`" : "-";

    private static string Words(string flags) => flags.Replace("Kptr,", "kptrs,", StringComparison.Ordinal);

    private static string YesNo(object? value) => value is true ? "yes" : "no";

    private static void Table(StringBuilder text, string first, (string Name, IEnumerable<string> Cells)[] rows)
    {
        text.AppendLine($"| {first} | {string.Join(" | ", s_profiles.Select(p => p.Name["linux-".Length..]))} |");
        text.AppendLine($"|---{string.Concat(s_profiles.Select(_ => "|---"))}|");
        foreach (var (name, cells) in rows)
        {
            text.AppendLine($"| {name} | {string.Join(" | ", cells)} |");
        }

        text.AppendLine();
    }
}
