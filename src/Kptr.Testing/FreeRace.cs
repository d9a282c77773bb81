using Kptr.Maps;

namespace Kptr.Testing;

/// <summary>Several threads use a map, one of them disposes of it, and it must go without a fault.</summary>
internal static class FreeRace
{
    internal const int ThreadCount = 4;
    private const int CallsBeforeFree = 50;

    /// <param name="kernel">A kernel of the race's own.</param>
    /// <param name="map">The map, which is gone afterwards.</param>
    /// <param name="userOf">What a thread does again and again, inside a reader.</param>
    /// <exception cref="BrokenRuleException">The map lives, or a fault was reported.</exception>
    internal static void Run(KernelModel kernel, BpfMap map, Func<int, Action> userOf)
    {
        var calls = 0;
        var isDisposing = false;
        Racing.Run(kernel, ThreadCount, thread =>
        {
            var use = userOf(thread);
            while (thread != 0 || Volatile.Read(ref calls) < CallsBeforeFree)
            {
                // A program that runs holds its maps, which C# cannot; what it found is good for as long as it reads.
                using (kernel.Rcu.ReadLock())
                {
                    if (Volatile.Read(ref isDisposing))
                    {
                        return true;
                    }

                    use();
                }

                Interlocked.Increment(ref calls);
            }

            Volatile.Write(ref isDisposing, true);
            map.Dispose();
            kernel.Quiesce();
            return true;
        }, Rules.FreeDuringUse);
        kernel.Quiesce();
        var faults = kernel.TakeFaults();
        if (faults.Count > 0 || !map.IsFreed)
        {
            throw new BrokenRuleException(
                Rules.FreeDuringUse, "a freed map and no fault",
                faults.Count > 0 ? faults[0].ToString() : $"{map} lives");
        }
    }
}
