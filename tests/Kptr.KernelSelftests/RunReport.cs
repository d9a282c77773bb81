using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Kptr.Diagnostics;
using Kptr.Elf;
using Kptr.KernelSelftests.Testmod;
using Kptr.Soundness;
using Kptr.Specs;

namespace Kptr.KernelSelftests;

/// <summary>
/// Runs what is accepted: every program of every object, in an order of <c>--seed N</c>, until <c>--seconds N</c> are
/// over; each several times under random inputs.
/// </summary>
public sealed class RunReport
{
    private const int RunsPerProgram = 12;
    private const long Fuel = 3_000_000;
    private static readonly TimeSpan VerifyTimeMax = TimeSpan.FromSeconds(5);
    private readonly Options _options;
    private readonly KernelSpec _kernel;
    private readonly ILookup<string, ExpectedRow>? _expected;
    private readonly ConcurrentDictionary<string, int> _leftOut = new();
    private readonly ConcurrentBag<string> _unsound = [];
    private readonly Failures _failures = new();
    private readonly int _seed;
    private readonly TimeSpan _limit;
    private readonly long _start = Stopwatch.GetTimestamp();
    private int _refused;
    private int _sound;
    private int _unbelieved;
    private long _runs;
    private long _looks;

    private RunReport(Options options)
    {
        _options = options;
        _kernel = Kernel.Read(options);
        _expected = options["expected"] is { } table ? ExpectedTable.Read(table).ToLookup(r => r.Object) : null;
        _limit = TimeSpan.FromSeconds(int.Parse(options["seconds"] ?? "100000", CultureInfo.InvariantCulture));
        _seed = int.Parse(options["seed"] ?? "1", CultureInfo.InvariantCulture);
    }

    public static int Run(Options options) => new RunReport(options).Run();

    private bool IsOver => Stopwatch.GetElapsedTime(_start) > _limit;

    private int Run()
    {
        var only = _options.All("object").ToHashSet();
        var paths = _options.Objects().Where(p => only.Count == 0 || only.Contains(Options.NameOf(p))).ToArray();
        new Random(_seed).Shuffle(paths);
        var jobs = int.Parse(_options["jobs"] ?? "1", CultureInfo.InvariantCulture);
        var done = 0;
        Parallel.ForEach(Partitioner.Create(paths, EnumerablePartitionerOptions.NoBuffering),
            new ParallelOptions { MaxDegreeOfParallelism = jobs }, path =>
            {
                if (!IsOver)
                {
                    _failures.Guard(Options.NameOf(path), () => RunObject(path));
                    Interlocked.Increment(ref done);
                }
            });
        Print(done, paths.Length);
        return _unsound.IsEmpty && _failures.Count == 0 ? 0 : 1;
    }

    private void RunObject(string path)
    {
        var name = Options.NameOf(path);
        if (ObjectReader.TryRead(path, new DiagSink()) is not { } read)
        {
            return;
        }

        var rows = _expected?[name].ToDictionary(r => r.Program);
        var flags = LoadFlagTags.Read(read);
        foreach (var prog in SelftestObject.Link(path, read, rows, _kernel).Where(p => p.LinkFault is null))
        {
            if (!IsOver && (_options["program"] is null || _options["program"] == prog.Name))
            {
                var (set, clear) = flags.GetValueOrDefault(prog.Name);
                var (whole, ready) = ($"{name}/{prog.Name}",
                    prog.WithFlags((JudgeReport.JudgeFlags & ~clear) | set));
                _failures.Guard(whole, () => RunProgram(whole, ready));
            }
        }
    }

    private void RunProgram(string name, ProgSpec prog)
    {
        using var time = new CancellationTokenSource(VerifyTimeMax);
        if (AcceptedProgram.TryMake(prog, _kernel, time.Token) is not { } accepted)
        {
            Interlocked.Increment(ref _refused);
            return;
        }

        if (accepted.Beliefs is null)
        {
            Interlocked.Increment(ref _unbelieved);
        }

        var seed = name.Aggregate(_seed, (h, c) => unchecked((h * 31) + c));
        Count(name, new ProgRunner(accepted, seed, Fuel) 
        {
            Kfuncs = TestModule.Kfuncs,
            ObjectOf = static (kernel, name) => name == "st_ops_args" ? new StOpsArgs(kernel) : null,
        }.Run(RunsPerProgram));
    }

    private void Count(string name, RunOutcome outcome)
    {
        Interlocked.Add(ref _runs, outcome.RunCount);
        Interlocked.Add(ref _looks, outcome.CheckedCount);
        switch (outcome.Kind)
        {
            case RunKind.Sound:
                Interlocked.Increment(ref _sound);
                break;
            case RunKind.LeftOut:
                _leftOut.AddOrUpdate(outcome.Detail, 1, static (_, n) => n + 1);
                break;
            case RunKind.Failed:
                _failures.Add(name, outcome.Detail);
                break;
            default:
                _unsound.Add(name);
                Console.WriteLine($"UNSOUND {name}: {outcome.Detail}");
                break;
        }

        if (_options["details"] is { } what && outcome.Detail.Contains(what, StringComparison.Ordinal))
        {
            Console.WriteLine($"{name}: {outcome.Kind} {outcome.Detail}");
        }
    }

    private void Print(int done, int objects)
    {
        foreach (var (reason, count) in _leftOut
            .OrderByDescending(l => l.Value)
            .ThenBy(l => l.Key, StringComparer.Ordinal))
        {
            Console.WriteLine($"left out {count,5}  {reason}");
        }

        var leftOut = _leftOut.Values.Sum();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"run, seed {_seed}: {done} of {objects} objects, {_sound + leftOut + _unsound.Count} accepted programs "
                + $"({_refused} refused): {_sound} sound, {leftOut} left out, "
            + $"{_unsound.Count} unsound, {_failures.Count} failed; {_runs} runs, "
            + $"{_looks} instructions held against the verifier ({_unbelieved} programs without)"));
    }
}
