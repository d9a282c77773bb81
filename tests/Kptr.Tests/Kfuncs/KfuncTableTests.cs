using System.Text;
using Kptr.Kfuncs;
using Kptr.Specs;

namespace Kptr.Tests.Kfuncs;

/// <summary>Keeps <c>docs/kfuncs.md</c> what the declarations say. <c>KPTR_UPDATE_DOCS=1</c> writes it anew.</summary>
public class KfuncTableTests
{
    private static readonly string File = Path.Combine(TestData.Root, "docs", "kfuncs.md");

    [Fact]
    public void Table_InTheDocs_IsThatOfTheDeclarations()
    {
        var table = Generate();
        if (Environment.GetEnvironmentVariable("KPTR_UPDATE_DOCS") == "1")
        {
            System.IO.File.WriteAllText(File, table);
        }

        System.IO.File.ReadAllText(File).Should().Be(table, "KPTR_UPDATE_DOCS=1 dotnet test writes it anew");
    }

    private static string Generate()
    {
        var text = new StringBuilder("""
            # Kfuncs and helpers

            Generated from the declarations (`[Kfunc]` and `[Helper]` methods, and the table of kfuncs without a body). Flags, hooks and names of
            Linux 6.12 are compared by a test with what Linux's own sources register (`tests/data/kfunc-flags-6.12.tsv`).

            *runs*: the model has a body. Others are known to the verifier alone; calling one at run time is a reported fault (`RunNoSuchCall`)
            that names it, never a silent 0.


            """);
        AppendGaps(text);
        text.AppendLine("## Kfuncs").AppendLine().AppendLine("| kfunc | flags | callable from | profiles | |")
            .AppendLine("|---|---|---|---|---|");
        foreach (var d in KfuncRegistry.Builtin.All
            .OrderBy(d => d.Spec.Name, StringComparer.Ordinal)
            .ThenBy(d => d.Spec.Profiles))
        {
            text.AppendLine(
                $"| `{d.Spec.Name}` | {Flags(d.Spec.Flags)} | {d.Hooks} | {Profiles(d.Spec.Profiles)} | "
                    + $"{(d.Body is null ? "" : "runs")} |");
        }

        var withBody = HelperRegistry.Ids.ToHashSet();
        text.AppendLine().AppendLine("## Helpers").AppendLine().AppendLine("| helper | number | |")
            .AppendLine("|---|---|---|");
        foreach (var helper in HelperTable.All.DistinctBy(h => h.Id).OrderBy(h => h.Id))
        {
            text.AppendLine($"| `{helper.Name}` | {(int)helper.Id} | {(withBody.Contains(helper.Id) ? "runs" : "")} |");
        }

        return text.ToString();
    }

    [Fact]
    public void Call_WithoutABody_HasAReason()
    {
        var reasons = CallGaps.CannotBe.Concat(CallGaps.NotYet).ToList();
        WithoutBody().Where(name => !reasons.Exists(r => CallGaps.IsIn(name, r.Names))).Should().BeEmpty();
        reasons.SelectMany(r => r.Names).Where(n => !WithoutBody().Any(name => CallGaps.IsIn(name, [n])))
            .Should().BeEmpty("what has a body needs no reason");
    }

    private static void AppendGaps(StringBuilder text)
    {
        var left = WithoutBody();
        text.AppendLine("## What no model can have").AppendLine();
        Append(CallGaps.CannotBe);
        text.AppendLine().AppendLine("## What this one has not yet").AppendLine();
        Append(CallGaps.NotYet);
        text.AppendLine();

        void Append((string Reason, string[] Names)[] reasons)
        {
            foreach (var (reason, names) in reasons)
            {
                var mine = left.Where(n => CallGaps.IsIn(n, names)).ToList();
                left.ExceptWith(mine);
                text.AppendLine($"* {reason}: {string.Join(", ", mine.Select(n => $"`{n}`"))}.");
            }
        }
    }

    private static SortedSet<string> WithoutBody() => new(
        KfuncRegistry.Builtin.All.Where(d => d.Body is null).Select(d => d.Spec.Name)
            .Concat(HelperTable.All.Where(h => !HelperRegistry.Ids.Contains(h.Id)).Select(h => h.Name)),
        StringComparer.Ordinal);

    private static string Flags(KfuncFlags flags) => flags == KfuncFlags.None ? "" : flags.ToString();

    private static string Profiles(ProfileSet set) => string.Join(", ", Enum.GetValues<ProfileSet>()
        .Where(p => p is not (ProfileSet.None or ProfileSet.All) && set.HasFlag(p))
        .Select(p => p.ToString()["Linux".Length..].Replace('_', '.')));
}
