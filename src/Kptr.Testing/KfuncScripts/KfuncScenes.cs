namespace Kptr.Testing.KfuncScripts;

/// <summary>The checks of kfuncs that are no random scripts.</summary>
internal sealed class KfuncScenes(KfuncWorld world, ConformanceOptions options, Watch watch)
{
    private readonly List<string> _log = [];

    /// <summary>Plays the scenes of a check; null where it has none or nothing is broken.</summary>
    internal ConformanceFailure? Run(ConformanceCheck check)
    {
        if (check != KfuncRules.Flags && check != KfuncRules.Destructor)
        {
            return null;
        }

        watch.Beat(_log);
        try
        {
            using var kernel = new KfuncKernel(world);
            if (check == KfuncRules.Flags)
            {
                Load(kernel);
            }
            else
            {
                Destroy(kernel);
            }

            return null;
        }
        catch (BrokenRuleException broken)
        {
            return broken.ToFailure(world.Policy, options.Seed, _log);
        }
    }

    private void Load(KfuncKernel kernel)
    {
        foreach (var program in kernel.Programs.Values)
        {
            _log.Clear();
            _log.Add($"load a program that calls {program.Shape.Name} ({program.Shape.Spec.Flags})");
            if (program.Refusal is { } refusal)
            {
                throw new BrokenRuleException(KfuncRules.Flags, "the verifier accepts it", refusal);
            }
        }
    }

    private void Destroy(KfuncKernel kernel)
    {
        foreach (var (type, name) in world.Kernel.Dtors)
        {
            if (world.Kfuncs.FirstOrDefault(k => k.Name == name) is not { } shape)
            {
                continue;
            }

            _log.Clear();
            _log.Add($"{name} ({shape.Spec.Flags}) is the destructor of {type}");
            if (!shape.IsRelease || shape.IsSleepable || shape.Args is not [{ Shape: ArgShape.Object } only]
                || only.Type != type)
            {
                throw new BrokenRuleException(
                    KfuncRules.Destructor, $"KF_RELEASE, no KF_SLEEPABLE, one argument: a {type}",
                    $"{shape.Spec.Flags}, ({string.Join(", ", shape.Args.Select(a => a.Type))})");
            }

            new DestructorScenes(world, kernel, watch, _log).Play(type, kernel.Programs[name]);
        }
    }
}
