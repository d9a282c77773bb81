using Kptr.Objects;
using Kptr.Testing.ObjectScripts;

namespace Kptr.Testing.KfuncScripts;

// One call: what goes in, what comes out, and what the counts say to it.
internal sealed partial class KfuncRun
{
    private static readonly ulong[] Numbers = [0, 1, 2, 3, 7, ulong.MaxValue, int.MaxValue, 1UL << 40];

    private string Call(KfuncStep step, KfuncProgram program)
    {
        var shape = program.Shape;
        var special = step.Kind is KfuncStepKind.CallDying or KfuncStepKind.CallStale
            ? _kernel.World.Make(_model, shape.Objects[0]) : null;
        if (special is not null && step.Kind == KfuncStepKind.CallStale)
        {
            KernelRef.Own(special).Release();
            _model.Quiesce();
        }

        if (ArgsOf(step, shape, special) is not { } args)
        {
            if (step.Kind == KfuncStepKind.CallDying)
            {
                KernelRef.Own(special!).Release();
            }

            return "no object for it";
        }

        if (special is not null && step.Kind == KfuncStepKind.CallDying)
        {
            using var reader = _model.Rcu.ReadLock();
            KernelRef.Own(special).Release();
            RefBook.NoFaults(_model, KfuncRules.Sleeps, KfuncRules.Balanced);
            return Call(step, program, args, special);
        }

        return Call(step, program, args, special);
    }

    // The first object argument is the special one; for each other there must be one at hand.
    private Arg[]? ArgsOf(KfuncStep step, KfuncShape shape, KernelObject? special)
    {
        var args = new Arg[shape.Args.Count];
        Array.Fill(args, new());
        var isFirst = true;
        for (var i = 0; i < args.Length; i++)
        {
            if (shape.Args[i].Shape == ArgShape.Number)
            {
                args[i] = new(Number: NumberOf(step.Number + i));
            }
            else if (shape.Args[i].Shape == ArgShape.Object && isFirst && special is not null)
            {
                args[i] = new(Passed: new(special, null));
                isFirst = false;
            }
            else if (shape.Args[i].Shape == ArgShape.Object)
            {
                var fit = _things.Where(t => t.Type == shape.Args[i].Type && args.Count(a => a.Thing == t)
                    < t.Hands.Count).ToList();
                if (fit.Count == 0)
                {
                    return null;
                }

                var thing = fit[(step.Pick + i) % fit.Count];
                args[i] = new(thing, new(thing.Object, thing.Hands[^(args.Count(a => a.Thing == thing) + 1)]));
            }
        }

        return args;
    }

    private ulong NumberOf(int pick)
    {
        var own = _kernel.World.Can.Numbers;
        return pick % (Numbers.Length + own.Count) is var at && at < own.Count ? own[at] : Numbers[at - own.Count];
    }

    private string Call(KfuncStep step, KfuncProgram program, Arg[] args, KernelObject? special)
    {
        var tray = Trays.Of(_model);
        tray.Load([.. args.Select(a => a.Passed)], [.. args.Select(a => a.Number)]);
        foreach (var arg in args.Where(a => a.Thing is not null))
        {
            arg.Thing!.Hands.Remove(arg.Passed!.Value.Reference!.Value);
        }

        var before = new RefBook(_model);
        var injected = _model.Options.FaultPlan!.InjectedCount;
        if (step.Kind == KfuncStepKind.CallFailing)
        {
            _model.Options.FaultPlan.Fail(step.Point, step.Nth);
        }

        var result = Run(step, program);
        var hasFailed = _model.Options.FaultPlan.InjectedCount > injected;
        _model.Options.FaultPlan.Clear();
        TakeBack(tray, args, program.Shape);
        CheckRun(step, program.Shape, result, tray, special);
        CheckCounts(program.Shape, args, tray, before, hasFailed);
        foreach (var thing in args.Select(a => a.Thing).OfType<Thing>())
        {
            Forget(thing);
        }

        return (program.Shape.IsAcquire ? ResultOf(tray, program.Shape) : "done")
            + (step.Kind != KfuncStepKind.CallFailing ? "" : hasFailed ? ", it failed" : ", nothing failed");
    }

    private ProgramResult Run(KfuncStep step, KfuncProgram program)
    {
        using var current = step.AsExited ? _model.Tasks.Run(_kernel.Exited) : default;
        using var context = _model.EnterContext(step.Context);
        if (!step.InReader)
        {
            return program.Run();
        }

        using var reader = _model.Rcu.ReadLock();
        return program.Run();
    }

