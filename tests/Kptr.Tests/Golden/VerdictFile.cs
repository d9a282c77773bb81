using Kptr.Diagnostics;
using Kptr.Verifier;

namespace Kptr.Tests.Golden;

/// <summary>
/// One program and its verdict, from a file under <c>tests/data/verifier</c>: <c># what it shows</c>, then sections.
/// </summary>
/// <remarks>
/// <c>-- prog</c> (section name, then options), <c>-- types</c> (the program's C types), <c>-- kernel</c> (C
/// declarations of further kernel types), <c>-- maps</c>, <c>-- funcs</c> (label, name, linkage), <c>-- asm</c>,
/// <c>-- patch</c> (fields of instructions that the assembler does not write), <c>-- expect</c>, <c>-- story</c>. What
/// another kernel says is in <c>-- expect linux-7.2</c>. A file that stands for its code in the docs has a
/// <c>-- doc</c> paragraph and a <c>-- mended</c> program, which is accepted; sections that the mended
/// program has otherwise are named <c>-- mended maps</c> and so on.
/// </remarks>
internal sealed class VerdictFile
{
    private const string Mended = "mended ";
    private const string ExpectOf = "expect ";
    private static readonly string[] Loaded = ["prog", "kernel", "types", "maps", "funcs", "asm", "patch"];
    private readonly Dictionary<string, List<string>> _sections;

    private VerdictFile(string title, Dictionary<string, List<string>> sections)
    {
        Title = title;
        _sections = sections;
    }

    /// <summary>What the first line says.</summary>
    public string Title { get; }

    /// <summary>
    /// The first line of <c>-- expect</c>: <c>accept</c>, or <c>reject Code insn=1 ref=2 acquired=3</c>.
    /// </summary>
    public string Expected => Expectations.First();

    /// <summary>Further lines of <c>-- expect</c>: each must be part of the kernel's message or the story.</summary>
    public IEnumerable<string> ExpectedParts => Expectations.Skip(1);

    private IEnumerable<string> Expectations => _sections["expect"].Select(l => l.Trim()).Where(l => l.Length > 0);

    /// <summary>The code of a refusal; null where the program is accepted.</summary>
    public DiagCode? Code => Expected.Split(' ') is [_, var code, ..] ? Enum.Parse<DiagCode>(code) : null;

    /// <summary>The whole story, where the file tells it.</summary>
    public string? Story => _sections.ContainsKey("story") ? Text("story").TrimEnd() : null;

    /// <summary>Words on the rule; empty where another file stands for the code.</summary>
    public string Doc => string.Join('\n', _sections.GetValueOrDefault("doc", [])).Trim();

    public static VerdictFile Read(string path) => Parse(File.ReadAllText(path));

    /// <summary>A file's text.</summary>
    public static VerdictFile Parse(string text)
    {
        var sections = new Dictionary<string, List<string>>();
        List<string>? current = null;
        var title = "";
        foreach (var line in text.ReplaceLineEndings("\n").TrimEnd('\n').Split('\n'))
        {
            if (line.StartsWith("-- ", StringComparison.Ordinal))
            {
                sections[line[3..].Trim()] = current = [];
            }
            else if (current is null)
            {
                title += line.TrimStart('#');
            }
            else
            {
                current.Add(line);
            }
        }

        return new(title.Trim(), sections);
    }

    /// <summary>Kernels other than 6.12 that the file has an <c>-- expect</c> section of its own for.</summary>
    public IEnumerable<string> OtherKernels =>
        _sections.Keys.Where(k => k.StartsWith(ExpectOf, StringComparison.Ordinal)).Select(k => k[ExpectOf.Length..]);

    /// <summary>The same program under another kernel, by its profile's name.</summary>
    public VerdictFile Under(string profile) => new(Title, new Dictionary<string, List<string>>(_sections)
    {
        ["prog"] = [.. _sections.GetValueOrDefault("prog", ["socket"]), profile],
        ["expect"] = _sections[ExpectOf + profile],
    });

    /// <summary>The program that the docs put beside the refused one.</summary>
    public VerdictFile Mend()
    {
        var sections = new Dictionary<string, List<string>>(_sections)
        {
            ["asm"] = _sections["mended"],
            ["expect"] = ["accept"],
        };
        foreach (var (name, lines) in _sections.Where(s => s.Key.StartsWith(Mended, StringComparison.Ordinal)))
        {
            sections[name[Mended.Length..]] = lines;
        }

        return new(Title, sections);
    }

    /// <summary>Whether there is a mended program.</summary>
    public bool IsMended => _sections.ContainsKey("mended");

    /// <summary>The sections a reader needs to load the program, as they stand in the file.</summary>
    public string Listing() => string.Join('\n', Loaded
        .Where(s => Lines(s).Any()).Select(s => $"-- {s}\n{string.Join('\n', _sections[s]).TrimEnd()}"));

    /// <summary>The whole section, comments and all.</summary>
    public string Text(string section) => string.Join('\n', _sections.GetValueOrDefault(section, []));

    /// <summary>Lines of a section without comments and blank ones.</summary>
    public IEnumerable<string> Lines(string section) =>
        _sections.GetValueOrDefault(section, []).Select(l => l.Split('#')[0].Trim()).Where(l => l.Length > 0);

    /// <summary>The words of <c>-- prog</c>.</summary>
    public List<string> Words => [.. Lines("prog").SelectMany(l => l.Split(' '))];

    /// <summary>Whether the program is refused only where that is asked for.</summary>
    public bool IsStrict => Words.Contains("strict-only");

    /// <summary>Verifies the program as the file says.</summary>
    public VerifyResult Verify(
        bool pruning = true, bool isStrict = true, bool everyPoint = false, int insnsMax = 1_000_000)
    {
        var program = new VerdictProgram(this);
        return BpfVerifier.Verify(program.Link(), program.Kernel, new VerifyOptions
        {
            Pruning = pruning,
            TestStateFreq = everyPoint,
            Privileged = !Words.Contains("unprivileged"),
            Strict = isStrict && IsStrict,
            InsnsMax = Words.Contains("short") ? 100 : insnsMax,
        });
    }

    /// <summary>The verdict in the words of <see cref="Expected"/>.</summary>
    public static string Describe(VerifyResult result)
    {
        if (result.IsAccepted)
        {
            return "accept";
        }

        var d = result.Diagnostics[^1];
        return $"{(result.Verdict == Verdict.Reject ? "reject" : "unsupported")} {d.Code} insn={d.InsnIdx}"
            + (d.RefObjId is { } id ? $" ref={id}" : "") + (d.AcquiredAtInsn is { } at ? $" acquired={at}" : "");
    }
}
