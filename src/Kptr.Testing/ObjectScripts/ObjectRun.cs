using Kptr.Maps;
using Kptr.Objects;
using Kptr.Testing.Scripts;

namespace Kptr.Testing.ObjectScripts;

/// <summary>Plays a script on objects, and counts the references beside it.</summary>
internal sealed class ObjectRun<T> : IDisposable
    where T : KernelObject
{
    private readonly KernelModel _kernel;
    private readonly Func<KernelCore, T> _factory;
    private readonly RefBook _before;
    private readonly ArrayMap<Held<T>> _slots;
    private readonly T?[] _objects = new T?[ObjectStep.ObjectCount];
    private readonly List<KernelRef<T>>[] _hands = [.. Enumerable.Range(0, ObjectStep.ObjectCount).Select(_ =>
        new List<KernelRef<T>>())];

    private readonly int[] _inSlot = [.. Enumerable.Repeat(-1, ObjectStep.SlotCount)];
    private readonly ScriptLog _log;

    internal ObjectRun(KernelModel kernel, Func<KernelCore, T> factory, Watch watch)
    {
        _kernel = kernel;
        _factory = factory;
        _log = new(watch, ObjectRules.NoExceptions, Counts, CheckCounts);
        _before = new(kernel);
        _slots = new(kernel, ObjectStep.SlotCount);
    }

    internal IReadOnlyList<string> Log => _log.Lines;

    /// <summary>Plays all of it, then gives everything back.</summary>
    /// <returns>The first rule that is seen to be broken; null for none.</returns>
    internal BrokenRuleException? Play(IReadOnlyList<ObjectStep> script) => _log.Play(
        script, Play, ("end  release every reference, empty every slot", GiveAllBack),
        ("end  dispose of the map", End));

    public void Dispose() => _slots.Dispose();

    private IEnumerable<string> Counts() => Enumerable.Range(0, _objects.Length).Where(o => _objects[o] is not null)
        .Select(o => $"{ObjectStep.NameOf(o)} has {_objects[o]!.Count} (held {Held(o)})");

    private int Held(int obj) => _hands[obj].Count + _inSlot.Count(s => s == obj);

    private string Play(ObjectStep step)
    {
        if (step.Kind is ObjectStepKind.StepRcu or ObjectStepKind.StepWork or ObjectStepKind.Quiesce)
        {
            return Defer(step.Kind);
        }

        if (step.Kind == ObjectStepKind.New)
        {
            return New(step.Object);
        }

        using var context = _kernel.EnterContext(step.Context);
        return step.Kind switch
        {
            ObjectStepKind.Acquire => Acquire(step.Object),
            ObjectStepKind.Release => Release(step.Object),
            ObjectStepKind.ReleaseInReader => ReleaseInReader(step.Object),
            ObjectStepKind.Put => Put(step.Object, step.Slot),
            ObjectStepKind.TakeOut => TakeOut(step.Slot),
            _ => _objects[step.Object]?.ToString() is null ? "none is there" : "",
        };
    }

    private string New(int obj)
    {
        if (_objects[obj] is not null)
        {
            return "it is there";
        }

        var made = _factory(_kernel);
        _objects[obj] = made;
        if (made.IsFreed || made.Count.Value != 1)
        {
            throw new BrokenRuleException(ObjectRules.Birth, "a new object has 1 reference", $"{made.Count.Value}");
        }

        _hands[obj].Add(KernelRef.Own(made));
        return "";
    }

    private string Acquire(int obj)
    {
        if (_objects[obj] is not { } there)
        {
            return "none is there";
        }

        if (there.TryAcquire() is { } owned)
        {
            _hands[obj].Add(owned);
            return "";
        }

        return Held(obj) == 0 ? "null" : throw new BrokenRuleException(
            ObjectRules.Alive, $"a reference, for {Held(obj)} are held", "null");
    }

    private string Release(int obj)
    {
        if (_hands[obj].Count == 0)
        {
            return "none is held";
        }

        var owned = _hands[obj][^1];
        _hands[obj].RemoveAt(_hands[obj].Count - 1);
        owned.Release();
        return "";
    }

    private string ReleaseInReader(int obj)
    {
        using var reader = _kernel.Rcu.ReadLock();
        return Release(obj);
    }

    private string Put(int obj, int slot)
    {
        if (_hands[obj].Count == 0)
        {
            return "none is held";
        }

        var owned = _hands[obj][^1];
        _hands[obj].RemoveAt(_hands[obj].Count - 1);
        var old = HeldSlots.Exchange<T>(_slots, slot, owned);
        _inSlot[slot] = obj;
        old?.Release();
        return "";
    }

    private string TakeOut(int slot)
    {
        var old = HeldSlots.Exchange<T>(_slots, slot, null);
        var was = _inSlot[slot];
        _inSlot[slot] = -1;
        old?.Release();
        return was < 0 ? "it is empty" : $"was {ObjectStep.NameOf(was)}";
    }

    private string Defer(ObjectStepKind kind)
    {
        switch (kind)
        {
            case ObjectStepKind.StepRcu:
                _kernel.RcuTrace.Step();
                _kernel.Rcu.Step();
                break;
            case ObjectStepKind.StepWork:
                _kernel.Work.Step();
                break;
            default:
                Quiesce();
                break;
        }

        return "";
    }

    private void Quiesce()
    {
        _kernel.Quiesce();
        for (var obj = 0; obj < _objects.Length; obj++)
        {
            if (_objects[obj] is not { } there || Held(obj) > 0)
            {
                continue;
            }

            if (!there.IsFreed)
            {
                throw new BrokenRuleException(ObjectRules.Freed,
                    $"{ObjectStep.NameOf(obj)}, which nobody holds, is freed", $"it is not; {Faults()}");
            }

            _objects[obj] = null;
        }
    }

    private string Faults() => _kernel.Faults is [var first, ..] ? $"reported: {first}" : "nothing was reported";

    private string GiveAllBack()
    {
        for (var slot = 0; slot < ObjectStep.SlotCount; slot++)
        {
            TakeOut(slot);
        }

        for (var obj = 0; obj < _objects.Length; obj++)
        {
            while (_hands[obj].Count > 0)
            {
                Release(obj);
            }
        }

        Quiesce();
        return "";
    }

    private string End()
    {
        _slots.Dispose();
        Quiesce();
        new RefBook(_kernel).MustEqual(_before, ObjectRules.GivesBack, ObjectRules.DestroyOnce);
        return "";
    }

    private void CheckCounts()
    {
        RefBook.NoFaults(_kernel, ObjectRules.Contexts, ObjectRules.DestroyOnce);
        for (var obj = 0; obj < _objects.Length; obj++)
        {
            if (_objects[obj] is not { } there)
            {
                continue;
            }

            var held = Held(obj);
            if (held > 0 && (there.IsFreed || there.Count.Value == 0))
            {
                throw new BrokenRuleException(
                    ObjectRules.Alive, $"{ObjectStep.NameOf(obj)} lives, for {held} references are held",
                    there.IsFreed ? "it is freed" : "its count is 0");
            }

            if (there.Count.Value != held)
            {
                throw new BrokenRuleException(
                    ObjectRules.Counts, $"{ObjectStep.NameOf(obj)} has {held} references", $"{there.Count.Value}");
            }
        }
    }
}
