using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Kptr.Diagnostics;
using Kptr.Kfuncs;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Benchmarks.Maps;

/// <summary>One round of an operation over keys.</summary>
internal delegate long MapOperation(ReadOnlySpan<int> keys);

/// <summary>The same entries in a dictionary and in maps, and the operations that are compared.</summary>
internal sealed class MapSubjects : IDisposable
{
    private readonly KernelCore _core = new(BuiltinKernel.Spec(KernelProfile.Linux6_12));
    private readonly ConcurrentDictionary<int, Value24> _dictionary;
    private readonly HashMap<int, Value24> _plain;
    private readonly Lazy<HashMap<int, KptrValue24>> _kptrs;
    private readonly Lazy<ArrayMap<Value24>> _values;
    private readonly Lazy<Value24[]> _clrValues;
    private readonly int _entries;
    private readonly bool _isSparse;

    internal MapSubjects(int entries, bool isSparse)
    {
        _entries = entries;
        _isSparse = isSparse;
        _dictionary = new(2, entries);
        var before = Environment.WorkingSet;
        _plain = new(_core, (uint)entries);
        for (var i = 0; i < entries; i++)
        {
            Check(_plain.Update(KeyOf(i), new() { A = i }));
        }

        BytesPerEntry = (double)(Environment.WorkingSet - before) / entries;
        Filled(_dictionary, (dictionary, i) => dictionary[KeyOf(i)] = new() { A = i });
        _kptrs = new(() => Filled(new HashMap<int, KptrValue24>(_core, (uint)entries), (map, i) =>
            Check(map.Update(KeyOf(i), new() { Seen = i, Count = 1 }))));
        _values = new(() => Filled(new ArrayMap<Value24>(_core, (uint)entries), (array, i) => array[(uint)i].A = i));
        _clrValues = new(() => Filled(new Value24[entries], (array, i) => array[i].A = i));
    }

    private HashMap<int, KptrValue24> Kptrs => _kptrs.Value;

    /// <summary>Frees the maps with their kernel.</summary>
    public void Dispose()
    {
        _plain.Dispose();
        if (_kptrs.IsValueCreated)
        {
            _kptrs.Value.Dispose();
        }

        if (_values.IsValueCreated)
        {
            _values.Value.Dispose();
        }

        _core.Dispose();
    }

    /// <summary>
    /// How much the process grew while the plain map was made and filled; of meaning for many entries only.
    /// </summary>
    internal double BytesPerEntry { get; }

