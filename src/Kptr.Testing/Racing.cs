namespace Kptr.Testing;

/// <summary>Runs the same on several threads at once.</summary>
internal static class Racing
{
    /// <summary>Starts all of them together, spread over the CPUs, and waits for them.</summary>
    /// <returns>What each gave.</returns>
    /// <exception cref="BrokenRuleException">One threw.</exception>
    internal static T[] Run<T>(KernelModel kernel, int threadCount, Func<int, T> run, ConformanceCheck rule)
    {
        using var start = new Barrier(threadCount);
        var answers = new T[threadCount];
        var cpus = kernel.Options.PossibleCpus;
        Exception? failure = null;
        var threads = Enumerable.Range(0, threadCount).Select(i => new Thread(() =>
        {
            try
            {
                kernel.CurrentCpu = cpus[i % cpus.Count];
                start.SignalAndWait();
                answers[i] = run(i);
            }
            catch (Exception e)
            {
                Interlocked.CompareExchange(ref failure, e, null);
            }
        })
        {
            IsBackground = true,
        }).ToList();
        threads.ForEach(t => t.Start());
        threads.ForEach(t => t.Join());
        return failure switch
        {
            null => answers,
            BrokenRuleException broken => throw broken,
            _ => throw new BrokenRuleException(rule, "no exception", $"{failure.GetType().Name}: {failure.Message}"),
        };
    }
}
