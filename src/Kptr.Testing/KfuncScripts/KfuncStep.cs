using Kptr.Objects;
using Kptr.Testing.Scripts;

namespace Kptr.Testing.KfuncScripts;

internal enum KfuncStepKind
{
    Make,
    Call,
    CallDying,
    CallStale,
    CallFailing,
    Release,
    StepRcu,
    StepWork,
    Quiesce,
}

/// <summary>One operation of a script about kfuncs.</summary>
/// <param name="Kind">What is done.</param>
/// <param name="Kfunc">The kfunc's name; of <see cref="KfuncStepKind.Make"/> the object's type.</param>
/// <param name="Pick">Which of the objects at hand; argument i gets the one after.</param>
/// <param name="Number">What numbers are made from.</param>
/// <param name="Context">The context it runs in.</param>
/// <param name="InReader">Whether inside an RCU reader.</param>
/// <param name="AsExited">Whether on behalf of a task that has exited.</param>
/// <param name="Point">What fails, of <see cref="KfuncStepKind.CallFailing"/>.</param>
/// <param name="Nth">Which pass of it, from 1.</param>
internal readonly record struct KfuncStep(
    KfuncStepKind Kind, string Kfunc = "", int Pick = 0, int Number = 0, ExecContext Context = ExecContext.Process,
    bool InReader = false, bool AsExited = false, string Point = "", int Nth = 1) : IStep<KfuncStep>
{
    private string Where => $"{(Context == ExecContext.Process ? "" : $" in {Context}")}"
        + (InReader ? " inside an RCU reader" : "") + (AsExited ? " as an exited task" : "");

    public IEnumerable<KfuncStep> Simpler()
    {
        yield return this with { Context = ExecContext.Process };
        yield return this with { InReader = false };
        yield return this with { AsExited = false };
        yield return this with { Pick = 0 };
        yield return this with { Number = 0 };
        if (Kind is KfuncStepKind.StepRcu or KfuncStepKind.StepWork)
        {
            yield return new(KfuncStepKind.Quiesce);
        }
    }

    public override string ToString() => Kind switch
    {
        KfuncStepKind.Make => $"make a {Kfunc}",
        KfuncStepKind.Call => $"call {Kfunc}{Where}",
        KfuncStepKind.CallDying => $"call {Kfunc} with an object whose last reference has just gone{Where}",
        KfuncStepKind.CallStale => $"call {Kfunc} with the address of a freed object{Where}",
        KfuncStepKind.CallFailing => $"call {Kfunc}, {Point} #{Nth} failing{Where}",
        KfuncStepKind.Release => "release a reference",
        KfuncStepKind.StepRcu => "let a grace period of each flavour end",
        KfuncStepKind.StepWork => "run a work item",
        _ => "let everything deferred run",
    };
}

/// <summary>Makes random scripts of calls.</summary>
internal static class KfuncScript
{
    private const int NthMax = 3;

    internal static IReadOnlyList<KfuncStep> Make(
        Random random, IReadOnlyList<KfuncShape> kfuncs, IReadOnlyList<string> types, int stepsMax)
    {
        var steps = new List<KfuncStep>();
        var count = random.Next(2, stepsMax + 1);
        while (steps.Count < count)
        {
            steps.Add(random.Next(8) switch
            {
                0 or 1 when types.Count > 0 => new(KfuncStepKind.Make, types[random.Next(types.Count)]),
                2 => new(KfuncStepKind.Release, Pick: random.Next(8)),
                3 => new((KfuncStepKind)random.Next((int)KfuncStepKind.StepRcu, (int)KfuncStepKind.Quiesce + 1)),
                _ => Call(random, kfuncs[random.Next(kfuncs.Count)]),
            });
        }

        return steps;
    }

    private static KfuncStep Call(Random random, KfuncShape kfunc)
    {
        var isPlain = kfunc.IsSleepable || random.Next(2) == 0;
        var step = new KfuncStep(
            KfuncStepKind.Call, kfunc.Name, random.Next(8), random.Next(100),
            isPlain ? ExecContext.Process : (ExecContext)random.Next((int)ExecContext.Nmi + 1),
            !isPlain && random.Next(2) == 0, random.Next(4) == 0);
        return random.Next(6) switch
        {
            0 when kfunc.TakesDying => step with { Kind = KfuncStepKind.CallDying },
            1 when kfunc.TakesStale => step with { Kind = KfuncStepKind.CallStale },
            2 or 3 => step with
            {
                Kind = KfuncStepKind.CallFailing, Nth = random.Next(1, NthMax + 1),
                Point = (random.Next(2) == 0 ? FaultPoint.AllocObject : FaultPoint.Acquire).Name,
            },
            _ => step,
        };
    }
}
