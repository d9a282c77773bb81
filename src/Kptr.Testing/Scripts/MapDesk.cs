using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Testing.Scripts;

/// <summary>Plays scripts on maps of one type.</summary>
internal sealed class MapDesk : Desk<Step>
{
    private readonly Func<KernelCore, BpfMap> _factory;
    private readonly MapCapabilities _can;
    private readonly DestroyBehavior _policy;
    private readonly int _stepsMax;
    private readonly Watch _watch;
    private readonly MapShape _shape;
    private KernelModel _kernel;
    private KernelObject[] _objects;

    internal MapDesk(
        Func<KernelCore, BpfMap> factory, MapCapabilities can, DestroyBehavior policy, int stepsMax, Watch watch)
    {
        _stepsMax = stepsMax;
        _watch = watch;
        _factory = factory;
        _can = can;
        _policy = policy;
        _kernel = Kernels.Boot(policy);
        _objects = Kernels.Objects(_kernel);
        using var map = factory(_kernel);
        _shape = new(map, can);
    }

    internal override IReadOnlyList<Step> ScriptOf(int seed) =>
        ScriptMaker.Make(new Random(seed), _can, _shape, _stepsMax);

    internal override IReadOnlyList<BrokenRuleException> Play(IReadOnlyList<Step> script)
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

    public override void Dispose() => _kernel.Dispose();
}
