namespace Kptr.Mutation;

/// <summary>
/// Mutants that no test can notice, and why: <c>FILE tab WAS tab IS tab REASON</c>, a line each. They have no line
/// numbers, so that code above them may change.
/// </summary>
internal sealed class Equivalents(IEnumerable<string> lines)
{
    private readonly HashSet<(string File, string Was, string Is)> _all =
        [.. lines.Where(l => l.Length > 0 && l[0] != '#').Select(l => l.Split('\t'))
            .Select(f => (f[0], f[1], f[2]))];

    public static Equivalents Read(string path) => new(path.Length > 0 ? File.ReadLines(path) : []);

    public bool Contains(Mutant mutant) => _all.Contains((mutant.File, Line(mutant.Was), Line(mutant.Is)));

    private static string Line(string text) =>
        string.Join(' ', text.Split([' ', '\t', '\r', '\n'], StringSplitOptions.RemoveEmptyEntries));
}
