using System.Diagnostics.CodeAnalysis;
using BenchmarkDotNet.Attributes;
using Kptr.Kfuncs;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Benchmarks.Objects;

/// <summary>
/// What a reference costs, against the bare instructions it is made of. Each invocation does <see cref="Ops"/>.
/// </summary>
/// <param name="checks">Which mistakes the kernel looks for meanwhile.</param>
public abstract class ReferenceBenchmarks(MisuseChecks checks)
{
    internal const int Ops = 1000;

    protected KernelCore Kernel { get; } = new(
        BuiltinKernel.Spec(KernelProfile.Linux6_12), new() { MisuseChecks = checks });

    private protected struct Entry
    {
        public Kptr<TaskStruct> Task;
        public long Word;
    }
}

/// <summary>Inc-not-zero and release, against an increment and a decrement.</summary>
[MemoryDiagnoser]
public class AcquireReleaseBenchmarks(MisuseChecks checks) : ReferenceBenchmarks(checks)
{
    public AcquireReleaseBenchmarks()
        : this(MisuseChecks.Default)
    {
    }

    private TaskStruct _task = null!;
    private int _counter = 2;

    [GlobalSetup]
    public void Setup() => _task = Kernel.Tasks.Fork(Kernel.Tasks.Init);

    [Benchmark(Baseline = true, OperationsPerInvoke = Ops)]
    public int IncrementDecrement()
    {
        for (var i = 0; i < Ops; i++)
        {
            Interlocked.Increment(ref _counter);
            Interlocked.Decrement(ref _counter);
        }

        return _counter;
    }

    [Benchmark(OperationsPerInvoke = Ops)]
    public int AcquireRelease()
    {
        var task = _task;
        for (var i = 0; i < Ops; i++)
        {
            if (TaskKfuncs.TaskAcquire(task) is { } reference)
            {
                TaskKfuncs.TaskRelease(reference);
            }
        }

        return task.Pid;
    }
}

/// <summary><c>bpf_kptr_xchg</c> from C#: half of the exchanges move a task in, half take it out.</summary>
[MemoryDiagnoser]
[SuppressMessage("Design", "CA1001", Justification = "the map lives as long as the process")]
public class ExchangeBenchmarks(MisuseChecks checks) : ReferenceBenchmarks(checks)
{
    public ExchangeBenchmarks()
        : this(MisuseChecks.Default)
    {
    }

    private HashMap<int, Entry> _map = null!;
    private KernelRef<TaskStruct>? _ref;

    [GlobalSetup]
    public void Setup()
    {
        _map = new(Kernel, 16);
        _map.LookupOrInit(1).Word = 1;
        _ref = Kernel.Tasks.Fork(Kernel.Tasks.Init).TryAcquire();
    }

    [Benchmark(Baseline = true, OperationsPerInvoke = Ops)]
    public long InterlockedExchange()
    {
        using var reader = Kernel.Rcu.ReadLock();
        ref var word = ref _map.Lookup(1).Word;
        long value = 1;
        for (var i = 0; i < Ops; i++)
        {
            value = Interlocked.Exchange(ref word, value);
        }

        return value;
    }

    [Benchmark(OperationsPerInvoke = Ops)]
    public bool KptrExchange()
    {
        using var reader = Kernel.Rcu.ReadLock();
        ref var slot = ref _map.Lookup(1).Task;
        var reference = _ref;
        for (var i = 0; i < Ops; i++)
        {
            reference = slot.Exchange(reference);
        }

        _ref = reference;
        return reference is null;
    }
}

/// <summary>An RCU reader, against one increment; and a look into a slot inside it.</summary>
[MemoryDiagnoser]
[SuppressMessage("Design", "CA1001", Justification = "the map lives as long as the process")]
public class RcuBenchmarks(MisuseChecks checks) : ReferenceBenchmarks(checks)
{
    public RcuBenchmarks()
        : this(MisuseChecks.Default)
    {
    }

    private HashMap<int, Entry> _map = null!;
    private int _counter;

    [GlobalSetup]
    public void Setup()
    {
        _map = new(Kernel, 16);
        using var reader = Kernel.Rcu.ReadLock();
        _map.LookupOrInit(1).Task.Exchange(Kernel.Tasks.Init.TryAcquire())?.Release();
    }

    [Benchmark(Baseline = true, OperationsPerInvoke = Ops)]
    public int Increment()
    {
        for (var i = 0; i < Ops; i++)
        {
            Interlocked.Increment(ref _counter);
        }

        return _counter;
    }

    [Benchmark(OperationsPerInvoke = Ops)]
    public int ReadLockUnlock()
    {
        var rcu = Kernel.Rcu;
        for (var i = 0; i < Ops; i++)
        {
            using var reader = rcu.ReadLock();
        }

        return _counter;
    }

    [Benchmark(OperationsPerInvoke = Ops)]
    public int Peek()
    {
        using var reader = Kernel.Rcu.ReadLock();
        ref var slot = ref _map.Lookup(1).Task;
        var found = 0;
        for (var i = 0; i < Ops; i++)
        {
            found += slot.Peek() is null ? 0 : 1;
        }

        return found;
    }

    [Benchmark(OperationsPerInvoke = Ops)]
    public long Lookup()
    {
        using var reader = Kernel.Rcu.ReadLock();
        var map = _map;
        var sum = 0L;
        for (var i = 0; i < Ops; i++)
        {
            sum += map.Lookup(1).Word;
        }

        return sum;
    }
}
