using Kptr.Diagnostics;
using Kptr.Objects;

namespace Kptr.Kfuncs;

/// <summary>
/// What all program runs of one kernel share beside the kernel's core: the trace pipe, random numbers.
/// </summary>
internal sealed class ProgHost
{
    private const int TraceLinesMax = 100_000;
    private readonly RankedLock _lock = new(LockRank.ProgHost);
    private readonly List<string> _trace = [];
    private readonly Random _random;

    internal ProgHost(KernelCore core, KfuncRegistry? kfuncs = null, int seed = 0)
    {
        Core = core;
        Kfuncs = kfuncs ?? KfuncRegistry.Builtin;
        Types = new(core);
        Async = new(core);
        NoMachine = new(core.Heap);
        _random = new Random(seed);
    }

    internal KernelCore Core { get; }

    /// <summary>Where kfunc bodies are found.</summary>
    internal KfuncRegistry Kfuncs { get; }

    /// <summary>The special fields of programs' structs.</summary>
    internal ProgTypes Types { get; }

    /// <summary>Timers and work items in map values.</summary>
    internal AsyncFieldTable Async { get; }

    /// <summary>The machine of who has none, or has none any more.</summary>
    internal NoMachine NoMachine { get; }

    /// <summary>Raised for every line that a program prints.</summary>
    internal event Action<string>? Traced;

    /// <summary>Lines printed by <c>bpf_trace_printk</c>, oldest first; a copy.</summary>
    internal IReadOnlyList<string> Trace
    {
        get
        {
            using (_lock.Enter())
            {
                return [.. _trace];
            }
        }
    }

    internal uint NextRandom()
    {
        using (_lock.Enter())
        {
            return (uint)_random.NextInt64(1L << 32);
        }
    }

    internal void Print(string line)
    {
        using (_lock.Enter())
        {
            if (_trace.Count < TraceLinesMax)
            {
                _trace.Add(line);
            }
        }

        Traced?.Invoke(line);
    }
}
