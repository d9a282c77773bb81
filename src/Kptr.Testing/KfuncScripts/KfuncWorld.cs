using Kptr.Kfuncs;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Testing.KfuncScripts;

/// <summary>The kfuncs to try and what they need, in kernels of one policy.</summary>
internal sealed class KfuncWorld
{
    private static readonly Dictionary<string, Func<KernelCore, KernelObject>> Known = new()
    {
        ["task_struct"] = DeadTask,
        ["cgroup"] = RemovedCgroup,
        ["bpf_cpumask"] = core => Unwrapped(CpumaskKfuncs.CpumaskCreate(core)),
    };

    private readonly KfuncRegistry _registry;
    private readonly Dictionary<string, Func<KernelCore, KernelObject>> _makers;

    internal KfuncWorld(KfuncRegistry kfuncs, KfuncCapabilities can, DestroyBehavior policy)
    {
        Can = can;
        var profile = Kernels.ProfileOf(policy);
        _makers = new(Known);
        foreach (var (type, make) in can.Objects)
        {
            _makers[type] = ConformanceRunner.Sure(make);
        }

        var own = kfuncs.SpecsOf(profile);
        var builtin = KfuncRegistry.Builtin.SpecsOf(profile);
        var names = can.Kfuncs.Count > 0 ? can.Kfuncs
            : own.Keys.Where(name => !builtin.ContainsKey(name)).Order(StringComparer.Ordinal).ToList();
        Missing = [.. names.Where(name => !own.ContainsKey(name))];
        _registry = TrayKfuncs.AddTo(kfuncs, _makers.Keys);
        Kernel = BuiltinKernel.Spec(profile, _registry, can.Declarations);
        All = [.. names.Where(own.ContainsKey).Select(name => new KfuncShape(Kernel, name, _makers.Keys))];
        Kfuncs = [.. All.Where(k => k.Reason is null)];
        _registry = DestructorBook.Around(_registry, Kernel.Dtors.Values.Intersect(Kfuncs.Select(k => k.Name)));
        Types = [.. Kfuncs.SelectMany(k => k.Objects).Distinct().Order(StringComparer.Ordinal)];
    }

    internal KfuncCapabilities Can { get; }

    internal KernelSpec Kernel { get; }

    /// <summary>Names that were asked for and that this kernel has not.</summary>
    internal IReadOnlyList<string> Missing { get; }

    /// <summary>All that were asked for and that it has.</summary>
    internal IReadOnlyList<KfuncShape> All { get; }

    /// <summary>Those that can be tried.</summary>
    internal IReadOnlyList<KfuncShape> Kfuncs { get; }

    /// <summary>The structs that they take.</summary>
    internal IReadOnlyList<string> Types { get; }

    internal DestroyBehavior Policy => Kernel.Profile.Destroy;

    internal KernelModel Boot() => Kernels.Boot(Kernel, _registry);

    /// <summary>A new object, whose one reference is the caller's.</summary>
    internal KernelObject Make(KernelCore core, string type) => _makers[type](core);

    private static TaskStruct DeadTask(KernelCore core)
    {
        var task = core.Tasks.Fork(core.Tasks.Init, "kptr_testing");
        var made = Unwrapped(task.TryAcquire());
        core.Tasks.Exit(task);
        core.Tasks.Reap(task);
        core.Quiesce();
        return made;
    }

    private static Cgroup RemovedCgroup(KernelCore core)
    {
        var cgroup = core.Cgroups.Create("kptr_testing");
        var made = Unwrapped(cgroup.TryAcquire());
        core.Cgroups.Remove(cgroup);
        core.Quiesce();
        return made;
    }

    // The reference stays counted; whoever asked wraps it again.
    private static T Unwrapped<T>(KernelRef<T>? owned)
        where T : KernelObject => owned!.Value.Target;
}

/// <summary>A kernel with a program for each kfunc.</summary>
internal sealed class KfuncKernel : IDisposable
{
    internal KfuncKernel(KfuncWorld world)
    {
        World = world;
        Model = world.Boot();
        Exited = Model.Tasks.Fork(Model.Tasks.Init, "exited");
        Model.Tasks.Exit(Exited);
        Model.Quiesce();
        Programs = world.Kfuncs.ToDictionary(k => k.Name, k => new KfuncProgram(Model, k));
    }

    internal KfuncWorld World { get; }

    internal KernelModel Model { get; }

    /// <summary>A task that has exited and is not reaped: programs run on behalf of such, too.</summary>
    internal TaskStruct Exited { get; }

    internal Dictionary<string, KfuncProgram> Programs { get; }

    public void Dispose()
    {
        foreach (var program in Programs.Values)
        {
            program.Dispose();
        }

        Model.Dispose();
    }
}
