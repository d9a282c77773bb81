using Kptr.Maps;
using Kptr.Objects;
using Kptr.Testing.ObjectScripts;

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

            if (kernel.Programs[name].Refusal is null)
            {
                Compare(kernel, kernel.Programs[name], type);
            }
        }
    }

    private void Compare(KfuncKernel kernel, KfuncProgram program, string type)
    {
        var model = kernel.Model;
        foreach (var context in Enum.GetValues<ExecContext>())
        {
            _log.RemoveRange(1, _log.Count - 1);
            watch.Beat(_log);
            var before = new RefBook(model);
            var slot = world.Make(model, type);
            var call = world.Make(model, type);
            DieInSlot(model, slot, context);
            Trays.Of(model).Load([new(call, KernelRef.Own(call))], [0]);
            using (model.Rcu.ReadLock())
            {
                using var inside = model.EnterContext(context);
                program.Run();
            }

            _log.Add($"call {program.Shape.Name} with another, in {context}");
            RefBook.NoFaults(model, KfuncRules.Destructor, KfuncRules.Destructor);
            model.Quiesce();
            _log.Add("let everything deferred run");
            if (!call.IsFreed)
            {
                throw new BrokenRuleException(
                    KfuncRules.Destructor, "the object is freed, as it was by the slot", $"it has {call.Count}");
            }

            CheckSame(model, before, slot.IsFreed);
        }
    }

    private void DieInSlot(KernelModel model, KernelObject made, ExecContext context)
    {
        using (var map = new HashMap<int, Held<KernelObject>>(model, 1))
        {
            var key = BitConverter.GetBytes(1);
            map.UpdateElem(key, new byte[map.ValueSize]);
            HeldSlots.Exchange<KernelObject>(map, 1, KernelRef.Own(made));
            using (model.Rcu.ReadLock())
            {
                using var inside = model.EnterContext(context);
                map.ProgDelete(key, 0);
            }
        }

        model.Quiesce();
        _log.Add($"one object dies in a map's slot, deleted in {context}");
    }

    private static void CheckSame(KernelModel model, RefBook before, bool isSlotFreed)
    {
        if (!isSlotFreed)
        {
            throw new BrokenRuleException(KfuncRules.Destructor, "the object in the slot is freed", "it is not");
        }

        new RefBook(model).MustEqual(before, KfuncRules.Destructor, KfuncRules.Destructor);
        RefBook.NoFaults(model, KfuncRules.Destructor, KfuncRules.Destructor);
    }
}
