using Kptr.Specs;

namespace Kptr.Soundness.Lives;

// What lives of a kind of map are made of.
internal static partial class LifeGenerator
{
    private const ulong Soon = 0;
    private const ulong Never = 4_000_000_000_000_000_000;
    private const int RecordBytesMax = 1500;
    private const int FewEntries = 4;
    private const int FewKeys = 3;

    // Most of what is interesting begins with a reference in a slot.
    private static readonly LifeOp[] s_ops =
    [
        .. Enum.GetValues<LifeOp>().TakeWhile(o => o != LifeOp.Self),
        LifeOp.Put, LifeOp.Put, LifeOp.Put, LifeOp.Put, LifeOp.Take, LifeOp.Delete,
    ];

    private static readonly LifeOp[] s_lruOps =
        [LifeOp.Update, LifeOp.Update, LifeOp.Update, LifeOp.Read, LifeOp.Put, LifeOp.Look, LifeOp.Delete];

    private static readonly LifeOp[] s_boxOps =
    [
        .. Range(LifeOp.Push, LifeOp.Unnest), .. Range(LifeOp.Push, LifeOp.Unnest), LifeOp.Push, LifeOp.Add,
        LifeOp.Both, LifeOp.Both, LifeOp.Nest, LifeOp.Read, LifeOp.Write, LifeOp.Update, LifeOp.Update, LifeOp.Delete,
    ];

    private static readonly LifeOp[] s_timedOps =
    [
        .. Range(LifeOp.Init, LifeOp.WqStart), .. Range(LifeOp.Init, LifeOp.WqStart), LifeOp.Init, LifeOp.Call,
        LifeOp.WqInit, LifeOp.WqCall, LifeOp.Put, LifeOp.Put, LifeOp.Put, LifeOp.Take, LifeOp.Look, LifeOp.Read,
        LifeOp.Update, LifeOp.Delete, LifeOp.Late,
    ];

    private static readonly LifeOp[] s_cellOps =
    [
        .. Range(LifeOp.CellNew, LifeOp.CellWrite), .. Range(LifeOp.CellNew, LifeOp.CellWrite), LifeOp.CellNew,
        LifeOp.Read, LifeOp.Update, LifeOp.Delete,
    ];

    private static readonly LifeOp[] s_ringOps = [.. Range(LifeOp.Submit, LifeOp.Query)];

    private static readonly LifeOp[] s_ownedOps =
    [
        LifeOp.Put, LifeOp.Put, LifeOp.Put, LifeOp.Put, LifeOp.Take, LifeOp.Look, LifeOp.Read, LifeOp.Write,
        LifeOp.Delete, LifeOp.Late, LifeOp.Self,
    ];

    private static readonly LifeOp[] s_innerOps =
        [LifeOp.Put, LifeOp.Put, LifeOp.Put, LifeOp.Take, LifeOp.Look, LifeOp.Read, LifeOp.Write];

    /// <summary>How far an owner of a storage is in its own life.</summary>
    private enum OwnerState
    {
        None,
        Alive,
        Ended,
    }

    /// <summary>Writes the next steps.</summary>
    private delegate IEnumerable<LifeStep> StepWriter(MapSpec map, Random random, OwnerState[] owners);

    /// <param name="Length">How much longer than others such lives are.</param>
    /// <param name="Step">Writes the next steps.</param>
    private sealed record LifeKind(int Length, StepWriter Step);

    // What is written late into a deleted storage is lost in 6.12, for ever, and not here.
    private static LifeKind KindOf(MapSpec map, KernelProfile profile) => map switch
    {
        { MaxEntries: > FewEntries } when !LifeLayout.IsRing(map) => new(5, LruSteps),
        { Type: BpfMapType.Ringbuf } => new(2, RingSteps),
        { Type: BpfMapType.UserRingbuf } => new(2, UserRingSteps),
        { InnerMap: not null } => new(2, OuterSteps),
        _ when LifeLayout.IsStorage(map) && profile.Destroy == DestroyBehavior.Eager =>
            new(2, (m, r, o) => OwnedSteps(m, r, o).Where(s => s.Kind != 'P' || s.Number(0) != (int)LifeOp.Late)),
        _ when LifeLayout.IsStorage(map) => new(2, OwnedSteps),
        _ when map.Name.EndsWith("_box", StringComparison.Ordinal) =>
            new(4, (m, r, _) => [AnyStep(m, r, s_boxOps, FewKeys)]),
        _ when map.Name.EndsWith("_timed", StringComparison.Ordinal) => new(3, TimedSteps),
        _ when map.Name.EndsWith("_celled", StringComparison.Ordinal) =>
            new(3, (m, r, _) => [AnyStep(m, r, s_cellOps, FewKeys)]),
        _ => new(1, (m, r, _) => [AnyStep(m, r, s_ops, LifeLayout.Entries(m) + 1)]),
    };

    private static IEnumerable<LifeOp> Range(LifeOp first, LifeOp last) =>
        Enum.GetValues<LifeOp>().Where(o => o >= first && o <= last);

    private static LifeStep Act(LifeOp op, int key, ulong value = 0, ulong flags = 0, int cpu = 0) =>
        LifeStep.Of('P', (int)op, key, value, flags, cpu);