    /// <summary>Keys of entries in random order.</summary>
    internal int[] Keys(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => KeyOf(random.Next(_entries)))];
    }

    /// <summary>The calling thread is a CPU of its own.</summary>
    internal void PlayCpu(int thread) => _core.CurrentCpu = thread % _core.CpuCount;

    internal IEnumerable<(string Name, MapOperation Against, MapOperation Run)> Operations()
    {
        yield return ("lookup, by ref", DictionaryLookup, PlainLookup);
        yield return ("lookup, copied out", DictionaryCopyOut, PlainCopyOut);
        yield return ("update", DictionaryUpdate, PlainUpdate);
        yield return ("delete+insert", DictionaryDeleteInsert, PlainDeleteInsert);
        yield return ("kptr: lookup, by ref", DictionaryLookup, KptrLookup);
        yield return ("kptr: lookup, copied out", DictionaryCopyOut, KptrCopyOut);
        yield return ("kptr: update", DictionaryUpdate, KptrUpdate);
        yield return ("kptr: delete+insert", DictionaryDeleteInsert, KptrDeleteInsert);
        yield return ("kptr: store, update", DictionaryUpdate, KptrStoreAndUpdate);
        yield return ("bytes: update", DictionaryUpdate, BytesUpdate);
        yield return ("bytes: lookup", DictionaryLookup, BytesLookup);
        if (!_isSparse)
        {
            yield return ("array against C# array", ClrArray, Array);
        }
    }

    private static void Check(Errno err)
    {
        if (err != Errno.None)
        {
            throw new InvalidOperationException($"the map does not take its entries: {err}");
        }
    }

    private T Filled<T>(T subject, Action<T, int> add)
    {
        for (var i = 0; i < _entries; i++)
        {
            add(subject, i);
        }

        return subject;
    }

    // An odd factor keeps keys distinct.
    private int KeyOf(int i) => _isSparse ? i * -1640531527 : i;

    private long DictionaryLookup(ReadOnlySpan<int> keys)
    {
        var sum = 0L;
        foreach (var key in keys)
        {
            sum += _dictionary.TryGetValue(key, out var value) ? value.A : 0;
        }

        return sum;
    }

    private long DictionaryCopyOut(ReadOnlySpan<int> keys)
    {
        var sum = 0L;
        foreach (var key in keys)
        {
            sum += _dictionary.TryGetValue(key, out var value) ? value.A + value.B + value.C : 0;
        }

        return sum;
    }

    private long DictionaryUpdate(ReadOnlySpan<int> keys)
    {
        foreach (var key in keys)
        {
            _dictionary[key] = new() { A = key };
        }

        return 0;
    }

    private long DictionaryDeleteInsert(ReadOnlySpan<int> keys)
    {
        foreach (var key in keys)
        {
            _dictionary.TryRemove(key, out _);
            _dictionary.TryAdd(key, new() { A = key });
        }

        return 0;
    }

    private long PlainLookup(ReadOnlySpan<int> keys)
    {
        var sum = 0L;
        using var reader = _core.Rcu.ReadLock();
        foreach (var key in keys)
        {
            sum += _plain.Lookup(key).A;
        }

        return sum;
    }

    private long PlainCopyOut(ReadOnlySpan<int> keys)
    {
        var sum = 0L;
        foreach (var key in keys)
        {
            sum += _plain.TryGetValue(key, out var value) ? value.A + value.B + value.C : 0;
        }

        return sum;
    }

    private long PlainUpdate(ReadOnlySpan<int> keys)
    {
        foreach (var key in keys)
        {
            _plain.Update(key, new() { A = key });
        }

        return 0;
    }

    private long PlainDeleteInsert(ReadOnlySpan<int> keys)
    {
        foreach (var key in keys)
        {
            _plain.Delete(key);
            _plain.Update(key, new() { A = key });
        }

        return 0;
    }

    private long KptrLookup(ReadOnlySpan<int> keys)
    {
        var map = Kptrs;
        var sum = 0L;
        using var reader = _core.Rcu.ReadLock();
        foreach (var key in keys)
        {
            sum += map.Lookup(key).Seen;
        }

        return sum;
    }

    private long KptrCopyOut(ReadOnlySpan<int> keys)
    {
        var map = Kptrs;
        var sum = 0L;
        foreach (var key in keys)
        {
            sum += map.TryGetValue(key, out var value) ? value.Seen + value.Count : 0;
        }

        return sum;
    }

    private long KptrUpdate(ReadOnlySpan<int> keys)
    {
        var map = Kptrs;
        foreach (var key in keys)
        {
            map.Update(key, new() { Seen = key, Count = 1 });
        }

        return 0;
    }

    private long KptrDeleteInsert(ReadOnlySpan<int> keys)
    {
        var map = Kptrs;
        foreach (var key in keys)
        {
            map.Delete(key);
            map.Update(key, new() { Seen = key, Count = 1 });
        }

        return 0;
    }

    // The update ends the reference that was stored a moment before.
    private long KptrStoreAndUpdate(ReadOnlySpan<int> keys)
    {
        var map = Kptrs;
        foreach (var key in keys)
        {
            using (_core.Rcu.ReadLock())
            {
                map.Lookup(key).Task.Exchange(_core.Tasks.Init.TryAcquire())?.Release();
            }

            map.Update(key, new() { Seen = key, Count = 1 });
        }

        return 0;
    }

    // As helpers call it: bytes, inside the program's reader, a value with a kptr.
    private long BytesUpdate(ReadOnlySpan<int> keys)
    {
        var map = Kptrs;
        using var reader = _core.Rcu.ReadLock();
        var cpu = _core.CurrentCpu;
        Span<long> value = stackalloc long[3];
        value.Clear();
        for (var i = 0; i < keys.Length; i++)
        {
            value[1] = keys[i];
            map.ProgUpdate(MemoryMarshal.AsBytes(keys.Slice(i, 1)), MemoryMarshal.AsBytes(value),
                MapUpdateFlags.Any, cpu);
        }

        return 0;
    }

    private unsafe long BytesLookup(ReadOnlySpan<int> keys)
    {
        var map = Kptrs;
        var sum = 0L;
        using var reader = _core.Rcu.ReadLock();
        fixed (int* at = keys)
        {
            // A program has its key in memory.
            for (var i = 0; i < keys.Length; i++)
            {
                sum += *(long*)map.ProgLookup(new(at + i, sizeof(int)), 0);
            }
        }

        return sum;
    }

    private long ClrArray(ReadOnlySpan<int> keys)
    {
        var sum = 0L;
        var array = _clrValues.Value;
        foreach (var key in keys)
        {
            sum += array[key].A;
        }

        return sum;
    }

    private long Array(ReadOnlySpan<int> keys)
    {
        var sum = 0L;
        var array = _values.Value;
        foreach (var key in keys)
        {
            sum += array[(uint)key].A;
        }

        return sum;
    }

    private struct KptrValue24
    {
        public Kptr<TaskStruct> Task;
        public long Seen;
        public long Count;
    }
}
