using System.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Stress;

/// <summary>All rounds of one run, one after the other, until the time is over.</summary>
internal sealed class StressRun(int seed, string only, bool isThrowing, TextWriter output)
{
    private static readonly TimeSpan StuckAfter = TimeSpan.FromSeconds(30);
    private readonly Random _random = new(seed);
    private int _rounds;
    private long _steps;

    /// <summary>
    /// Runs the combinations in an order that the seed gives, each kind of map once before any kind comes again.
    /// </summary>
    /// <returns>Whether all rounds ended well.</returns>
    internal bool Run(TimeSpan time)
    {
        var configs = Configs().Where(c => c.ToString().Contains(only, StringComparison.Ordinal)).ToArray();
        var roundTime = TimeSpan.FromSeconds(Math.Clamp(time.TotalSeconds / configs.Length, 0.1, 1));
        var clock = Stopwatch.StartNew();
        for (var round = 0; round == 0 || clock.Elapsed < time; round++)
        {
            if (round % configs.Length == 0)
            {
                _random.Shuffle(configs);
                configs = [.. configs.GroupBy(c => c.Map).SelectMany(Enumerable.Index).OrderBy(c => c.Index)
                    .Select(c => c.Item)];
            }

            if (!RunRound(configs[round % configs.Length], _random.Next(), roundTime))
            {
                return false;
            }

            _rounds++;
        }

        output.WriteLine(
            $"seed {seed}: {_rounds} rounds of {configs.Length} combinations, {_steps} steps, no fault");
        return true;
    }

    private static IEnumerable<StressConfig> Configs() =>
        from map in StressMaps.Kinds
        from level in Enum.GetValues<LedgerLevel>()
        from profile in new[] { KernelProfile.Linux6_12, KernelProfile.Linux7_2 }
        where !map.NeedsRhash || profile == KernelProfile.Linux7_2
        select new StressConfig(map, level, profile);

    private bool RunRound(StressConfig config, int roundSeed, TimeSpan time)
    {
        using var round = new Round(config, roundSeed, isThrowing);
        var clock = Stopwatch.StartNew();
        while (clock.Elapsed < time && round.Failures.Count == 0)
        {
            Pause(TimeSpan.FromMilliseconds(20));
        }

        round.Stop();
        if (!AwaitEnd(round))
        {
            output.WriteLine($"HANG in {config}, seed {seed}, round seed {roundSeed}");
            round.Workers.ToList().ForEach(w => output.WriteLine($"    {w.Name}: {w.Steps} steps, at {w.At}"));
            PrintStacks();
            Environment.Exit(2);
        }

        var failures = round.Failures.Concat(round.Settle()).ToList();
        _steps += round.Workers.Sum(w => w.Steps);
        failures.ForEach(f => output.WriteLine($"FAULT in {config}, seed {seed}, round seed {roundSeed}: {f}"));
        return failures.Count == 0;
    }

    // Stuck is who began no step for so long: a round that is merely slow goes on.
    private static bool AwaitEnd(Round round)
    {
        var settling = round.BeginSettling();
        var (last, since) = (-1L, Stopwatch.StartNew());
        while (!settling.IsEnded || !round.Workers.All(w => w.IsEnded))
        {
            Pause(TimeSpan.FromMilliseconds(2));
            var now = round.Workers.Sum(w => w.Steps) + settling.Steps;
            if (now != last)
            {
                (last, since) = (now, Stopwatch.StartNew());
            }
            else if (since.Elapsed > StuckAfter)
            {
                return false;
            }
        }

        return true;
    }

    private static void Pause(TimeSpan time)
    {
        using var never = new ManualResetEventSlim();
        never.Wait(time);
    }

    // Another process looks, as nobody can stop himself to be looked at.
    private void PrintStacks()
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!)
        {
            ArgumentList = { typeof(StressRun).Assembly.Location, "stacks", $"{Environment.ProcessId}" },
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        if (!Path.GetFileNameWithoutExtension(Environment.ProcessPath!).Equals("dotnet", StringComparison.Ordinal))
        {
            start.ArgumentList.RemoveAt(0);
        }

        using var looker = Process.Start(start)!;
        var errors = looker.StandardError.ReadToEndAsync();
        output.WriteLine(looker.StandardOutput.ReadToEnd());
        output.WriteLine(errors.Result);
    }
}

/// <summary>What one round is about.</summary>
/// <param name="Map">The kind of map.</param>
/// <param name="Level">The ledger's level.</param>
/// <param name="Profile">The kernel, and with it the destroy policy.</param>
internal sealed record StressConfig(StressMapKind Map, LedgerLevel Level, KernelProfile Profile)
{
    public override string ToString() => $"{Map.Name}/{Level}/{Profile.Name}";
}

/// <summary>What our own handlers throw.</summary>
internal sealed class StressException() : Exception("a handler of the stress throws");
