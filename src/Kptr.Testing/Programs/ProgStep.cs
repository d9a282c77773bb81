namespace Kptr.Testing.Programs;

internal enum ProgStepKind
{
    RunProgram,
    Fork,
    ForkThread,
    Exec,
    Exit,
    Reap,
    CreateCgroup,
    MoveToCgroup,
    RemoveCgroup,
    Update,
    Delete,
    Fail,
    StepRcu,
    StepTrace,
    StepWork,
    AdvanceClock,
    Quiesce,
}

/// <summary>One thing that happens in a kernel. Numbers are taken modulo what there is at that moment.</summary>
/// <param name="Kind">What happens.</param>
/// <param name="Which">Number of the program, the map, the cgroup or the point that fails.</param>
/// <param name="Task">Number of the task it happens to, or on whose behalf.</param>
/// <param name="Value">What contexts, keys and values are made from; 0 for the plainest.</param>
/// <param name="Cpu">The CPU.</param>
internal readonly record struct ProgStep(
    ProgStepKind Kind, int Which = 0, int Task = 0, int Value = 0, int Cpu = 0)
{
    /// <summary>Steps that are easier to think about, to be tried one after the other.</summary>
    internal static IEnumerable<ProgStep> Simpler(ProgStep step)
    {
        if (step.Kind is ProgStepKind.StepRcu or ProgStepKind.StepTrace or ProgStepKind.StepWork
            or ProgStepKind.AdvanceClock)
        {
            yield return new(ProgStepKind.Quiesce);
        }

        yield return step with { Cpu = 0 };
        yield return step with { Cpu = 0, Task = 0 };
        yield return step with { Cpu = 0, Value = 0 };
        yield return step with { Cpu = 0, Task = 0, Value = 0 };
    }
}

/// <summary>Makes random scripts of what may happen.</summary>
internal static class ProgScriptMaker
{
    private static readonly ProgStepKind[] Kinds =
        [.. Enum.GetValues<ProgStepKind>().Where(k => k is not (ProgStepKind.RunProgram or ProgStepKind.Fail))];

    internal static IReadOnlyList<ProgStep> Make(int seed, int stepsMax, bool hasFaults)
    {
        var random = new Random(seed);
        ProgStepKind[] kinds = hasFaults ? [.. Kinds, ProgStepKind.Fail] : Kinds;
        // About half of what happens is a program that runs.
        var chosen = Scripts.ScriptMaker.Moods(random, kinds, []);
        chosen.AddRange(Enumerable.Repeat(ProgStepKind.RunProgram, Math.Max(4, chosen.Count)));
        // Few tasks and few values: what has happened to one is what the next step meets.
        var few = random.Next(1, 5);
        var count = random.Next(2, Math.Max(3, stepsMax + 1));
        return
        [
            .. Enumerable.Range(0, count).Select(_ => new ProgStep(
                chosen[random.Next(chosen.Count)], random.Next(1000), random.Next(few), random.Next(few * 3),
                random.Next(64))),
        ];
    }
}
