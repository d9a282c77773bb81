using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Kptr.Diagnostics;

namespace Kptr.Tests.Golden;

/// <summary>
/// Keeps <c>docs/diagnostics.md</c> what the golden programs say; <c>KPTR_UPDATE_DOCS=1</c> writes it anew. Every code
/// is reached: by a program that the docs show with a mended one, or by a test that <see cref="Elsewhere"/> names.
/// </summary>
public class DiagnosticsDocTests
{
    private static readonly string DocPath = Path.Combine(TestData.Root, "docs", "diagnostics.md");
    private static readonly string DataPath = TestData.Path("verifier");

    /// <summary>Codes that no program earns by its instructions, and who does earn them: <c>Class.Test</c>.</summary>
    private static readonly Dictionary<DiagCode, string> Elsewhere = File
        .ReadLines(TestData.Path("verifier", "codes-elsewhere.tsv")).Select(l => l.Split('\t'))
        .ToDictionary(w => Enum.Parse<DiagCode>(w[0]), w => w[1]);

    private static readonly List<(string Path, VerdictFile File)> Explained = [.. Directory
        .GetFiles(DataPath, "*.txt", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
        .Select(p => (Path.GetRelativePath(TestData.Root, p), VerdictFile.Read(p))).Where(f => f.Item2.Doc.Length > 0)];

    public static TheoryData<DiagCode> Codes { get; } = new(Enum.GetValues<DiagCode>().Where(c => c != DiagCode.None));

    [Theory]
    [MemberData(nameof(Codes))]
    public void Code_IsReached_ByOneExplainedProgramOrANamedTest(DiagCode code)
    {
        var programs = Explained.Count(f => f.File.Code == code);
        (programs + (Elsewhere.ContainsKey(code) ? 1 : 0)).Should().Be(1, "{0} has one place in the docs", code);
    }

    [Fact]
    public void NamedTests_Exist_AndNameTheirCode()
    {
        foreach (var (code, name) in Elsewhere)
        {
            var (type, method) = (name.Split('.')[0], name.Split('.')[1]);
            var source = Directory
                .GetFiles(Path.Combine(TestData.Root, "tests"), type + ".cs", SearchOption.AllDirectories).Single();
            Regex.IsMatch(File.ReadAllText(source), $@"\bpublic [\w ]+ {method}\(")
                .Should().BeTrue("{0} is the test of {1}", name, code);
            (File.ReadAllText(source) + File.ReadAllText(TestData.Path("isa", "programs.txt"))).Should()
                .Contain(code.ToString());
        }
    }

    [Fact]
    public void Docs_AreThoseOfThePrograms()
    {
        var text = Generate();
        if (Environment.GetEnvironmentVariable("KPTR_UPDATE_DOCS") == "1")
        {
            File.WriteAllText(DocPath, text);
        }

        File.ReadAllText(DocPath).Should().Be(text, "KPTR_UPDATE_DOCS=1 dotnet test writes it anew");
    }

    private static string Generate()
    {
        var meanings = Meanings();
        var text = new StringBuilder("""
            # Diagnostics

            Every fault Kptr reports has a `DiagCode`, whose number and name stay for ever. Below, each code that a program earns by its
            instructions has a program that is refused, what Linux says of it, and the same program mended. Both are verified by a test: this
            page is generated from `tests/data/verifier` and the verifier's source (`KPTR_UPDATE_DOCS=1 dotnet test`). The last sections list
            the codes of files, types and run time, and for each message of the verifier the method that gives it.

            Programs are in Kptr's assembler: `{task_struct.pid}` is the offset of a field, `name ll` the address of a map or symbol;
            `-- prog` names the section (and loader options), `-- maps` each map's type, name, key and value sizes and special fields.

            """);
        foreach (var group in Explained.OrderBy(f => f.File.Code).GroupBy(f => Title(f.File.Code!.Value)))
        {
            text.AppendLine().AppendLine(CultureInfo.InvariantCulture, $"## {group.Key}");
            foreach (var (path, file) in group)
            {
                AppendCode(text, meanings[file.Code!.Value], path, file);
            }
        }

        text.AppendLine().AppendLine("## Codes of files, types, maps and run time").AppendLine().AppendLine(
            "| code | | meaning | reached by |").AppendLine("|---|---|---|---|");
        foreach (var (code, test) in Elsewhere.OrderBy(e => e.Key))
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"| {(int)code} | `{code}` | {meanings[code]} | `{test}` |");
        }

