using System.Globalization;
using System.Text;
using Kptr.Diagnostics;

namespace Kptr.Cli.Run;

/// <summary>A step of a scenario: a word, what it is done to, and options.</summary>
/// <param name="Line">Where it is in the file, from 1.</param>
/// <param name="Verb">What is done.</param>
/// <param name="Words">What stands behind it, options aside.</param>
/// <param name="Options">The words of the form NAME=VALUE.</param>
internal sealed record ScenarioStep(
    int Line, string Verb, IReadOnlyList<string> Words, IReadOnlyDictionary<string, string> Options);

/// <summary>A scenario could not be read, or a step of it could not be done.</summary>
internal sealed class ScenarioException(string reason) : Exception(reason);

/// <summary>What happens in a model, step by step: text with a step a line, whose language is in docs/cli.md.</summary>
internal sealed class Scenario
{
    private const int FileBytesMax = 64 << 20;

    // How many words each verb takes, and its options.
    private static readonly Dictionary<string, (int Min, int Max, string[] Options)> Verbs = new()
    {
        ["fork"] = (1, 2, ["parent", "cgroup", "uid"]),
        ["thread"] = (2, 3, []),
        ["exec"] = (2, 2, []),
        ["cpu"] = (2, 2, ["system"]),
        ["exit"] = (1, 1, ["code"]),
        ["reap"] = (1, 1, []),
        ["cgroup"] = (1, 1, []),
        ["move"] = (2, 2, []),
        ["remove"] = (1, 1, []),
        ["raise"] = (1, 7, []),
        ["call"] = (1, 7, []),
        ["update"] = (3, 3, []),
        ["delete"] = (2, 2, []),
        ["test"] = (1, 2, []),
        ["advance"] = (1, 1, []),
        ["quiesce"] = (0, 0, []),
    };

    private Scenario(string file, IReadOnlyList<ScenarioStep> steps)
    {
        File = file;
        Steps = steps;
    }

    public string File { get; }

    public IReadOnlyList<ScenarioStep> Steps { get; }

    /// <exception cref="DiagnosticException">It cannot be read; names the file and the line.</exception>
    public static Scenario Read(string file)
    {
        var lines = Encoding.UTF8.GetString(FileBytes.Read(file, FileBytesMax)).Split('\n');
        var steps = new List<ScenarioStep>();
        var faults = new List<Diagnostic>();
        foreach (var (at, line) in lines.Index())
        {
            try
            {
                if (ReadStep(line, at + 1) is { } step)
                {
                    steps.Add(step);
                }
            }
            catch (ScenarioException e)
            {
                faults.Add(FaultAt(file, at + 1, e.Message));
            }
        }

        return faults.Count == 0 ? new(file, steps) : throw new DiagnosticException([.. faults]);
    }

    public static Diagnostic FaultAt(string file, int line, string reason) =>
        new(DiagCode.FileUnreadable, reason)
        {
            File = string.Create(CultureInfo.InvariantCulture, $"{file}:{line}"),
        };

    private static ScenarioStep? ReadStep(string line, int number)
    {
        var comment = line.IndexOf('#', StringComparison.Ordinal);
        var words = (comment < 0 ? line : line[..comment]).Split(
            (char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        if (words.Length == 0)
        {
            return null;
        }

        if (!Verbs.TryGetValue(words[0], out var known))
        {
            throw new ScenarioException(
                $"there is no step \"{words[0]}\"; {NearNames.Text(words[0], Verbs.Keys)}");
        }

        var options = new Dictionary<string, string>();
        var plain = new List<string>();
        foreach (var word in words[1..])
        {
            var equals = word.IndexOf('=', StringComparison.Ordinal);
            if (equals <= 0 || !known.Options.Contains(word[..equals]))
            {
                plain.Add(word);
            }
            else if (!options.TryAdd(word[..equals], word[(equals + 1)..]))
            {
                throw new ScenarioException($"{word[..equals]} is given twice");
            }
        }

        return plain.Count >= known.Min && plain.Count <= known.Max
            ? new(number, words[0], plain, options)
            : throw new ScenarioException($"{words[0]} takes "
                + (known.Min == known.Max ? $"{known.Min}" : $"{known.Min} to {known.Max}")
                + $" words, not {plain.Count}");
    }
}
