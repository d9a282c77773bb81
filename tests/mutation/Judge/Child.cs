using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Runtime.Loader;

namespace Kptr.Mutation;

/// <summary>
/// The process that runs tests, asked line by line: <c>measure CASE MS</c> which mutants one case reaches,
/// <c>judge MUTANT CASE:MS...</c> whether one of these notices a mutant. A case that runs out of time stays behind on
/// its thread: who reads that answer ends the process.
/// </summary>
internal sealed class Child
{
    /// <summary>In place of a mutant's number: none is on.</summary>
    internal const int None = -1;

    private readonly List<TestCase> _cases;
    private readonly FieldInfo _active;
    private readonly FieldInfo _isMeasured;
    private readonly List<int> _reached;

    private Child(string folder, string classes, int mutant)
    {
        AssemblyLoadContext.Default.Resolving += (context, name) =>
            Path.Combine(folder, $"{name.Name}.dll") is var path && File.Exists(path)
                ? context.LoadFromAssemblyPath(path) : null;
        var tests = Directory.GetFiles(folder, "Kptr.*Tests.dll").Order(StringComparer.Ordinal)
            .Select(AssemblyLoadContext.Default.LoadFromAssemblyPath).ToList();
        var mutated = AssemblyLoadContext.Default.LoadFromAssemblyPath(Path.Combine(folder, "Kptr.dll"));

        // Stryker's own class in what it mutates: the mutant that is on, and which were asked for.
        var control = mutated.GetTypes().Single(t => t.Name == "MutantControl");
        _active = control.GetField("ActiveMutant")!;
        _active.SetValue(null, mutant);
        _isMeasured = control.GetField("CaptureCoverage")!;
        _reached = (List<int>)control.GetField("_coveredMutants", BindingFlags.Static | BindingFlags.NonPublic)!
            .GetValue(null)!;
        _cases = [.. tests.SelectMany(t => TestCase.Find(t, classes))];
    }

    /// <param name="folder">Where the assemblies are.</param>
    /// <param name="classes">Which tests.</param>
    /// <param name="mutant">
    /// What is on from the start, or <see cref="None"/>: looking for tests already makes tables.
    /// </param>
    public static int Serve(string folder, string classes, int mutant)
    {
        var answers = Console.Out;
        Console.SetOut(TextWriter.Null); // what tests print is not an answer
        var child = new Child(Path.GetFullPath(folder), classes, mutant);
        answers.WriteLine(child._cases.Count);
        while (Console.In.ReadLine() is { } asked)
        {
            var words = asked.Split(' ');
            answers.WriteLine(words[0] == "measure" ? child.Measure(Int(words[1]), Int(words[2]))
                : child.Judge(Int(words[1]), words.AsSpan(2)));
        }

        Environment.Exit(0); // threads of tests may be left
        return 0;
    }

    /// <returns>
    /// <c>ok MS MUTANT,... MUTANT,... NAME</c>, the second those that it does not reach when it runs again: they make
    /// what is made once. Or <c>left NAME: WHY</c>.
    /// </returns>
    private string Measure(int index, int limit)
    {
        var first = Reach(index, limit, out var why);
        var watch = Stopwatch.StartNew();
        var second = why is null ? Reach(index, limit, out why) : [];
        return why is not null ? $"left {_cases[index]}: {why}"
            : $"ok {watch.ElapsedMilliseconds} {string.Join(',', first.Union(second))} "
                + $"{string.Join(',', first.Except(second))} {_cases[index]}";
    }

    private int[] Reach(int index, int limit, out string? why)
    {
        _reached.Clear();
        _isMeasured.SetValue(null, true);
        var isInTime = Run(index, limit, out why);
        _isMeasured.SetValue(null, false);
        why = isInTime ? why : "out of time";
        return [.. _reached];
    }

    /// <returns><c>Killed BY: WHY</c>, <c>Timeout BY</c> or <c>Survived</c>.</returns>
    private string Judge(int mutant, ReadOnlySpan<string> cases)
    {
        _active.SetValue(null, mutant);
        try
        {
            foreach (var given in cases)
            {
                var (index, limit) = (Int(given.Split(':')[0]), Int(given.Split(':')[1]));
                if (!Run(index, limit, out var why))
                {
                    return $"Timeout {_cases[index]}";
                }

                if (why is not null)
                {
                    return $"Killed {_cases[index]}: {why}";
                }
            }

            return "Survived";
        }
        finally
        {
            _active.SetValue(null, None);
        }
    }

    private bool Run(int index, int limit, out string? why)
    {
        string? failed = null;
        var thread = new Thread(() => failed = _cases[index].Run(), 16 << 20) { IsBackground = true };
        thread.Start();
        var isInTime = thread.Join(limit);
        why = failed;
        return isInTime;
    }

    private static int Int(string text) => int.Parse(text, CultureInfo.InvariantCulture);
}
