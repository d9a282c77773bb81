using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.ExceptionServices;

namespace Kptr.Testing.Schedules;

/// <summary>Runs a scenario under one schedule after the other.</summary>
[RequiresUnreferencedCode("Runs rewritten copies.")]
[RequiresDynamicCode("Runs rewritten copies.")]
internal sealed class Explorer(Scenario scenario, InterleavingOptions options) : IDisposable
{
    private const int WarmUps = 2;
    private const int RunsAgainMax = 20;
    private const int ShrinkRoundsMax = 4;
    private static readonly Budgets NoLimit = new(int.MaxValue, int.MaxValue, int.MaxValue, int.MaxValue);
    private readonly Scheduler _scheduler = new(
        ScenarioAssemblies.OfProcess.Sites, options.StepsMax, options.MemoryOrder);
    private readonly long _start = Stopwatch.GetTimestamp();
    private int _schedules;
    private int _pointsMax;

    private bool IsOverBudget =>
        _schedules >= options.SchedulesMax || Stopwatch.GetElapsedTime(_start) > options.TimeMax;

    internal InterleavingReport Explore() =>
        OnThreadOfItsOwn(FindFailure) is { } failure ? Failed(failure)
        : Report(IsOverBudget ? Outcome.OutOfBudget : Outcome.Passed, null, null, null);

    private string? FindFailure()
    {
        for (var i = 0; i < WarmUps; i++)
        {
            OnThreadOfItsOwn(LookAround);
        }

        // The plainest schedules first: what fails there is read most easily.
        var strong = new Budgets(0, options.Interrupts, 0, options.Faults);
        var bounds = Enumerable.Range(0, options.Preemptions + 1).Select(p => strong with { Preemptions = p }).ToList();
        if (options.HeldStores > 0)
        {
            bounds.Add(bounds[^1] with { HeldStores = options.HeldStores });
        }

        foreach (var bound in bounds)
        {
            if (All(bound) is { } failure)
            {
                return failure;
            }
        }

        for (var i = 0; i < options.RandomSchedules && !IsOverBudget; i++)
        {
            var seed = unchecked((options.Seed * 1_000_003) + i);
            var chooser = new ByPriority(seed, _pointsMax, falls: 1 + (i % 3));
            if (Try(chooser, NoLimit with
            {
                Interrupts = options.Interrupts, HeldStores = options.HeldStores, Faults = options.Faults,
            }) is { } failure)
            {
                return failure;
            }

            _scheduler.Hot.Adopt();
        }

        return null;
    }

    internal InterleavingReport Replay(IReadOnlyList<Turn> turns)
    {
        _scheduler.Hot.MakeAllHot();
        return TryAlone(turns) is { } failure
            ? Report(Outcome.Failed, failure, turns, Columns.Of(_scheduler, turns, failure))
            : Report(Outcome.Passed, null, null, null);
    }

    public void Dispose() => _scheduler.Dismiss();

    // Sites that turn out to matter on the way make it begin anew.
    private string? All(Budgets budgets)
    {
        var search = new DepthFirst();
        var again = 0;
        while (!IsOverBudget)
        {
            search.Begin(isAgain: again > 0);
            var collections = GC.CollectionCount(0);
            if (Try(search, budgets) is { } failure)
            {
                return failure;
            }

            if (_scheduler.Hot.Adopt())
            {
                (search, again) = (new(), 0);
            }
            else if (GC.CollectionCount(0) != collections && again < RunsAgainMax)
            {
                again++;        // objects may have moved: who met whom was not seen right
            }
            else
            {
                if (search.HasDiverged)
                {
                    throw new InvalidOperationException(
                        "the scenario does not do the same in the same schedule: does it use time, random numbers, "
                            + "static fields or threads of its own?");
                }

                again = 0;
                if (!search.Next())
                {
                    return null;
                }
            }
        }

        return null;
    }

    private string? TryAlone(IReadOnlyList<Turn> turns) =>
        OnThreadOfItsOwn(() => Try(new Given(turns), NoLimit));

    // What a schedule that failed left behind on its threads would make the next one fail: locks noted as held, say.
    private T OnThreadOfItsOwn<T>(Func<T> run)
    {
        var result = default(T);
        ExceptionDispatchInfo? thrown = null;
        var thread = new Thread(() =>
        {
            try
            {
                result = run();
            }
            catch (Exception e)
            {
                thrown = ExceptionDispatchInfo.Capture(e);
            }
        })
        {
            IsBackground = true, Name = "scenario thread 0",
        };
        thread.Start();
        thread.Join();
        _scheduler.Dismiss();
        thrown?.Throw();
        return result!;
    }

    // Fills the caches of static fields, and finds most of the sites that matter. Failures come again below.
    private bool LookAround()
    {
        var shared = scenario.Setup();
        _scheduler.LookAround(
            [.. scenario.Threads.Select(t => (Action)(() => t(shared)))],
            [.. scenario.Interrupts.Select(t => (Action)(() => t(shared)))]);
        if (_scheduler.Failure is null)
        {
            (shared as IDisposable)?.Dispose();
        }

        return _scheduler.Hot.Adopt();
    }

    private string? Try(IChooser chooser, Budgets budgets)
    {
        _schedules++;
        var shared = scenario.Setup();
        _scheduler.Run(
            [.. scenario.Threads.Select(t => (Action)(() => t(shared)))],
            [.. scenario.Interrupts.Select(t => (Action)(() => t(shared)))], chooser, budgets);
        _pointsMax = Math.Max(_pointsMax, _scheduler.ChoiceCount);
        if (_scheduler.Failure is { } failure)
        {
            return failure;
        }

        try
        {
            scenario.Check?.Invoke(shared);
            (shared as IDisposable)?.Dispose();
            return null;
        }
        catch (Exception e)
        {
            return $"the outcome is wrong: {e.GetType().Name}: {e.Message}";
        }
    }

    private InterleavingReport Failed(string failure)
    {
        List<Turn> turns = [.. _scheduler.Turns];
        var found = _schedules;
        _scheduler.Hot.MakeAllHot();
        for (var round = 0; round < ShrinkRoundsMax; round++)
        {
            var before = turns.Count;
            for (var i = turns.Count - 1; i >= 0; i--)
            {
                List<Turn> fewer = [.. turns.Where((_, at) => at != i)];
                if (TryAlone(fewer) is { } same)
                {
                    (turns, failure) = ([.. _scheduler.Turns], same);
                    i = Math.Min(i, turns.Count);
                }
            }

            if (turns.Count == before)
            {
                break;
            }
        }

        failure = TryAlone(turns)
            ?? $"{failure} (it does not fail again: the scenario is not deterministic)";
        _schedules = found;
        return Report(Outcome.Failed, failure, turns, Columns.Of(_scheduler, turns, failure));
    }

    private InterleavingReport Report(Outcome outcome, string? failure, IReadOnlyList<Turn>? turns, string? columns) =>
        new(outcome, _schedules, Stopwatch.GetElapsedTime(_start), options.Seed, failure,
            turns is null ? null : string.Join(' ', turns), columns);
}