        AppendMessages(text);
        return text.ToString();
    }

    private static void AppendMessages(StringBuilder text)
    {
        text.AppendLine().AppendLine("## Messages and their rules").AppendLine().AppendLine("""
            Who wants to know why the verifier says something finds here the file below `src/Kptr/Verifier` and the method. `…` stands for what
            differs from program to program; the table is sorted by the first word that does not. Messages without a code are lines of the
            log that stand before a refusal.

            | message | code | rule |
            |---|---|---|
            """);
        foreach (var rules in MessageRules.Read().GroupBy(r => r.Message))
        {
            var codes = rules.SelectMany(r => r.Codes.Split(' ')).Where(c => c.Length > 0).Distinct()
                .Order(StringComparer.Ordinal).Select(c => $"`{c}`");
            var places = rules.GroupBy(r => r.File)
                .Select(f => $"`{f.Key}` {string.Join(", ", f.Select(r => r.Method).Distinct())}");
            var message = rules.Key.Replace("|", "\\|", StringComparison.Ordinal);
            text.AppendLine(CultureInfo.InvariantCulture,
                $"| `{message}` | {string.Join(", ", codes)} | {string.Join("; ", places)} |");
        }

        text.AppendLine().AppendLine("""
            Other words of Linux 6.1, 6.12 and 7.2, of all that they say of the selftests that they refuse:

            | message | in Kptr |
            |---|---|
            """);
        foreach (var (message, reason) in MessageRules.Unsaid)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"| `{message}` | {reason} |");
        }
    }

    private static void AppendCode(StringBuilder text, string meaning, string path, VerdictFile file)
    {
        var verdict = file.Expected.Split(' ')[0];
        text.AppendLine().AppendLine(CultureInfo.InvariantCulture, $"### {file.Code} ({(int)file.Code!.Value})")
            .AppendLine()
            .AppendLine(meaning).AppendLine().AppendLine(file.Doc).AppendLine()
            .AppendLine(CultureInfo.InvariantCulture,
                $"{(verdict == "reject" ? "Refused" : "No verdict")}: {file.Title} (`{path}`).").AppendLine();
        AppendBlock(text, file.Listing());
        AppendBlock(text.AppendLine(), file.Verify().Message);
        text.AppendLine().AppendLine("Mended:").AppendLine();
        AppendBlock(text, file.Mend().Listing());
    }

    private static void AppendBlock(StringBuilder text, string block) =>
        text.AppendLine("```").AppendLine(block.TrimEnd()).AppendLine("```");

    private static string Title(DiagCode code) => ((int)code / 1000) switch
    {
        2 => "Instructions",
        4 => "The program as a whole",
        5 => "References and kptrs",
        6 => "Memory and registers",
        7 when code >= DiagCode.StrictIterPlace => "What only a strict verification refuses",
        7 => "Calls",
        _ => "What Kptr does not model",
    };

    /// <summary>The summaries of the enum's members, from its source.</summary>
    private static Dictionary<DiagCode, string> Meanings()
    {
        var source = File.ReadAllText(Path.Combine(TestData.Root, "src", "Kptr", "Diagnostics", "DiagCode.cs"));
        return Regex.Matches(source, @"<summary>((?:(?!<summary>)[\s\S])*?)</summary>\s+(\w+) = \d+").ToDictionary(
            m => Enum.Parse<DiagCode>(m.Groups[2].Value),
            m => Regex.Replace(Regex.Replace(m.Groups[1].Value, @"\s+///\s+", " ").Trim(), "</?c>", "`"));
    }
}
