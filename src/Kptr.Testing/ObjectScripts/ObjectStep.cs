using Kptr.Objects;
using Kptr.Testing.Scripts;

namespace Kptr.Testing.ObjectScripts;

internal enum ObjectStepKind
{
    New,
    Acquire,
    Release,
    ReleaseInReader,
    Put,
    TakeOut,
    Describe,
    StepRcu,
    StepWork,
    Quiesce,
}

/// <summary>One operation of a script about objects.</summary>
/// <param name="Kind">What is done.</param>
/// <param name="Object">Number of the object.</param>
/// <param name="Slot">Number of the slot.</param>
/// <param name="Context">The context it runs in.</param>
internal readonly record struct ObjectStep(
    ObjectStepKind Kind, int Object = 0, int Slot = 0, ExecContext Context = ExecContext.Process) : IStep<ObjectStep>
{
    internal const int ObjectCount = 3;
    internal const int SlotCount = 2;

    private string In => Context == ExecContext.Process ? "" : $" (in {Context})";

    internal static string NameOf(int obj) => $"object {(char)('A' + obj)}";

    public IEnumerable<ObjectStep> Simpler()
    {
        yield return this with { Context = ExecContext.Process };
        yield return this with { Object = 0 };
        yield return this with { Slot = 0 };
        if (Kind is ObjectStepKind.StepRcu or ObjectStepKind.StepWork)
        {
            yield return new(ObjectStepKind.Quiesce);
        }

        if (Kind == ObjectStepKind.ReleaseInReader)
        {
            yield return this with { Kind = ObjectStepKind.Release };
        }
    }

    public override string ToString() => Kind switch
    {
        ObjectStepKind.New => $"make {NameOf(Object)}",
        ObjectStepKind.Acquire => $"acquire {NameOf(Object)}{In}",
        ObjectStepKind.Release => $"release a reference on {NameOf(Object)}{In}",
        ObjectStepKind.ReleaseInReader => $"release a reference on {NameOf(Object)} inside an RCU reader{In}",
        ObjectStepKind.Put => $"move a reference on {NameOf(Object)} into slot {Slot}{In}",
        ObjectStepKind.TakeOut => $"take out what slot {Slot} holds, and release it{In}",
        ObjectStepKind.Describe => $"put {NameOf(Object)} into words",
        ObjectStepKind.StepRcu => "let a grace period of each flavour end",
        ObjectStepKind.StepWork => "run a work item",
        _ => "let everything deferred run",
    };

    /// <summary>A random script.</summary>
    internal static IReadOnlyList<ObjectStep> Script(Random random, ExecContext lastReleaseIn, int stepsMax)
    {
        var kinds = Enum.GetValues<ObjectStepKind>();
        var objects = random.Next(1, ObjectCount + 1);
        var steps = new List<ObjectStep> { new(ObjectStepKind.New) };
        var count = random.Next(2, stepsMax + 1);
        while (steps.Count < count)
        {
            steps.Add(new(
                kinds[random.Next(kinds.Length)], random.Next(objects), random.Next(SlotCount),
                random.Next(2) == 0 ? ExecContext.Process : (ExecContext)random.Next((int)lastReleaseIn + 1)));
        }

        return steps;
    }
}
