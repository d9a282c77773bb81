using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Testing.Scripts;

namespace Kptr.Testing.Keyless;

/// <summary>Runs single checks of one type of maps without keys.</summary>
internal sealed class KeylessBench(
    Func<KernelCore, BpfMap> factory, MapCapabilities can, ConformanceOptions options)
    : ScriptBench<KeylessStep>(options)
{
    private static readonly ConformanceCheck[] Asked =
    [
        Rules.Contents, Rules.Errnos, Rules.FailedMovesNothing, Rules.Order, Rules.Opaque, Rules.DestroyAtMapFree,
        Rules.Census, Rules.NoExceptions, Rules.Threads, Rules.FreeDuringUse, Rules.Ends,
    ];

    public override string? ReasonToSkip(ConformanceCheck check) => !Asked.Contains(check) ? "it has no keys"
        : (check == Rules.Threads || check == Rules.FreeDuringUse) && !can.IsThreadSafe
            ? "it is for one thread (IsThreadSafe)"
        : null;

    public override ConformanceFailure? Run(ConformanceCheck check, DestroyBehavior policy, Watch watch) =>
        check == Rules.Threads || check == Rules.FreeDuringUse
            ? new KeylessThreads(factory, can, policy, Options, watch).Run(check)
            : RunScripts(check, policy, watch);

    protected override Desk<KeylessStep> NewDesk(DestroyBehavior policy, Watch watch) =>
        new KeylessDesk(factory, can, policy, Options.StepsMax, watch);
}

/// <summary>Makes and plays scripts for maps without keys.</summary>
internal sealed class KeylessDesk(
    Func<KernelCore, BpfMap> factory, MapCapabilities can, DestroyBehavior policy, int stepsMax, Watch watch)
    : Desk<KeylessStep>
{
    private const int FewValues = 3;
    private const int ValuesMax = 1000;

    private static readonly KeylessKind[] Kinds =
    [
        KeylessKind.Pop, KeylessKind.Peek, KeylessKind.Fill, KeylessKind.Drain, KeylessKind.ByKey, KeylessKind.Quiesce,
    ];

    private static readonly MapUpdateFlags[] Flags =
    [
        MapUpdateFlags.Any, MapUpdateFlags.Any, MapUpdateFlags.Exist, MapUpdateFlags.NoExist,
        MapUpdateFlags.NoExist | MapUpdateFlags.Exist, MapUpdateFlags.Lock,
    ];

    private static readonly ExecContext[] Contexts =
        [ExecContext.Process, ExecContext.SoftIrq, ExecContext.HardIrq, ExecContext.Nmi];

    private KernelModel _kernel = Kernels.Boot(policy);

    internal override IReadOnlyList<KeylessStep> ScriptOf(int seed)
    {
        var random = new Random(seed);
        var kinds = ScriptMaker.Moods(random, Kinds, [KeylessKind.Push, KeylessKind.Push, KeylessKind.Push]);
        var isPlain = random.Next(2) == 0;
        var count = random.Next(2, stepsMax + 1);
        return
        [
            .. Enumerable.Range(0, count).Select(_ => new KeylessStep(
                kinds[random.Next(kinds.Count)],
                (ulong)random.Next(1, random.Next(2) == 0 ? FewValues + 1 : ValuesMax),
                isPlain ? MapUpdateFlags.Any : Flags[random.Next(Flags.Length)], random.Next(2) == 0,
                Contexts[random.Next(Contexts.Length)])),
            new(KeylessKind.Drain),
        ];
    }

    internal override IReadOnlyList<BrokenRuleException> Play(IReadOnlyList<KeylessStep> script)
    {
        BrokenRuleException? broken;
        using (var run = new KeylessRun(_kernel, factory, can, watch))
        {
            broken = run.Play(script);
            Log = run.Log;
        }

        if (broken is null)
        {
            return [];
        }

        // What a broken map left behind must not show in the next script.
        _kernel.Dispose();
        _kernel = Kernels.Boot(policy);
        return [broken];
    }

    public override void Dispose() => _kernel.Dispose();
}