    // The kit has again what the program had.
    private void TakeBack(Tray tray, Arg[] args, KfuncShape shape)
    {
        foreach (var (place, owned) in tray.References)
        {
            var thing = place == 0 ? Note(owned.Target, shape.Returns!) : args[place - 1].Thing!;
            thing.Hands.Add(owned);
        }
    }

    private static void CheckRun(
        KfuncStep step, KfuncShape shape, ProgramResult result, Tray tray, KernelObject? special)
    {
        if (step.Kind == KfuncStepKind.CallStale
            && (result.Fault is not null || tray.Addresses.GetValueOrDefault(0UL) != 0))
        {
            throw new BrokenRuleException(KfuncRules.Trusted, "a kfunc that bears a freed object, or asks for another",
                result.Fault?.Message ?? "it returned a pointer");
        }

        if (step.Kind == KfuncStepKind.CallDying
            && (result.Fault is not null || tray.Addresses.GetValueOrDefault(0UL) == special!.Address
                || special.Count.Value != 0 || special.IsFreed))
        {
            throw new BrokenRuleException(KfuncRules.GoneIsNull, "null, and a count that stays zero",
                result.Fault?.Message ?? (special!.Count.Value != 0 ? $"a count of {special.Count}" : "a reference"));
        }

        if (tray.IsOverrun)
        {
            throw new BrokenRuleException(
                KfuncRules.Memory, $"{KfuncShape.BufferBytes} bytes may be written", "bytes behind them changed");
        }

        if (tray.Addresses.TryGetValue(0UL, out var address) && address == 0)
        {
            throw new BrokenRuleException(KfuncRules.RetNull, "no null, for KF_RET_NULL is missing", "null");
        }

        if (result.Fault is { } fault)
        {
            var isMemory = fault.Message.Contains(nameof(OutOfMemoryException), StringComparison.Ordinal);
            throw new BrokenRuleException(
                address != 0 && !tray.References.ContainsKey(0UL) ? KfuncRules.Acquire
                    : isMemory && !shape.MayBeNull ? KfuncRules.RetNull : KfuncRules.NoExceptions,
                isMemory ? "null where there is no memory, and KF_RET_NULL" : "no exception", fault.Message);
        }
    }

    private void CheckCounts(KfuncShape shape, Arg[] args, Tray tray, RefBook before, bool hasFailed)
    {
        var released = shape.IsRelease ? args.FirstOrDefault(a => a.Passed is not null)?.Passed?.Object : null;
        var returned = tray.Addresses.GetValueOrDefault(0UL);
        var after = new RefBook(_model);
        CheckFaults(shape, released);
        if (_kernel.World.Can.Keeping.Contains(shape.Name))
        {
            return;
        }

        var grown = after.Since(before).ToDictionary(c => c.Address, c => ((string?)c.Name, c.Grown));
        var isBirth = returned != 0 && !before.Has(returned);
        var isDeath = released is not null && !after.Has(released.Address);
        var watched = grown.Keys.Append(returned).Append(released?.Address ?? 0).Where(a => a != 0).Distinct();
        foreach (var address in watched)
        {
            var (name, moved) = grown.GetValueOrDefault(address);
            var expected = (address == returned ? 1 : 0) - (address == released?.Address ? 1 : 0);
            var isArg = args.Any(a => a.Passed?.Object.Address == address);
            if (moved == expected
                || (address != returned && address != released?.Address && !isArg
                    && ((isBirth && moved > 0) || (isDeath && moved < 0))))
            {
                continue;
            }

            name ??= _things.Find(t => t.Object.Address == address)?.Name ?? "the object";
            throw new BrokenRuleException(
                hasFailed && returned == 0 ? KfuncRules.FailedMovesNothing
                    : address == returned ? KfuncRules.Acquire
                    : address == released?.Address ? KfuncRules.Release : KfuncRules.Balanced,
                $"the count of {name} moves by {expected}", $"by {moved}");
        }
    }

    private void CheckFaults(KfuncShape shape, KernelObject? released) => RefBook.NoFaults(
        _model, KfuncRules.Sleeps,
        released is not null ? KfuncRules.Release : shape.IsAcquire ? KfuncRules.Acquire : KfuncRules.Balanced);

    private string ResultOf(Tray tray, KfuncShape shape) => tray.References.TryGetValue(0UL, out var owned)
        ? _things.Find(t => t.Object == owned.Target)?.Name ?? shape.Returns! : "null";

    /// <summary>What one parameter gets.</summary>
    private sealed record Arg(Thing? Thing = null, Passed? Passed = null, ulong Number = 0)
    {
        public Arg()
            : this(null, null, 0)
        {
        }
    }
}
