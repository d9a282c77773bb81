namespace Kptr.Soundness.Lives;

/// <summary>Lives and what a kernel answered: a line a step, <c>step = answer</c>.</summary>
internal static class LifeTable
{
    private const string Separator = " = ";

    internal static void Write(TextWriter to, IReadOnlyList<LifeStep> life, IReadOnlyList<string> answers)
    {
        foreach (var (step, answer) in life.Zip(answers))
        {
            to.WriteLine($"{step}{Separator}{step.Normal(answer, IsArray(life))}");
        }
    }

    /// <summary>All lives of a table.</summary>
    internal static IEnumerable<(IReadOnlyList<LifeStep> Life, IReadOnlyList<string> Answers)> Read(string path)
    {
        var (life, answers) = (new List<LifeStep>(), new List<string>());
        foreach (var words in File.ReadLines(path).Select(l => l.Split(Separator)))
        {
            life.Add(LifeStep.Parse(words[0]));
            answers.Add(words[1]);
            if (life[^1].Kind == '.')
            {
                yield return (life, answers);
                (life, answers) = ([], []);
            }
        }
    }

    /// <summary>
    /// How many steps can be compared: a batch that deletes frees its elements in the order of the map, which depends
    /// on the map's seed, and which of them is used again first, or is sent to RCU first, can be seen later. Those of
    /// one bucket go the other way round, so that two that come in one order need not go in one.
    /// </summary>
    internal static int Comparable(IReadOnlyList<LifeStep> life, IReadOnlyList<string> there)
    {
        const int wordsOfTwo = 6;
        var isArray = IsArray(life);
        var end = Enumerable.Range(0, life.Count).FirstOrDefault(
            i => life[i].Kind == 'M' && !isArray && there[i].Split(' ').Length >= wordsOfTwo, life.Count);
        return Math.Min(end + 1, life.Count);
    }

    /// <summary>The life up to the first step that was answered otherwise; null where none was.</summary>
    internal static string? Difference(
        IReadOnlyList<LifeStep> life, IReadOnlyList<string> there, IReadOnlyList<string> here)
    {
        var isArray = IsArray(life);
        var at = Enumerable.Range(0, Comparable(life, there))
            .FirstOrDefault(i => life[i].Normal(there[i], isArray) != life[i].Normal(here[i], isArray), -1);
        return at < 0 ? null
            : $"map {LifeLayout.Maps[(int)life[0].Number(0)].Name}\n"
                + string.Concat(life.Take(at).Zip(there, (s, a) => $"  {s}{Separator}{a}\n"))
                + $"  {life[at]}{Separator}{there[at]}, and here {here[at]}";
    }

    private static bool IsArray(IReadOnlyList<LifeStep> life) =>
        LifeLayout.IsArray(LifeLayout.Maps[(int)life[0].Number(0)]);
}
