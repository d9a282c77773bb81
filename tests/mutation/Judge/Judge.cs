using System.Collections.Concurrent;
using System.Globalization;

namespace Kptr.Mutation;

internal enum Verdict
{
    /// <summary>A test failed, or the process ended.</summary>
    Killed,

    /// <summary>A test ran out of time, and once more in a process of its own with five times the time.</summary>
    Timeout,

    /// <summary>Tests reached it, and none noticed.</summary>
    Survived,

    /// <summary>No test reaches it.</summary>
    NoCoverage,
}

/// <summary>Runs the tests that reach a mutant until one notices it.</summary>
internal sealed class Judge(string folder, string classes, int jobs)
{
    /// <summary>After so many mutants a process shows that its tests still pass without one.</summary>
    private const int Round = 40;

    private readonly Dictionary<int, List<int>> _casesOf = [];
    private readonly HashSet<int> _once = [];
    private readonly SortedDictionary<int, int> _timeOf = [];
    private List<int> _cheapFirst = [];
    private int _caseCount;

    /// <summary>Finds out which test reaches which mutants. Tests that fail without a mutant are left out.</summary>
    public bool Measure()
    {
        var child = new ChildProcess(folder, classes);
        _caseCount = child.CaseCount;
        var left = 0;
        for (var index = 0; index < _caseCount; index++)
        {
            var words = (child.Ask($"measure {index} 60000", 90_000) ?? "left").Split(' ', 5);
            if (words[0] != "ok")
            {
                left++;
                Console.WriteLine($"left out: {string.Join(' ', words)}");
                child.Dispose();
                child = new ChildProcess(folder, classes);
                continue;
            }

            _timeOf[index] = Int(words[1]);
            foreach (var mutant in Numbers(words[2]))
            {
                if (!_casesOf.TryGetValue(mutant, out var cases))
                {
                    _casesOf[mutant] = cases = [];
                }

                cases.Add(index);
            }

            _once.UnionWith(Numbers(words[3]));
        }

        child.Dispose();
        _cheapFirst = [.. _timeOf.Keys.OrderBy(c => _timeOf[c])];
        Console.WriteLine($"{_timeOf.Count} tests, {left} left out, {_timeOf.Values.Sum() / 1000} s");
        return _timeOf.Count > 0;
    }

    public ConcurrentDictionary<int, (Verdict Verdict, string By)> Run(IReadOnlyList<Mutant> mutants, bool isAlone)
    {
        var verdicts = new ConcurrentDictionary<int, (Verdict Verdict, string By)>();
        foreach (var mutant in mutants.Where(m => !_casesOf.ContainsKey(m.Id)))
        {
            verdicts[mutant.Id] = (Verdict.NoCoverage, "");
        }

        // Tables are made once in a process, before most mutants are switched on: theirs have processes of their own.
        var shared = new ConcurrentQueue<int>(
            mutants.Select(m => m.Id).Where(m => _casesOf.ContainsKey(m) && !_once.Contains(m)));
        EachJob(() => RunShared(shared, verdicts));

        var again = new ConcurrentQueue<int>(mutants.Select(m => m.Id).Where(m => _once.Contains(m)
            || (verdicts.TryGetValue(m, out var v)
                && (v.Verdict == Verdict.Timeout || (isAlone && v.Verdict == Verdict.Survived)))));
        EachJob(() =>
        {
            while (again.TryDequeue(out var mutant))
            {
                var isWhole = !verdicts.TryGetValue(mutant, out var v) || v.Verdict == Verdict.Survived;
                verdicts[mutant] = RunAlone(mutant, isWhole ? _cheapFirst : null);
            }
        });
        return verdicts;
    }

    private void EachJob(ThreadStart work)
    {
        var threads = Enumerable.Range(0, jobs).Select(_ => new Thread(work)).ToList();
        threads.ForEach(t => t.Start());
        threads.ForEach(t => t.Join());
    }

    private void RunShared(
        ConcurrentQueue<int> mutants, ConcurrentDictionary<int, (Verdict Verdict, string By)> verdicts)
    {
        ChildProcess? child = null;
        var round = new List<int>();
        while (mutants.TryDequeue(out var mutant))
        {
            child ??= new(folder, classes);
            verdicts[mutant] = RunIn(child, mutant, CasesOf(mutant), 1, out var isSpent);
            round.Add(mutant);
            if (mutants.Count % 200 == 0)
            {
                Console.Error.WriteLine($"{mutants.Count} to go");
            }

            if (!isSpent && round.Count < Round)
            {
                continue;
            }

            // What an earlier mutant left behind may have failed the tests of later ones.
            var some = _cheapFirst.Where((_, i) => i % 4 == 0);
            if (!isSpent && RunIn(child, Child.None, some, 1, out _).Verdict != Verdict.Survived)
            {
                foreach (var doubted in round.Where(m => verdicts[m].Verdict == Verdict.Killed))
                {
                    verdicts[doubted] = RunAlone(doubted, null);
                }

                isSpent = true;
            }

            round.Clear();
            if (isSpent)
            {
                child.Dispose();
                child = null;
            }
        }

        child?.Dispose();
    }

    private (Verdict Verdict, string By) RunAlone(int mutant, List<int>? cases)
    {
        using var child = new ChildProcess(folder, classes, mutant);
        return child.CaseCount == _caseCount ? RunIn(child, mutant, cases ?? CasesOf(mutant), 5, out _)
            : (Verdict.Killed, "the search for tests");
    }

    private (Verdict Verdict, string By) RunIn(
        ChildProcess child, int mutant, IEnumerable<int> cases, int patience, out bool isSpent)
    {
        var limits = cases.Select(c => (Case: c, Limit: patience * (2000 + (6 * _timeOf[c])))).ToList();
        var given = string.Join(' ', limits.Select(l => $"{l.Case}:{l.Limit}"));
        var answer = child.Ask($"judge {mutant} {given}", limits.Sum(l => l.Limit) + 10_000);
        var verdict = answer is null ? child.HasEnded ? Verdict.Killed : Verdict.Timeout
            : Enum.Parse<Verdict>(answer.Split(' ')[0]);
        isSpent = answer is null || verdict == Verdict.Timeout;
        return (verdict, answer?.Split(' ', 2)[^1] ?? "the process ended");
    }

    private IEnumerable<int> CasesOf(int mutant) => _casesOf[mutant].OrderBy(c => _timeOf[c]);

    private static IEnumerable<int> Numbers(string text) =>
        text.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(Int);

    private static int Int(string text) => int.Parse(text, CultureInfo.InvariantCulture);
}
