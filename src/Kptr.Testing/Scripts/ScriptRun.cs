using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Testing.Scripts;

/// <summary>Plays a script on a map and on the reference model, and compares them after each step.</summary>
internal sealed partial class ScriptRun : IDisposable
{
    private readonly KernelModel _kernel;
    private readonly MapCapabilities _can;
    private readonly DestroyBehavior _policy;
    private readonly Watch _watch;
    private readonly BpfMap _map;
    private readonly MapShape _shape;
    private readonly MapModel _model;
    private readonly KernelObject[] _objects;
    private readonly int[] _base;
    private readonly MapCensus _atBirth;
    private readonly int _liveAtBirth;
    private readonly DestructorBook _destructors;
    private readonly int[] _called;
    private readonly List<string> _log = [];
    private bool _isAllocationToFail;
    private int _keyOfStep;
    private BrokenRuleException? _ledgerBreach;

    internal ScriptRun(
        KernelModel kernel, Func<KernelCore, BpfMap> factory, MapCapabilities can, KernelObject[] objects,
        Watch watch)
    {
        _watch = watch;
        _kernel = kernel;
        _can = can;
        _policy = kernel.Spec.Profile.Destroy;
        _objects = objects;
        _base = [.. objects.Select(t => t.Count.Value)];
        _destructors = DestructorBook.Of(kernel);
        _called = [.. objects.Select(t => _destructors.CallsOf(t.Address))];
        _map = factory(kernel);
        _shape = new(_map, can);
        _model = new(_shape.PlaceCount, _shape.KptrOffsets.Length);
        if (can.Keys == MapKeys.Index)
        {
            for (var key = 0; key < Math.Min(_shape.Capacity, _shape.KeyCount); key++)
            {
                _model.Insert(key, MapModel.Nothing);
            }
        }

        _atBirth = _map.TakeCensus();
        _liveAtBirth = _model.Live.Count;
    }

    internal MapShape Shape => _shape;

    internal IReadOnlyList<string> Log => _log;

    /// <summary>Plays all of it, then frees the map.</summary>
    /// <returns>
    /// The first rule that is seen to be broken, at which the script ends, and what the ledger finds besides.
    /// </returns>
    internal IReadOnlyList<BrokenRuleException> Play(IReadOnlyList<Step> script)
    {
        List<BrokenRuleException> broken = [];
        try
        {
            for (var i = 0; i < script.Count; i++)
            {
                Note($"{i + 1,3}  {script[i]}", () => Play(script[i]));
            }

            Note("end  let everything deferred run", Quiesce);
            Note("end  dispose of the map", Free);
        }
        catch (BrokenRuleException e)
        {
            broken.Add(e);
        }

        if (_ledgerBreach is not null)
        {
            broken.Add(_ledgerBreach);
        }

        return broken;
    }

    public void Dispose()
    {
        EmptyGarbage([.. Enumerable.Range(0, _shape.KeyCount)]);
        _shape.EndOwners();
        _kernel.Options.FaultPlan!.Clear();
        _map.Dispose();
    }

    private void Note(string text, Func<string> play)
    {
        _log.Add(text);
        _watch.Beat(_log);
        try
        {
            try
            {
                _log[^1] = $"{text} -> {play()}";
            }
            catch (Exception e) when (e is not BrokenRuleException)
            {
                var isSecondReturn = e is InvalidOperationException
                    && e.Message.Contains("a second return", StringComparison.Ordinal);
                throw new BrokenRuleException(
                    isSecondReturn ? Rules.SlotsApart : Rules.NoExceptions, "an errno",
                    $"{e.GetType().Name}: {e.Message}");
            }
        }
        finally
        {
            _log[^1] += Counts();
        }
    }

    // "map holds A: 1 (expected 1)", for the objects that are or should be in the map.
    private string Counts()
    {
        var parts = Enumerable.Range(0, _objects.Length)
            .Where(o => _objects[o].Count.Value != _base[o] || _model.Known(o) != 0)
            .Select(o => $"{Step.NameOf(o)} x{_objects[o].Count.Value - _base[o]} (model {_model.Known(o)})");
        var text = string.Join(", ", parts);
        return text.Length == 0 ? "" : $"; map holds {text}";
    }

    private string Play(Step step)
    {
        _keyOfStep = step.Key;
        var answer = step.Kind switch
        {
            StepKind.Update => Update(step),
            StepKind.Delete => Delete(step),
            StepKind.Take => Take(step),
            StepKind.Store or StepKind.TakeOut => Exchange(step),
            StepKind.Iterate => Iterate(step),
            StepKind.Visit => Visit(step, deletes: false),
            StepKind.VisitDelete => Visit(step, deletes: true),
            StepKind.VisitStop => VisitStop(step),
            StepKind.WalkDelete => WalkDelete(),
            StepKind.EndOwner => EndOwner(step),
            StepKind.BadPrefix => BadPrefix(step),
            StepKind.FailAllocation => FailAllocation(),
            StepKind.StepRcu => Deferred(() => _kernel.Rcu.Step()),
            StepKind.StepGrace => Deferred(() => _kernel.RcuTrace.Step() + _kernel.Rcu.Step()),
            StepKind.StepWork => Deferred(() => _kernel.Work.Step() ? 1 : 0),
            StepKind.Quiesce => Quiesce(),
            StepKind.Fill => Fill(step),
            StepKind.UpdateBatch => UpdateBatch(step),
            StepKind.DeleteBatch => DeleteBatch(step),
            StepKind.LookupBatch => WalkBatch(step, deletes: false),
            StepKind.TakeBatch => WalkBatch(step, deletes: true),
            _ => DeleteAll(),
        };
        CheckNothingIsOpen();
        return answer;
    }

    private string Deferred(Func<int> run)
    {
        var count = run();
        CheckContents(Rules.LateWrites);
        return count == 0 ? "nothing waits" : "done";
    }

    private string FailAllocation()
    {
        _kernel.Options.FaultPlan!.Fail(FaultPoint.AllocElem.Name);
        _isAllocationToFail = true;
        return "armed";
    }

    private string Quiesce()
    {
        _kernel.Quiesce();
        _model.Leaving = 0;
        CheckFaults();
        CheckContents(Rules.LateWrites);
        CheckCounts();
        CheckLedger();
        CheckCensus();
        return "quiet";
    }

    private string Free()
    {
        _map.Dispose();
        _kernel.Quiesce();
        if (!_map.IsFreed)
        {
            throw new BrokenRuleException(Rules.DestroyAtMapFree, "the map is freed", $"it is not: {_map}");
        }

        CheckFaults();
        for (var o = 0; o < _objects.Length; o++)
        {
            var extra = _objects[o].Count.Value - _base[o];
            if (extra != 0)
            {
                throw new BrokenRuleException(
                    extra > 0 ? Rules.DestroyAtMapFree : Rules.DestroyOnce,
                    $"{Step.NameOf(o)} has the {_base[o]} references it had before the map was made",
                    $"{_objects[o].Count.Value}");
            }
        }

        CheckDestructors();
        return "freed";
    }
}
