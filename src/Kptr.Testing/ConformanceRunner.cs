using System.Runtime.ExceptionServices;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Testing;

/// <summary>What runs single checks of one kind of thing.</summary>
internal interface IBench
{
    /// <summary>Why a check cannot be asked; null where it can.</summary>
    string? ReasonToSkip(ConformanceCheck check);

    /// <summary>Runs a check under one policy; null where it finds nothing.</summary>
    ConformanceFailure? Run(ConformanceCheck check, DestroyBehavior policy, Watch watch);
}

/// <summary>Runs the checks that were asked for, each on a thread that is watched.</summary>
internal static class ConformanceRunner
{
    /// <param name="all">The checks there are.</param>
    /// <param name="ends">The one that a hang is reported under.</param>
    /// <param name="options">Which of them, and under which policies.</param>
    /// <param name="bench">Runs one.</param>
    /// <exception cref="ArgumentException">The options name a check that there is not, or try nothing.</exception>
    internal static ConformanceReport Run(
        IReadOnlyList<ConformanceCheck> all, ConformanceCheck ends, ConformanceOptions options, IBench bench)
    {
        options.ThrowIfNothingIsTried();
        var checks = Chosen(all, options.Only);
        var passed = new List<ConformanceCheck>();
        var failures = new List<ConformanceFailure>();
        var skipped = new List<(ConformanceCheck, string)>();
        foreach (var check in checks)
        {
            if (failures.Any(f => f.Check == ends))
            {
                skipped.Add((check, "a check before it hangs, and what it waits for cannot be taken away"));
                continue;
            }

            if (bench.ReasonToSkip(check) is { } reason)
            {
                skipped.Add((check, reason));
                continue;
            }

            var found = new List<ConformanceFailure>();
            foreach (var policy in options.Policies)
            {
                if (found.All(f => f.Check != ends) && RunWatched(bench, check, ends, policy, options) is { } failure)
                {
                    found.Add(failure);
                }
            }

            failures.AddRange(found);
            if (found.Count == 0)
            {
                passed.Add(check);
            }
        }

        return new(passed, failures, skipped);
    }

    /// <summary>A factory whose every object is there.</summary>
    internal static Func<KernelCore, T> Sure<T>(Func<KernelCore, T> factory)
        where T : class =>
        kernel => factory(kernel) ?? throw new InvalidOperationException("the factory made nothing: it returned null");

    /// <summary>Those of all checks that have one of the names; all of them for no names.</summary>
    /// <exception cref="ArgumentException">No check has that name.</exception>
    internal static List<ConformanceCheck> Chosen(IReadOnlyList<ConformanceCheck> all, IReadOnlyList<string> only)
    {
        var unknown = only.FirstOrDefault(name => all.All(c => c.Name != name));
        return unknown is null
            ? [.. all.Where(c => only.Count == 0 || only.Contains(c.Name))]
            : throw new ArgumentException(
                $"no check is called \"{unknown}\"; there are {string.Join(", ", all.Select(c => c.Name))}",
                nameof(only));
    }

    private static ConformanceFailure? RunWatched(
        IBench bench, ConformanceCheck check, ConformanceCheck ends, DestroyBehavior policy, ConformanceOptions options)
    {
        var watch = new Watch();
        ConformanceFailure? found = null;
        ExceptionDispatchInfo? thrown = null;
        var thread = new Thread(() =>
        {
            try
            {
                found = bench.Run(check, policy, watch);
            }
            catch (Exception e)
            {
                thrown = ExceptionDispatchInfo.Capture(e);
            }
        })
        {
            IsBackground = true,
        };
        thread.Start();
        if (!watch.WaitFor(thread, options.HangAfter))
        {
            return new(ends, policy, options.Seed, watch.Log, ends.Rule,
                $"in {check.Name}, nothing has moved for {options.HangAfter.TotalSeconds:0} s");
        }

        thrown?.Throw();
        return found;
    }
}
