namespace Kptr.KernelSelftests;

/// <summary>What is known to be otherwise than in Linux: nothing else may join it.</summary>
/// <remarks>
/// The file has a line for each, <c>object program</c> or <c>object</c>, and a reason after <c>#</c>; what agrees again
/// is reported, to be taken out.
/// </remarks>
public static class Ratchet
{
    /// <returns>Whether no program disagrees but those in the file.</returns>
    public static bool Holds(string file, IReadOnlyCollection<(string Program, bool Agrees)> judged)
    {
        var known = File.ReadAllLines(file).Select(l => l.Split('#')[0].Trim()).Where(l => l.Length > 0).ToHashSet();
        var worse = judged.Where(j => !j.Agrees && !known.Contains(j.Program)).Select(j => j.Program).ToList();
        foreach (var program in worse)
        {
            Console.WriteLine($"ratchet: {program} agreed before and no longer does");
        }

        foreach (var (program, _) in judged.Where(j => j.Agrees && known.Contains(j.Program)))
        {
            Console.WriteLine($"ratchet: {program} agrees now; take it out of {Path.GetFileName(file)}");
        }

        return worse.Count == 0;
    }
}
