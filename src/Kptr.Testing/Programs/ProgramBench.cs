using Kptr.Diagnostics;
using Kptr.Kfuncs;
using Kptr.Maps;
using Kptr.Specs;
using Kptr.Testing.Scripts;

namespace Kptr.Testing.Programs;

/// <summary>Plays scripts in all kernels and keeps what they show.</summary>
internal sealed class ProgramBench(
    Func<BpfObject> open, ProgramTestOptions options, IReadOnlyList<ConformanceCheck> checks)
{
    private readonly List<(ProgramTestFailure Failure, IReadOnlyList<ProgStep> Script)> _failures = [];
    private readonly SortedSet<string> _remarks = new(StringComparer.Ordinal);
    private readonly SortedSet<string> _programs = new(StringComparer.Ordinal);
    private readonly HashSet<string> _ran = [];
    private bool _isPlayed;
    private bool _isCompared;

    internal ProgramTestReport Run()
    {
        var groups = KernelsByProfile()
            .Select(kernels => kernels.Where(CanLoad).ToList()).Where(kernels => kernels.Count > 0).ToList();
        for (var i = 0; i < options.Scripts; i++)
        {
            groups.ForEach(kernels => Play(kernels, unchecked(options.Seed + i)));
        }

        foreach (var name in _programs.Where(p => !_ran.Contains(p) && !_remarks.Any(r => IsAbout(r, p))))
        {
            _remarks.Add($"\"{name}\" never ran: nothing in the scripts runs it or raises what it is attached to");
        }

        var failed = _failures.Select(f => f.Failure.Check).ToHashSet();
        return new([.. checks.Where(c => !failed.Contains(c) && WasAsked(c))], [.. _failures.Select(f => f.Failure)],
            [.. _remarks]);
    }

    private static bool IsAbout(string remark, string program) =>
        remark.StartsWith($"\"{program}\" ", StringComparison.Ordinal);

    private bool WasAsked(ConformanceCheck check) =>
        check == ProgRules.Loads || (check == ProgRules.SamePolicies ? _isCompared : _isPlayed);

    private IEnumerable<List<KernelChoice>> KernelsByProfile()
    {
        var asked = options.Kernel;
        IEnumerable<KernelSpec> specs = asked.Kernel is { } given
            ? [given]
            : options.Profiles.Select(p => BuiltinKernel.Spec(p, asked.Kfuncs, asked.Declarations));
        return specs.Select(spec => options.Policies.Distinct()
            .Select(policy => new KernelChoice(
                spec with { Profile = spec.Profile with { Destroy = policy } })).ToList());
    }

    // A refusal is told whichever checks were chosen: nothing else can be asked there.
    private bool CanLoad(KernelChoice kernel)
    {
        try
        {
            using var stage = new Stage(kernel, open, options);
            _programs.UnionWith(stage.Programs);
            return true;
        }
        catch (Exception e) when (e is ProgramRejectedException or DiagnosticException or MapCreateException)
        {
            var known = _failures.FindIndex(f => f.Failure.Check == ProgRules.Loads && f.Failure.Found == e.Message);
            AddTo(known, $"{kernel}", () => (
                new(ProgRules.Loads, [$"{kernel}"], options.Seed, [], "it loads", e.Message), []));
            return false;
        }
    }

    private void Play(List<KernelChoice> kernels, int seed)
    {
        var script = ProgScriptMaker.Make(seed, options.StepsMax, options.Faults is not { Count: 0 });
        var plays = kernels.Select(k => Play(k, script)).ToList();
        _isPlayed = true;
        plays.ForEach(p => _remarks.UnionWith(p.Remarks));
        plays.ForEach(p => _ran.UnionWith(p.Ran));
        foreach (var (kernel, rule) in plays.Where(p => p.Broken is not null).Select(p => (p.Kernel, p.Broken!.Rule)))
        {
            if (IsNew(rule, $"{kernel}"))
            {
                var known = _failures.FindIndex(
                    f => f.Failure.Check == rule && Play(kernel, f.Script).Broken?.Rule == rule);
                AddTo(known, $"{kernel}", () => Shrunk(kernel, rule, seed, script));
            }
        }

        if (plays.Count > 1 && plays.All(p => p.Broken is null))
        {
            Compare(plays, seed, script);
        }
    }

    private bool IsNew(ConformanceCheck check, string kernel) =>
        checks.Contains(check) && _failures.All(f => f.Failure.Check != check || !f.Failure.Kernels.Contains(kernel));

    private void AddTo(int known, string kernel, Func<(ProgramTestFailure, IReadOnlyList<ProgStep>)> make)
    {
        if (known < 0)
        {
            _failures.Add(make());
            return;
        }

        var (failure, script) = _failures[known];
        _failures[known] = (failure with { Kernels = [.. failure.Kernels, kernel] }, script);
    }

    private PlayedScript Play(KernelChoice kernel, IReadOnlyList<ProgStep> script)
    {
        using var stage = new Stage(kernel, open, options);
        var broken = stage.Play(script);
        return new(kernel, broken, stage.Log, stage.Moments, stage.Remarks, stage.Ran);
    }

    private (ProgramTestFailure Failure, IReadOnlyList<ProgStep> Script) Shrunk(
        KernelChoice kernel, ConformanceCheck check, int seed, IReadOnlyList<ProgStep> script)
    {
        var best = Shrinker.Shrink(script, ProgStep.Simpler, other => Play(kernel, other).Broken?.Rule == check);
        var last = Play(kernel, best);
        return (new(check, [$"{kernel}"], seed, last.Log, last.Broken?.Expected ?? "the same each time",
            last.Broken?.Found ?? "a script that shows it only sometimes"), best);
    }

    private void Compare(List<PlayedScript> plays, int seed, IReadOnlyList<ProgStep> script)
    {
        _isCompared = true;
        foreach (var other in plays.Skip(1))
        {
            var (first, second) = (plays[0].Kernel, other.Kernel);
            var name = $"{first.Spec.Profile.Name}, policies {first.Policy} and {second.Policy}";
            if (PolicyDifference.Remark(plays[0], other) is { } remark)
            {
                _remarks.Add(remark);
            }

            if (PolicyDifference.Find(plays[0], other) is not null && IsNew(ProgRules.SamePolicies, name))
            {
                var known = _failures.FindIndex(f => f.Failure.Check == ProgRules.SamePolicies
                    && DifferenceOf(first, second, f.Script) is not null);
                AddTo(known, name, () =>
                {
                    var best = Shrinker.Shrink(
                        script, ProgStep.Simpler, s => DifferenceOf(first, second, s) is not null);
                    return (DifferenceOf(first, second, best)!.ToFailure(name, seed), best);
                });
            }
        }
    }

    private PolicyDifference? DifferenceOf(KernelChoice one, KernelChoice other, IReadOnlyList<ProgStep> script)
    {
        var (first, second) = (Play(one, script), Play(other, script));
        return first.Broken is null && second.Broken is null ? PolicyDifference.Find(first, second) : null;
    }
}
