using Kptr.Objects;
using Kptr.Testing.ObjectScripts;

namespace Kptr.Testing.KfuncScripts;

/// <summary>Calls kfuncs from several threads at once, with objects that these share.</summary>
internal sealed class KfuncThreads(KfuncWorld world, ConformanceOptions options, Watch watch)
{
    private const int ThreadCount = 4;
    private const int CallsPerRound = 20;
    private readonly List<string> _log = [];

    internal ConformanceFailure? Run()
    {
        try
        {
            using var kernel = new KfuncKernel(world);
            var before = new RefBook(kernel.Model);
            for (var round = 0; round < options.Rounds; round++)
            {
                foreach (var program in kernel.Programs.Values.Where(p => p.Refusal is null && !p.Shape.IsRelease
                    && !world.Can.Keeping.Contains(p.Shape.Name)))
                {
                    Share(kernel.Model, program, round);
                }

                new RefBook(kernel.Model).MustEqual(before, KfuncRules.Threads, KfuncRules.Threads);
            }

            return null;
        }
        catch (BrokenRuleException broken)
        {
            return broken.ToFailure(world.Policy, options.Seed, _log);
        }
    }

    private void Share(KernelModel model, KfuncProgram program, int round)
    {
        _log.Clear();
        _log.Add($"round {round}: {ThreadCount} threads call {program.Shape.Name} {CallsPerRound} times, and release");
        watch.Beat(_log);
        var shared = program.Shape.Args.Select(a => a.Shape == ArgShape.Object ? world.Make(model, a.Type) : null)
            .ToArray();
        Racing.Run(model, ThreadCount, thread =>
        {
            var tray = Trays.Of(model);
            for (var i = 0; i < CallsPerRound; i++)
            {
                tray.Load(
                    [.. shared.Select(o => o is null ? (Passed?)null : new(o, o.TryAcquire()))],
                    [.. program.Shape.Args.Select((_, at) => (ulong)(thread + at))]);
                if (program.Run().Fault is { } fault)
                {
                    throw new BrokenRuleException(KfuncRules.Threads, "no fault", fault.Message);
                }

                foreach (var owned in tray.References.Values.ToList())
                {
                    owned.Release();
                }
            }

            return true;
        }, KfuncRules.Threads);
        foreach (var made in shared.OfType<KernelObject>())
        {
            KernelRef.Own(made).Release();
        }

        model.Quiesce();
        _log.Add("release the shared objects; everything deferred runs");
        RefBook.NoFaults(model, KfuncRules.Threads, KfuncRules.Threads);
    }
}
