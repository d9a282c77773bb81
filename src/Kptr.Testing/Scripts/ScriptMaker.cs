using Kptr.Maps;
using Kptr.Objects;

namespace Kptr.Testing.Scripts;

/// <summary>Makes random scripts for what a map can do.</summary>
internal static class ScriptMaker
{
    private static readonly MapUpdateFlags[] Flags =
    [
        MapUpdateFlags.Any, MapUpdateFlags.Any, MapUpdateFlags.Any, MapUpdateFlags.NoExist, MapUpdateFlags.Exist,
        MapUpdateFlags.NoExist | MapUpdateFlags.Exist, MapUpdateFlags.Lock, MapUpdateFlags.Cpu,
    ];

    private const int FewValues = 2;
    private const int ValuesMax = 1000;
    private static readonly int[] Weights = [0, 0, 1, 1, 3];

    private static readonly ExecContext[] Contexts =
        [ExecContext.Process, ExecContext.SoftIrq, ExecContext.HardIrq, ExecContext.Nmi];

    internal static IReadOnlyList<Step> Make(Random random, MapCapabilities can, MapShape shape, int stepsMax)
    {
        // Each script has a mood: a few kinds of steps, some of them often. Of all kinds at once, few rare things meet.
        var kinds = Moods(random, Kinds(can, shape), [StepKind.Update, StepKind.Update, StepKind.Update]);
        // Few keys: what has happened to one is what the next step meets. Now and then all of them, to fill the map.
        var keys = random.Next(3) == 0 ? shape.KeyCount : Math.Min(shape.KeyCount, random.Next(1, 4));
        var isPlain = random.Next(2) == 0;
        var steps = new List<Step>();
        var count = random.Next(2, stepsMax + 1);
        while (steps.Count < count)
        {
            var kind = kinds[random.Next(kinds.Count)];
            var field = random.Next(Math.Max(1, shape.KptrOffsets.Length));
            var isUser = kind is StepKind.Take || random.Next(2) == 0;
            steps.Add(new(
                kind, random.Next(keys), ValueFor(random),
                isPlain ? MapUpdateFlags.Any : FlagsFor(random, shape), isUser,
                isUser ? ExecContext.Process : Contexts[random.Next(Contexts.Length)],
                shape.CpuOf(random.Next(shape.Cpus.Length)),
                shape.ObjectFor(random, field), field));
        }

        if (can.CanDelete && random.Next(2) == 0)
        {
            steps.Add(new(StepKind.DeleteAll));
        }

        return steps;
    }

    /// <summary>A few kinds of steps, some of them often, beside those that are always there.</summary>
    internal static List<TKind> Moods<TKind>(Random random, IReadOnlyList<TKind> kinds, IReadOnlyList<TKind> always)
    {
        List<TKind> chosen = [.. always];
        foreach (var kind in kinds)
        {
            chosen.AddRange(Enumerable.Repeat(kind, Weights[random.Next(Weights.Length)]));
        }

        return chosen;
    }

    private static List<StepKind> Kinds(MapCapabilities can, MapShape shape)
    {
        List<StepKind> kinds =
            [StepKind.Delete, StepKind.StepRcu, StepKind.StepGrace, StepKind.StepWork, StepKind.Quiesce, StepKind.Fill];
        if (can.CanTake)
        {
            kinds.Add(StepKind.Take);
        }

        if (shape.KptrOffsets.Length > 0)
        {
            kinds.AddRange([StepKind.Store, StepKind.Store, StepKind.TakeOut]);
        }

        if (can.CanIterate)
        {
            kinds.AddRange(can.CanDelete ? [StepKind.Iterate, StepKind.WalkDelete] : [StepKind.Iterate]);
        }

        if (can.CanVisit)
        {
            kinds.AddRange([StepKind.Visit, StepKind.VisitStop]);
            kinds.AddRange(can.CanDelete ? [StepKind.VisitDelete] : []);
        }

        (MapBatchOps Op, StepKind Kind)[] batches =
        [
            (MapBatchOps.Update, StepKind.UpdateBatch), (MapBatchOps.Delete, StepKind.DeleteBatch),
            (MapBatchOps.Lookup, StepKind.LookupBatch), (MapBatchOps.LookupAndDelete, StepKind.TakeBatch),
        ];
        kinds.AddRange(batches.Where(b => (can.Batches & b.Op) != 0).Select(b => b.Kind));
        kinds.AddRange(can.Keys switch
        {
            MapKeys.Index => [],
            MapKeys.Owner => [StepKind.FailAllocation, StepKind.EndOwner, StepKind.EndOwner],
            MapKeys.Prefix => [StepKind.FailAllocation, StepKind.BadPrefix],
            _ => [StepKind.FailAllocation],
        });

        return kinds;
    }

    // Often one of few: what is there already may be written again.
    private static ulong ValueFor(Random random) =>
        (ulong)(random.Next(2) == 0 ? random.Next(1, FewValues + 1) : random.Next(1, ValuesMax));

    private static MapUpdateFlags FlagsFor(Random random, MapShape shape)
    {
        var flags = Flags[random.Next(Flags.Length)];
        return shape.HasLock && flags == MapUpdateFlags.Lock
            ? flags | (MapUpdateFlags)random.Next((int)MapUpdateFlags.Exist + 1) : flags;
    }
}