    // Most insert, so that elements are pushed out; now and then another CPU does.
    private static IEnumerable<LifeStep> LruSteps(MapSpec map, Random random, OwnerState[] owners)
    {
        var key = random.Next(3 * LifeLayout.Entries(map));
        var value = (ulong)random.Next(1, 1000);
        yield return random.Next(30) switch
        {
            < 20 => Act(s_lruOps[random.Next(s_lruOps.Length)], key, value, 0, random.Next(LifeLayout.CpuCount)),
            < 24 => LifeStep.Of('U', key, 0, Hex(LifeLayout.Value(map, value))),
            24 => LifeStep.Of('W'),
            25 => LifeStep.Of('D', key),
            26 => LifeStep.Of('B', random.Next(LifeLayout.CpuCount)),
            27 => LifeStep.Of('T', key, 0),
            28 => LifeStep.Of('S', random.Next(LifeLayout.Entries(map)), 0, Hex(LifeLayout.Value(map, value))),
            _ => LifeStep.Of('C'),
        };
    }

    // What is due is awaited at once: nobody can say when exactly it runs.
    private static IEnumerable<LifeStep> TimedSteps(MapSpec map, Random random, OwnerState[] owners)
    {
        var step = AnyStep(map, random, s_timedOps, FewKeys);
        if (step.Kind == 'P' && (LifeOp)step.Number(0) is (LifeOp.Init or LifeOp.WqInit) && random.Next(2) == 0)
        {
            return Started(step, random);
        }

        if (step.Kind != 'P' || (LifeOp)step.Number(0) is not (LifeOp.Start or LifeOp.WqStart))
        {
            return [step];
        }

        var op = (LifeOp)step.Number(0);
        var isSoon = op == LifeOp.WqStart || random.Next(2) == 0;
        step = Act(op, (int)step.Number(1), isSoon ? Soon : Never, (ulong)(random.Next(6) == 0 ? random.Next(5) : 0));
        return isSoon ? [step, LifeStep.Of('C')] : [step];
    }

    // All that it takes, with a reference that the callback may give back.
    private static IEnumerable<LifeStep> Started(LifeStep init, Random random)
    {
        var (op, key) = ((LifeOp)init.Number(0), (int)init.Number(1));
        var isSoon = op == LifeOp.WqInit || random.Next(3) != 0;
        return
        [
            Act(LifeOp.Update, key, (ulong)random.Next(1000)), init, Act(op + 1, key), Act(LifeOp.Put, key),
            Act(op + 2, key, isSoon ? Soon : Never), .. isSoon ? [LifeStep.Of('C')] : Array.Empty<LifeStep>(),
        ];
    }

    private static IEnumerable<LifeStep> OwnedSteps(MapSpec map, Random random, OwnerState[] owners)
    {
        var key = random.Next(owners.Length);
        if (owners[key] == OwnerState.None && random.Next(4) != 0)
        {
            owners[key] = OwnerState.Alive;
            yield return LifeStep.Of('O', key);
        }

        var value = (ulong)random.Next(1, 1000);
        switch (random.Next(20))
        {
            case < 10:
                var create = random.Next(3) == 0 ? 0ul : 1;
                yield return Act(s_ownedOps[random.Next(s_ownedOps.Length)], key, value, create, random.Next(2));
                break;
            case < 15:
                yield return AnyStep(map, random, [LifeOp.Put], owners.Length) is { Kind: not 'P' } step
                    ? step : LifeStep.Of('U', key, (ulong)Flags(random), Hex(LifeLayout.Value(map, value)));
                break;
            case < 17:
                yield return LifeStep.Of('D', key);
                break;
            case 17 when owners[key] == OwnerState.Alive:
                owners[key] = OwnerState.Ended;
                yield return LifeStep.Of('K', key);
                break;
            case 18 when owners[key] == OwnerState.Ended:
                owners[key] = OwnerState.None;
                yield return LifeStep.Of('Z', key);
                break;
            default:
                yield return LifeStep.Of('C');
                break;
        }
    }

    private static IEnumerable<LifeStep> OuterSteps(MapSpec map, Random random, OwnerState[] owners)
    {
        var key = random.Next(owners.Length);
        var value = (ulong)random.Next(1, 1000);
        var flags = random.Next(4) == 0 ? (ulong)Flags(random) : 0;
        yield return random.Next(16) switch
        {
            < 7 => Act(s_innerOps[random.Next(s_innerOps.Length)], key, value),
            < 10 => LifeStep.Of('N', key, flags),
            10 => LifeStep.Of('A', key, flags),
            11 => LifeStep.Of('Q'),
            12 => LifeStep.Of('D', key),
            13 => random.Next(2) == 0 ? LifeStep.Of('W') : LifeStep.Of('G', key, 0),
            _ => LifeStep.Of('C'),
        };
    }

    private static IEnumerable<LifeStep> RingSteps(MapSpec map, Random random, OwnerState[] owners)
    {
        var op = s_ringOps[random.Next(s_ringOps.Length)];
        var flags = random.Next(OddOneIn) == 0 ? random.Next(8) : 0;
        flags = op == LifeOp.Query ? random.Next(6) : flags;
        yield return random.Next(5) == 0
            ? LifeStep.Of('V', random.Next(1, 8))
            : Act(op, random.Next(RecordBytesMax), (ulong)random.Next(1, 1000), (ulong)flags);
    }

    private static IEnumerable<LifeStep> UserRingSteps(MapSpec map, Random random, OwnerState[] owners)
    {
        var bytes = new byte[random.Next(40) == 0 ? RecordBytesMax : random.Next(3) * 8];
        if (bytes.Length > 0)
        {
            bytes[0] = (byte)random.Next(4);
        }

        yield return random.Next(3) == 0
            ? Act(LifeOp.Drain, 0, (ulong)random.Next(5), (ulong)(random.Next(OddOneIn) == 0 ? random.Next(8) : 0))
            : LifeStep.Of('R', Hex(bytes));
    }
}
