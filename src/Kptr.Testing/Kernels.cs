using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Testing.Scripts;

namespace Kptr.Testing;

/// <summary>Kernels in which nothing happens by itself.</summary>
internal static class Kernels
{
    internal static KernelModel Boot(DestroyBehavior policy) => new(new KernelModelOptions
    {
        Profile = policy == DestroyBehavior.Eager ? KernelProfile.Linux6_12 : KernelProfile.Linux7_2,
        Driver = DeferredDriver.Manual,
        Clock = new VirtualClock(),
        FaultPlan = new FaultPlan(),
    });

    /// <summary>Objects for scripts to store: some of each kind, which the kernel itself keeps.</summary>
    internal static KernelObject[] Objects(KernelModel kernel) =>
    [
        .. Enumerable.Range(0, MapShape.ObjectCount).Select(i => kernel.Tasks.Fork(kernel.Tasks.Init, $"task {i}")),
        .. Enumerable.Range(0, MapShape.ObjectCount).Select(i => kernel.Cgroups.Create($"cgroup {i}")),
    ];
}

/// <summary>Plays scripts, in one kernel as long as nothing is broken.</summary>
internal sealed class Desk : IDisposable
{
    private readonly Func<KernelCore, BpfMap> _factory;
    private readonly MapCapabilities _can;
    private readonly DestroyBehavior _policy;
    private readonly Watch _watch;
    private KernelModel _kernel;
    private KernelObject[] _objects;

    internal Desk(Func<KernelCore, BpfMap> factory, MapCapabilities can, DestroyBehavior policy, Watch watch)
    {
        _watch = watch;
        _factory = factory;
        _can = can;
        _policy = policy;
        _kernel = Kernels.Boot(policy);
        _objects = Kernels.Objects(_kernel);
        using var map = factory(_kernel);
        Shape = new(map);
    }

    internal MapShape Shape { get; }

    /// <summary>The steps of the last script, with what came of them.</summary>
    internal IReadOnlyList<string> Log { get; private set; } = [];

    internal IReadOnlyList<BrokenRuleException> Play(IReadOnlyList<Step> script)
    {
        var run = new ScriptRun(_kernel, _factory, _can, _objects, _watch);
        IReadOnlyList<BrokenRuleException> broken;
        using (run)
        {
            broken = run.Play(script);
            Log = run.Log;
        }

        if (broken.Count > 0)
        {
            // What a broken map left behind must not show in the next script.
            _kernel.Dispose();
            _kernel = Kernels.Boot(_policy);
            _objects = Kernels.Objects(_kernel);
        }

        return broken;
    }

    public void Dispose() => _kernel.Dispose();
}
