using Kptr.Objects;
using Kptr.Testing.ObjectScripts;

namespace Kptr.Testing.KfuncScripts;

/// <summary>Plays a script of calls, and counts the references of all objects beside it.</summary>
internal sealed partial class KfuncRun
{
    private readonly KfuncKernel _kernel;
    private readonly KernelModel _model;
    private readonly Watch _watch;
    private readonly RefBook _before;
    private readonly List<Thing> _things = [];
    private readonly List<string> _log = [];
    private int _made;

    internal KfuncRun(KfuncKernel kernel, Watch watch)
    {
        _kernel = kernel;
        _model = kernel.Model;
        _watch = watch;
        _before = new(_model);
    }

    internal IReadOnlyList<string> Log => _log;

    /// <summary>Plays all of it, then gives everything back.</summary>
    /// <returns>The first rule that is seen to be broken; null for none.</returns>
    internal BrokenRuleException? Play(IReadOnlyList<KfuncStep> script)
    {
        try
        {
            for (var i = 0; i < script.Count; i++)
            {
                var step = script[i];
                Note($"{i + 1,3}  {step}", () => Play(step));
            }

            Note("end  release every reference; everything deferred runs", End);
            return null;
        }
        catch (BrokenRuleException e)
        {
            return e;
        }
    }

    private void Note(string text, Func<string> play)
    {
        _log.Add(text);
        _watch.Beat(_log);
        try
        {
            var answer = play();
            _log[^1] = answer.Length == 0 ? text : $"{text} -> {answer}";
        }
        catch (Exception e) when (e is not BrokenRuleException)
        {
            throw new BrokenRuleException(KfuncRules.NoExceptions, "no exception", $"{e.GetType().Name}: {e.Message}");
        }
        finally
        {
            _log[^1] += Counts();
        }
    }

    private string Counts()
    {
        var parts = _things.Select(t => $"{t.Name} has {t.Object.Count} (ours {t.Hands.Count})");
        var text = string.Join(", ", parts);
        return text.Length == 0 ? "" : $"; {text}";
    }

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
