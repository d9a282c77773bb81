using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Testing.ObjectScripts;

/// <summary>The checks of an object that are no random scripts: each plays one scene.</summary>
internal sealed unsafe class ObjectScenes<T>(
    Func<KernelCore, T> factory, ObjectCapabilities can, KernelSpec spec, ConformanceOptions options,
    Watch watch)
    where T : KernelObject
{
    private const int TurnsMax = 8;
    private const int BirthFailuresMax = 32;
    private readonly List<string> _log = [];

    /// <summary>Plays the scenes of a check; null where it has none or nothing is broken.</summary>
    internal ConformanceFailure? Run(ConformanceCheck check)
    {
        try
        {
            foreach (var scene in ScenesOf(check))
            {
                Play(scene, check);
            }

            return null;
        }
        catch (BrokenRuleException broken)
        {
            return broken.Rule == check ? broken.ToFailure(spec.Profile.Destroy, options.Seed, _log) : null;
        }
    }

    private IEnumerable<Action<KernelModel>> ScenesOf(ConformanceCheck check)
    {
        if (check == ObjectRules.ReaderSafety)
        {
            return Enum.GetValues<ExecContext>().Where(c => c <= can.LastReleaseIn)
                .Select(c => (Action<KernelModel>)(kernel => DieUnderReader(kernel, c)));
        }

        return check == ObjectRules.OverRelease ? [ReleaseTooOften]
            : check == ObjectRules.Slots ? [kernel => DieInMaps(kernel, 0), kernel => DieInMaps(kernel, 1),
                kernel => DieInMaps(kernel, 2)]
            : check == ObjectRules.Storage ? [kernel => DieWithStorage(kernel, isMapFirst: false),
                kernel => DieWithStorage(kernel, isMapFirst: true)]
            : check == ObjectRules.FailedBirth ? [FailBirths]
            : [];
    }

    private void Play(Action<KernelModel> scene, ConformanceCheck check)
    {
        _log.Clear();
        watch.Beat(_log);
        using var kernel = Kernels.Boot(spec, can.CountedKfuncs(spec));
        try
        {
            scene(kernel);
        }
        catch (Exception e) when (e is not BrokenRuleException)
        {
            throw new BrokenRuleException(check, "no exception", $"{e.GetType().Name}: {e.Message}");
        }
    }

    private KernelRef<T> Make(KernelModel kernel, out T made)
    {
        made = ConformanceRunner.Sure(factory)(kernel);
        _log.Add($"make an object, {made.Count} reference");
        return KernelRef.Own(made);
    }

    private void DieUnderReader(KernelModel kernel, ExecContext context)
    {
        var owned = Make(kernel, out var made);
        var span = new Span<byte>((void*)made.Address, (int)made.SizeBytes);
        var isCount = CountBytes(made, span);
        var before = span.ToArray();
        using (kernel.Rcu.ReadLock())
        {
            _log.Add("an RCU reader begins, and finds the object");
            using (kernel.EnterContext(context))
            {
                owned.Release();
            }

            _log.Add($"release the last reference (in {context})");
            for (var turn = 0; turn < TurnsMax; turn++)
            {
                CheckWhole(made, span, before, isCount, turn);
                _ = kernel.RcuTrace.Step() + kernel.Rcu.Step() + (kernel.Work.Step() ? 1 : 0);
                kernel.IrqWork.Step();
                watch.Beat(_log);
            }
        }

        _log.Add("the reader ends; everything deferred runs");
        kernel.Quiesce();
    }

    // The words that an acquire changes.
    private static bool[] CountBytes(T made, Span<byte> span)
    {
        var before = span.ToArray();
        var second = made.TryAcquire();
        var changed = new bool[span.Length];
        for (var i = 0; i < span.Length; i++)
        {
            changed[i & ~3] |= span[i] != before[i];
        }

        for (var i = 0; i < span.Length; i++)
        {
            changed[i] = changed[i & ~3];
        }

        second?.Release();
        return changed;
    }

    private void CheckWhole(T made, Span<byte> span, byte[] before, bool[] isCount, int turn)
    {
        if (made.IsFreed)
        {
            throw new BrokenRuleException(ObjectRules.ReaderSafety, "the object stays until its reader ends",
                $"it is freed after {turn} rounds of grace periods and work");
        }

        for (var i = 0; can.KeepsFields && i < span.Length; i++)
        {
            if (!isCount[i] && span[i] != before[i])
            {
                throw new BrokenRuleException(ObjectRules.ReaderSafety, $"byte {i} stays {before[i]:x2}",
                    $"{span[i]:x2} after {turn} rounds of grace periods and work");
            }
        }
    }

    private void ReleaseTooOften(KernelModel kernel)
    {
        foreach (var isFreed in new[] { false, true })
        {
            var owned = Make(kernel, out _);
            owned.Release();
            _log.Add("release it");
            if (isFreed)
            {
                kernel.Quiesce();
                _log.Add("let everything deferred run");
            }

            kernel.TakeFaults();
#pragma warning disable KPTR002 // what must be reported
            owned.Release();
#pragma warning restore KPTR002
            _log.Add("release it again");
            var faults = kernel.TakeFaults();
            if (faults is not [{ Code: DiagCode.RefCountUnderflow }])
            {
                throw new BrokenRuleException(ObjectRules.OverRelease, "one RefCountUnderflow is reported",
                    faults.Count == 0 ? "nothing is" : string.Join("; ", faults));
            }

            kernel.Quiesce();
            _log.Add("let everything deferred run");
            RefBook.NoFaults(kernel, ObjectRules.Contexts, ObjectRules.OverRelease);
        }
    }

    private void DieInMaps(KernelModel kernel, int way)
    {
        var before = new RefBook(kernel);
        var dead = new List<T>();
        using (BpfMap hash = new HashMap<int, Held<T>>(kernel, 4), array = new ArrayMap<Held<T>>(kernel, 4))
        {
            foreach (var map in new[] { hash, array })
            {
                var key = BitConverter.GetBytes(1);
                map.UpdateElem(key, new byte[map.ValueSize]);
                HeldSlots.Exchange<T>(map, 1, Make(kernel, out var made));
                _log.Add($"move its reference into a value of {map}");
                CheckHasDestructor(made);
                dead.Add(made);
                MustCount(made, 1);
                if (way == 1)
                {
                    map.UpdateElem(key, new byte[map.ValueSize]);
                    _log.Add("update the value");
                }
                else if (way == 2 && map == hash)
                {
                    map.DeleteElem(key);
                    _log.Add("delete the value");
                }

                kernel.Quiesce();
                if (way == 0 || (way == 2 && map == array) || spec.Profile.Destroy == DestroyBehavior.Recycle)
                {
                    MustCount(made, 1);
                    continue;
                }

                MustBeFreed(made);
            }
        }

        _log.Add("dispose of the maps; everything deferred runs");
        kernel.Quiesce();
        new RefBook(kernel).MustEqual(before, ObjectRules.Slots, ObjectRules.Slots);
        RefBook.NoFaults(kernel, ObjectRules.Contexts, ObjectRules.Slots);
        CheckCalls(kernel, dead);
    }

    private void CheckCalls(KernelModel kernel, List<T> dead)
    {
        foreach (var made in dead.Where(d => DestructorBook.OwnOf(spec).Any(own => own.Key == d.TypeName)))
        {
            // One may lie where the other lay.
            var times = dead.Count(d => d.Address == made.Address);
            var calls = DestructorBook.Of(kernel).CallsOf(made.Address);
            if (calls != times)
            {
                throw new BrokenRuleException(
                    ObjectRules.Slots, "its destructor kfunc is called once", $"{calls} times for {times}");
            }
        }
    }

    private void CheckHasDestructor(T made)
    {
        if (can.HasOwnKfuncs && !spec.Dtors.ContainsKey(made.TypeName))
        {
            throw new BrokenRuleException(
                ObjectRules.Slots, $"a kfunc is the destructor of {made.TypeName} (DestructorOf)",
                "none is: no program can keep it in a slot");
        }
    }

    private static void MustCount(T made, int count)
    {
        if (made.Count.Value != count)
        {
            throw new BrokenRuleException(ObjectRules.Slots, $"{count} references", $"{made.Count.Value}");
        }
    }

    private static void MustBeFreed(T made)
    {
        if (!made.IsFreed)
        {
            throw new BrokenRuleException(
                ObjectRules.Slots, "the object is freed with the value", $"it has {made.Count}");
        }
    }

    private void DieWithStorage(KernelModel kernel, bool isMapFirst)
    {
        var task = kernel.Tasks.Fork(kernel.Tasks.Init);
        var before = new RefBook(kernel);
        var map = new LocalStorageMap<T, Held<TaskStruct>>(kernel);
        var owned = Make(kernel, out var made);
        using (kernel.Rcu.ReadLock())
        {
            map.LookupOrInit(made).Slot.Exchange(task.TryAcquire())?.Release();
        }

        _log.Add("keep a task in its local storage");
        if (isMapFirst)
        {
            map.Dispose();
            kernel.Quiesce();
            _log.Add("free the map");
        }

        owned.Release();
        kernel.Quiesce();
        _log.Add("release the object; everything deferred runs");
        if (!isMapFirst && map.Count != 0)
        {
            throw new BrokenRuleException(ObjectRules.Storage, "no value is left", $"{map.Count}");
        }

        map.Dispose();
        kernel.Quiesce();
        new RefBook(kernel).MustEqual(before, ObjectRules.Storage, ObjectRules.Storage);
    }

    private void FailBirths(KernelModel kernel)
    {
        var plan = kernel.Options.FaultPlan!;
        for (var nth = 1; nth <= BirthFailuresMax; nth++)
        {
            _log.Clear();
            var before = new RefBook(kernel);
            var injected = plan.InjectedCount;
            plan.Fail(FaultPoint.AllocObject.Name, nth);
            _log.Add($"make an object; the memory of allocation {nth} is missing");
            T? made = null;
            try
            {
                made = factory(kernel);
            }
            catch (OutOfMemoryException)
            {
                _log[^1] += " -> OutOfMemoryException";
            }

            plan.Clear();
            if (made is not null)
            {
                KernelRef.Own(made).Release();
                _log.Add("release it");
            }

            kernel.Quiesce();
            new RefBook(kernel).MustEqual(before, ObjectRules.FailedBirth, ObjectRules.FailedBirth);
            if (plan.InjectedCount == injected)
            {
                return;
            }
        }
    }
}
