using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Testing.ObjectScripts;

/// <summary>Shares objects between threads that acquire and release.</summary>
internal sealed class ObjectThreads<T>(
    Func<KernelCore, T> factory, KernelSpec spec, ConformanceOptions options, Watch watch)
    where T : KernelObject
{
    private const int ThreadCount = 4;
    private const int CallsPerRound = 100;
    private readonly List<string> _log = [];

    internal ConformanceFailure? Run()
    {
        try
        {
            using var kernel = Kernels.Boot(spec);
            var before = new RefBook(kernel);
            for (var round = 0; round < options.Rounds; round++)
            {
                Share(kernel, round);
            }

            new RefBook(kernel).MustEqual(before, ObjectRules.Threads, ObjectRules.Threads);
            return null;
        }
        catch (BrokenRuleException broken)
        {
            return broken.ToFailure(spec.Profile.Destroy, options.Seed, _log);
        }
    }

    private void Share(KernelModel kernel, int round)
    {
        _log.Clear();
        watch.Beat(_log);
        var made = factory(kernel);
        var owned = KernelRef.Own(made);
        var mine = new KernelRef<T>?[ThreadCount];
        _log.Add($"round {round}: {ThreadCount} threads acquire an object and release it {CallsPerRound} times each");
        Racing.Run(kernel, ThreadCount, thread =>
        {
            for (var i = 0; i < CallsPerRound; i++)
            {
                made.TryAcquire()?.Release();
            }

            mine[thread] = made.TryAcquire();
            return true;
        }, ObjectRules.Threads);
        Expect($"{ThreadCount + 1} references: one for each thread and one for the maker", made, ThreadCount + 1);

        _log.Add("inside readers each releases its own and tries for another; the maker's goes meanwhile");
        Racing.Run(kernel, ThreadCount, thread =>
        {
            using var reader = kernel.Rcu.ReadLock();
            if (thread == 0)
            {
                owned.Release();
            }

            mine[thread]!.Value.Release();
            made.TryAcquire()?.Release();
            return true;
        }, ObjectRules.Threads);
        kernel.Quiesce();
        _log.Add("each makes an object of its own, and releases it");
        Racing.Run(kernel, ThreadCount, _ =>
        {
            KernelRef.Own(factory(kernel)).Release();
            return true;
        }, ObjectRules.Threads);
        kernel.Quiesce();
        var faults = kernel.TakeFaults();
        if (faults.Count > 0 || !made.IsFreed)
        {
            throw new BrokenRuleException(ObjectRules.Threads, "the object is freed, and no fault",
                faults.Count > 0 ? faults[0].ToString() : $"it has {made.Count}");
        }
    }

    private static void Expect(string what, T made, int count)
    {
        if (made.Count.Value != count)
        {
            throw new BrokenRuleException(ObjectRules.Threads, what, $"{made.Count.Value}");
        }
    }
}
