using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using BenchmarkDotNet.Attributes;
using Kptr.Kfuncs;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Benchmarks.Maps;

/// <summary>A value of 24 bytes.</summary>
[SuppressMessage("Performance", "CA1815", Justification = "payload only")]
public struct Value24
{
    public long A { get; set; }

    public long B { get; set; }

    public long C { get; set; }
}

/// <summary>
/// The hash map against <see cref="ConcurrentDictionary{TKey, TValue}"/> with the same keys and
/// values, keys in random order.
/// </summary>
[MemoryDiagnoser]
[GroupBenchmarksBy(BenchmarkDotNet.Configs.BenchmarkLogicalGroupRule.ByCategory)]
[CategoriesColumn]
[SuppressMessage("Design", "CA1001", Justification = "the runner ends with the benchmarks")]
public class HashMapBenchmarks
{
    private const int Ops = 65_536;
    private readonly KernelCore _core = new(BuiltinKernel.Spec(KernelProfile.Linux6_12));
    private ConcurrentDictionary<int, Value24> _dictionary = null!;
    private HashMap<int, Value24> _map = null!;
    private int[] _keys = null!;

    /// <summary>Entries. How time grows up to 10 million: the program's <c>maps</c> mode.</summary>
    [Params(1_000, 1_000_000)]
    public int Entries { get; set; }

    [GlobalSetup]
    public void Fill()
    {
        _dictionary = new(2, Entries);
        _map = new(_core, (uint)Entries);
        for (var i = 0; i < Entries; i++)
        {
            _dictionary[i] = new() { A = i };
            _map.Update(i, new() { A = i });
        }

        var random = new Random(1);
        _keys = [.. Enumerable.Range(0, Ops).Select(_ => random.Next(Entries))];
    }

    [Benchmark(Baseline = true, OperationsPerInvoke = Ops), BenchmarkCategory("lookup")]
    public long DictionaryLookup()
    {
        var sum = 0L;
        foreach (var key in _keys)
        {
            sum += _dictionary.TryGetValue(key, out var value) ? value.A : 0;
        }

        return sum;
    }

    [Benchmark(OperationsPerInvoke = Ops), BenchmarkCategory("lookup")]
    public long MapLookup()
    {
        var sum = 0L;
        using var reader = _core.Rcu.ReadLock();
        foreach (var key in _keys)
        {
            sum += _map.Lookup(key).A;
        }

        return sum;
    }

    [Benchmark(Baseline = true, OperationsPerInvoke = Ops), BenchmarkCategory("copy out")]
    public long DictionaryCopyOut()
    {
        var sum = 0L;
        foreach (var key in _keys)
        {
            sum += _dictionary.TryGetValue(key, out var value) ? value.A + value.B + value.C : 0;
        }

        return sum;
    }

    [Benchmark(OperationsPerInvoke = Ops), BenchmarkCategory("copy out")]
    public long MapCopyOut()
    {
        var sum = 0L;
        foreach (var key in _keys)
        {
            sum += _map.TryGetValue(key, out var value) ? value.A + value.B + value.C : 0;
        }

        return sum;
    }

    [Benchmark(Baseline = true, OperationsPerInvoke = Ops), BenchmarkCategory("update")]
    public void DictionaryUpdate()
    {
        foreach (var key in _keys)
        {
            _dictionary[key] = new() { A = key };
        }
    }

    [Benchmark(OperationsPerInvoke = Ops), BenchmarkCategory("update")]
    public void MapUpdate()
    {
        foreach (var key in _keys)
        {
            _map.Update(key, new() { A = key });
        }
    }

    [Benchmark(Baseline = true, OperationsPerInvoke = Ops), BenchmarkCategory("delete+insert")]
    public void DictionaryDeleteInsert()
    {
        foreach (var key in _keys)
        {
            _dictionary.TryRemove(key, out _);
            _dictionary.TryAdd(key, new() { A = key });
        }
    }

    [Benchmark(OperationsPerInvoke = Ops), BenchmarkCategory("delete+insert")]
    public void MapDeleteInsert()
    {
        foreach (var key in _keys)
        {
            _map.Delete(key);
            _map.Update(key, new() { A = key });
        }
    }
}
