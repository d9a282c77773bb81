using Kptr.Testing.Scripts;

namespace Kptr.Testing.KfuncScripts;

/// <summary>Plays scripts that call kfuncs.</summary>
internal sealed class KfuncDesk(KfuncWorld world, int stepsMax, Watch watch) : Desk<KfuncStep>
{
    private KfuncKernel _kernel = new(world);

    internal override IReadOnlyList<KfuncStep> ScriptOf(int seed)
    {
        var loaded = world.Kfuncs.Where(k => _kernel.Programs[k.Name].Refusal is null).ToList();
        return loaded.Count == 0 ? [] : KfuncScript.Make(new Random(seed), loaded, world.Types, stepsMax);
    }

    internal override IReadOnlyList<BrokenRuleException> Play(IReadOnlyList<KfuncStep> script)
    {
        var run = new KfuncRun(_kernel, watch);
        Log = run.Log;
        if (run.Play(script) is not { } broken)
        {
            return [];
        }

        // What a broken kfunc left behind must not show in the next script.
        _kernel.Dispose();
        _kernel = new(world);
        return [broken];
    }

    public override void Dispose() => _kernel.Dispose();
}
