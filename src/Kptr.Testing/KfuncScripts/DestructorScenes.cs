using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Testing.ObjectScripts;

namespace Kptr.Testing.KfuncScripts;

/// <summary>Lets objects die in slots, in every way there is, and counts calls of their destructor kfunc.</summary>
internal sealed class DestructorScenes(KfuncWorld world, KfuncKernel kernel, Watch watch, List<string> log)
{
    // More than a map of two has room for.
    private const int EvictingKeys = 16;
    private static readonly byte[] Key = BitConverter.GetBytes(1);
    private readonly KernelModel _model = kernel.Model;

    // What a program does, in whatever context it runs, to a value that holds the object.
    private static readonly (string Name, Func<KernelCore, BpfMap> Make, Action<BpfMap> End)[] ByProgram =
    [
        ("deleted", Hash, static map => map.ProgDelete(Key, 0)),
        ("replaced", Hash, static map => map.ProgUpdate(Key, new byte[map.ValueSize], MapUpdateFlags.Any, 0)),
        ("deleted from a map that is not preallocated",
            static core => new HashMap<int, Held<KernelObject>>(core, 4, flags: MapFlags.NoPrealloc),
            static map => map.ProgDelete(Key, 0)),
        ("written over in an array", static core => new ArrayMap<Held<KernelObject>>(core, 2),
            static map => map.ProgUpdate(Key, new byte[map.ValueSize], MapUpdateFlags.Any, 0)),
        ("evicted from an LRU map", static core => new LruHashMap<int, Held<KernelObject>>(core, 2), Evict),
    ];

    private static readonly (string Name, Func<KernelCore, BpfMap> Make, Action<BpfMap> End)[] ByUser =
    [
        ("looked up and deleted", Hash, static map => map.LookupAndDeleteElem(Key, new byte[map.UserValueSize])),
        ("freed with its map", Hash, static _ => { }),
    ];

    private bool _isKept;

    /// <summary>Plays all of them for one destructor.</summary>
    /// <param name="type">The struct.</param>
    /// <param name="program">Calls the kfunc.</param>
    internal void Play(string type, KfuncProgram program)
    {
        _isKept = world.Can.Keeping.Contains(program.Shape.Name);
        foreach (var (name, make, end) in ByProgram)
        {
            foreach (var context in Enum.GetValues<ExecContext>())
            {
                Play(type, $"its value is {name} by a program in {context}", make, map =>
                {
                    using var reader = _model.Rcu.ReadLock();
                    using var inside = _model.EnterContext(context);
                    end(map);
                });
            }
        }

        foreach (var (name, make, end) in ByUser)
        {
            Play(type, $"its value is {name}", make, end);
        }

        PlayStorage(type, "its value is deleted from local storage", static (map, owner) => map.Delete(owner));
        PlayStorage(type, "the task that its value belongs to is reaped", (_, owner) => End(owner));
        if (program.Refusal is not null)
        {
            return;
        }

        foreach (var context in Enum.GetValues<ExecContext>())
        {
            Die(type, $"is held by a program, which in {context} passes it to {program.Shape.Name}",
                made => Call(program, made, context));
        }
    }

    private void Call(KfuncProgram program, KernelObject made, ExecContext context)
    {
        Trays.Of(_model).Load([new(made, KernelRef.Own(made))], [0]);
        using var reader = _model.Rcu.ReadLock();
        using var inside = _model.EnterContext(context);
        program.Run();
    }

    private static HashMap<int, Held<KernelObject>> Hash(KernelCore core) => new(core, 4);

    private static void Evict(BpfMap map)
    {
        for (var key = 0; key < EvictingKeys; key++)
        {
            map.ProgUpdate(BitConverter.GetBytes(key + 2), new byte[map.ValueSize], MapUpdateFlags.Any, 0);
        }
    }

    private void Play(string type, string how, Func<KernelCore, BpfMap> make, Action<BpfMap> end) =>
        Die(type, $"lies in a slot, and {how}", made =>
        {
            using var map = make(_model);
            map.UpdateElem(Key, new byte[map.ValueSize]);
            HeldSlots.Exchange<KernelObject>(map, 1, KernelRef.Own(made));
            end(map);
        });

    private void PlayStorage(
        string type, string how, Action<LocalStorageMap<TaskStruct, Held<KernelObject>>, TaskStruct> end)
    {
        Die(type, $"lies in a slot, and {how}", made =>
        {
            var owner = _model.Tasks.Fork(_model.Tasks.Init, "kptr_testing");
            using var map = new LocalStorageMap<TaskStruct, Held<KernelObject>>(_model);
            using (_model.Rcu.ReadLock())
            {
                map.LookupOrInit(owner).Slot.Exchange(KernelRef.Own(made))?.Release();
            }

            end(map, owner);
            End(owner);
        });
    }

    private void End(TaskStruct owner)
    {
        if (owner.IsFreed)
        {
            return;
        }

        _model.Tasks.Exit(owner);
        _model.Tasks.Reap(owner);
        _model.Quiesce();
    }

    private void Die(string type, string how, Action<KernelObject> die)
    {
        log.RemoveRange(1, log.Count - 1);
        watch.Beat(log);
        var before = new RefBook(_model);
        var book = DestructorBook.Of(_model);
        book.Clear();
        var made = world.Make(_model, type);
        die(made);
        log.Add($"a {type} {how}");
        RefBook.NoFaults(_model, KfuncRules.Destructor, KfuncRules.Destructor);
        _model.Quiesce();
        log.Add("the map is freed; everything deferred runs");
        Expect("the destructor is called once", book.CallsOf(made.Address) == 1, $"{book.CallsOf(made.Address)} times");
        Expect("the object is freed", made.IsFreed || _isKept, $"it has {made.Count}");
        if (!_isKept)
        {
            new RefBook(_model).MustEqual(before, KfuncRules.Destructor, KfuncRules.Destructor);
        }

        RefBook.NoFaults(_model, KfuncRules.Destructor, KfuncRules.Destructor);
    }

    private static void Expect(string expected, bool isSo, string found)
    {
        if (!isSo)
        {
            throw new BrokenRuleException(KfuncRules.Destructor, expected, found);
        }
    }
}
