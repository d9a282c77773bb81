using Kptr.Objects;
using Kptr.Specs;
using Kptr.Testing.Scripts;

namespace Kptr.Testing.ObjectScripts;

/// <summary>Plays scripts on objects of one type.</summary>
internal sealed class ObjectDesk<T>(
    Func<KernelCore, T> factory, ObjectCapabilities can, KernelSpec spec, int stepsMax, Watch watch)
    : Desk<ObjectStep>
    where T : KernelObject
{
    private KernelModel _kernel = Kernels.Boot(spec, can.Kfuncs);

    internal override IReadOnlyList<ObjectStep> ScriptOf(int seed) =>
        ObjectStep.Script(new Random(seed), can.LastReleaseIn, stepsMax);

    internal override IReadOnlyList<BrokenRuleException> Play(IReadOnlyList<ObjectStep> script)
    {
        using var run = new ObjectRun<T>(_kernel, factory, watch);
        Log = run.Log;
        if (run.Play(script) is not { } broken)
        {
            return [];
        }

        // What a broken object left behind must not show in the next script.
        _kernel.Dispose();
        _kernel = Kernels.Boot(spec, can.Kfuncs);
        return [broken];
    }

    public override void Dispose() => _kernel.Dispose();
}
