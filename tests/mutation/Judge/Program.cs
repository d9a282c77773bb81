using System.Globalization;
using Kptr.Mutation;

if (args is ["child", var folder, var classes, var mutant])
{
    return Child.Serve(folder, classes, int.Parse(mutant, CultureInfo.InvariantCulture));
}

if (args is not [var report, var tests, var chosen, ..])
{
    Console.Error.WriteLine(
        "judge REPORT FOLDER CLASSES [--files REGEX] [--same FILE] [--sample N] [--jobs N] [--alone] [--out FILE]\n"
        + "  REPORT    Stryker's mutation-report.json\n"
        + "  FOLDER    where the test assemblies are, beside the Kptr.dll that Stryker mutated\n"
        + "  CLASSES   which tests are run: a regular expression over Namespace.Class.Method\n"
        + "  --same    mutants that no test can notice, and why\n"
        + "  --alone   tries each survivor again in a process of its own, with all tests");
    return 2;
}

string Option(string name, string otherwise) =>
    Array.IndexOf(args, name) is >= 0 and var at && at + 1 < args.Length ? args[at + 1] : otherwise;

int Number(string name, int otherwise) =>
    int.Parse(Option(name, $"{otherwise}"), CultureInfo.InvariantCulture);

var mutants = MutationReport.Read(report, Option("--files", "."));
if (Number("--sample", 0) is > 0 and var sample)
{
    // The same mutants each time: figures of two days can be compared.
    var random = new Random(1);
    mutants = [.. mutants.OrderBy(_ => random.Next()).Take(sample)];
}

var same = Equivalents.Read(Option("--same", ""));
var judge = new Judge(tests, chosen, Number("--jobs", 1));
if (!judge.Measure())
{
    return 1;
}

var verdicts = judge.Run(mutants, args.Contains("--alone"));
foreach (var noticed in mutants.Where(m => same.Contains(m) && verdicts[m.Id].Verdict <= Verdict.Timeout))
{
    Console.WriteLine($"a test noticed, so it is not the same: {noticed}");
}

var counted = mutants.Where(m => !same.Contains(m)).ToList();
Score.Print(counted, verdicts, Console.Out);
Console.WriteLine($"{mutants.Count - counted.Count} left out that no test can notice");
if (Option("--out", "") is { Length: > 0 } file)
{
    using var lines = File.CreateText(file);
    Score.List(counted, verdicts, lines);
}

return 0;
