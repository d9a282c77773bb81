using Kptr.Objects;
using Kptr.Testing.ObjectScripts;
using Kptr.Testing.Scripts;

namespace Kptr.Testing.KfuncScripts;

/// <summary>Plays a script of calls, and counts the references of all objects beside it.</summary>
internal sealed partial class KfuncRun
{
    private readonly KfuncKernel _kernel;
    private readonly KernelModel _model;
    private readonly RefBook _before;
    private readonly List<Thing> _things = [];
    private readonly ScriptLog _log;
    private int _made;

    internal KfuncRun(KfuncKernel kernel, Watch watch)
    {
        _kernel = kernel;
        _model = kernel.Model;
        _log = new(watch, KfuncRules.NoExceptions, Counts);
        _before = new(_model);
    }

    internal IReadOnlyList<string> Log => _log.Lines;

    /// <summary>Plays all of it, then gives everything back.</summary>
    /// <returns>The first rule that is seen to be broken; null for none.</returns>
    internal BrokenRuleException? Play(IReadOnlyList<KfuncStep> script) => _log.Play(
        script, Play, ("end  release every reference; everything deferred runs", End));

    private IEnumerable<string> Counts() =>
        _things.Select(t => $"{t.Name} has {t.Object.Count} (ours {t.Hands.Count})");

    private string Play(KfuncStep step)
    {
        switch (step.Kind)
        {
            case KfuncStepKind.Make:
                return Make(step.Kfunc).Name;
            case KfuncStepKind.Release:
                return Release(step.Pick);
            case KfuncStepKind.StepRcu:
                _ = _model.RcuTrace.Step() + _model.Rcu.Step();
                break;
            case KfuncStepKind.StepWork:
                _model.Work.Step();
                break;
            case KfuncStepKind.Quiesce:
                _model.Quiesce();
                break;
            default:
                return Call(step, _kernel.Programs[step.Kfunc]);
        }

        RefBook.NoFaults(_model, KfuncRules.Sleeps, KfuncRules.Balanced);
        return "";
    }

    private Thing Make(string type)
    {
        var made = _kernel.World.Make(_model, type);
        var thing = Note(made, type);
        thing.Hands.Add(KernelRef.Own(made));
        return thing;
    }

    private Thing Note(KernelObject obj, string type)
    {
        var thing = _things.Find(t => t.Object == obj);
        if (thing is null)
        {
            thing = new(obj, type, $"{type} {(char)('A' + (_made++ % 26))}");
            _things.Add(thing);
        }

        return thing;
    }

    private string Release(int pick)
    {
        if (_things.Count == 0)
        {
            return "none is held";
        }

        var thing = _things[pick % _things.Count];
        var owned = thing.Hands[^1];
        thing.Hands.RemoveAt(thing.Hands.Count - 1);
        Forget(thing);
        owned.Release();
        RefBook.NoFaults(_model, KfuncRules.Sleeps, KfuncRules.Balanced);
        return thing.Name;
    }

    private void Forget(Thing thing)
    {
        if (thing.Hands.Count == 0)
        {
            _things.Remove(thing);
        }
    }

    private string End()
    {
        while (_things.Count > 0)
        {
            Release(0);
        }

        _model.Quiesce();
        RefBook.NoFaults(_model, KfuncRules.Sleeps, KfuncRules.Conservation);
        if (_kernel.World.Can.Keeping.Count == 0)
        {
            new RefBook(_model).MustEqual(_before, KfuncRules.Conservation, KfuncRules.Conservation);
        }

        return "";
    }

    /// <summary>An object that the script has references on.</summary>
    private sealed record Thing(KernelObject Object, string Type, string Name)
    {
        internal List<KernelRef<KernelObject>> Hands { get; } = [];
    }
}
