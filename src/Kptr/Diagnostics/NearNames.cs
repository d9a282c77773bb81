namespace Kptr.Diagnostics;

/// <summary>What somebody may have meant who wrote a name that is none.</summary>
internal static class NearNames
{
    private const int ShownMax = 5;

    /// <summary>The nearest names as part of a message; most alike first.</summary>
    internal static string Text(string name, IEnumerable<string> known)
    {
        var near = known.Select(k => (Name: k, Distance: Distance(name, k)))
            .Where(k => k.Distance <= Math.Max(2, name.Length / 3)
                || k.Name.Contains(name, StringComparison.OrdinalIgnoreCase))
            .OrderBy(k => k.Distance).ThenBy(k => k.Name, StringComparer.Ordinal).Take(ShownMax)
            .Select(k => $"\"{k.Name}\"").ToList();
        return near.Count == 0 ? "no name is near it" : $"near it are {string.Join(", ", near)}";
    }

    // Levenshtein's, row by row.
    private static int Distance(string left, string right)
    {
        var above = Enumerable.Range(0, right.Length + 1).ToArray();
        for (var i = 1; i <= left.Length; i++)
        {
            var row = new int[right.Length + 1];
            row[0] = i;
            for (var j = 1; j <= right.Length; j++)
            {
                var isSame = char.ToLowerInvariant(left[i - 1]) == char.ToLowerInvariant(right[j - 1]);
                row[j] = Math.Min(Math.Min(row[j - 1], above[j]) + 1, above[j - 1] + (isSame ? 0 : 1));
            }

            above = row;
        }

        return above[^1];
    }
}
