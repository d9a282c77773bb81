using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace CustomMap;

/// <summary>What the window keeps of a task.</summary>
[SuppressMessage("Design", "CA1051", Justification = "the struct is the value in memory")]
[SuppressMessage("Performance", "CA1815", Justification = "it is never compared")]
public struct SeenTask
{
    /// <summary>The task; found as a special field by its type.</summary>
    public Kptr<TaskStruct> Task;

    /// <summary>How often it was seen in the window.</summary>
    public ulong Times;
}

/// <summary>
/// Tasks by pid, seen within the last so many nanoseconds. Time is cut into a ring of buckets; a bucket that leaves the
/// window takes its tasks with it.
/// </summary>
/// <remarks>
/// A whole map type over the public base class: memory from a pool, a lock of its own, and <see cref="DyingFields"/>
/// for everything that ends. It works under both destroy policies without looking at them.
/// </remarks>
public sealed class TimeWindowMap : BpfMap, ITypedMap<int, SeenTask>
{
    private readonly Lock _lock = new();
    private readonly ValuePool _values;
    private readonly Dictionary<int, int> _slots = [];
    private readonly List<int>[] _ring;
    private readonly int[] _pidOf;
    private readonly long _bucketNs;
    private long _newest;

    public TimeWindowMap(KernelCore core, string name, uint maxEntries, TimeSpan window, int bucketCount)
        : base(core, StructSpec.Of<int, SeenTask>(core, name, BpfMapType.Hash, maxEntries))
    {
        _values = CreatePool((int)maxEntries);
        _pidOf = new int[maxEntries];
        _ring = [.. Enumerable.Range(0, bucketCount).Select(_ => new List<int>())];
        _bucketNs = (long)window.TotalNanoseconds / bucketCount;
        _newest = Now;
    }

    /// <summary>Tasks in the window.</summary>
    public int Count
    {
        get
        {
            Expire();
            lock (_lock)
            {
                return _slots.Count;
            }
        }
    }

    BpfMap ITypedMap<int, SeenTask>.Map => this;

    private long Now => Core.NowNs / _bucketNs;

    /// <summary>
    /// The value of a pid, in live memory; made when it is new; a null reference when the map is full.
    /// Use it inside an RCU reader.
    /// </summary>
    public ref SeenTask See(int pid)
    {
        var key = MemoryMarshal.AsBytes(new ReadOnlySpan<int>(in pid));
        var err = ProgUpdate(key, new byte[ValueSize], MapUpdateFlags.NoExist, 0);
        return ref ValueAt<SeenTask>(err is Errno.None or Errno.EEXIST ? ProgLookup(key, 0) : 0);
    }

    /// <summary>Lets go of what has left the window.</summary>
    public void Expire()
    {
        // Declared before the lock is taken: destructors run after it is left.
        using var dying = new DyingFields(this, DeathPath.Evict);
        lock (_lock)
        {
            for (var now = Now; _newest < now; _newest++)
            {
                var bucket = _ring[(_newest + 1) % _ring.Length];
                foreach (var slot in bucket)
                {
                    _slots.Remove(_pidOf[slot]);
                    dying.Recycle(_values, slot);
                    _values.Return(slot);
                }

                bucket.Clear();
            }
        }
    }

    protected override bool TryGetKey(ValuePool pool, int slot, Span<byte> key)
    {
        var pid = _pidOf[slot];
        MemoryMarshal.Write(key, pid);
        lock (_lock)
        {
            return _slots.TryGetValue(pid, out var at) && at == slot;
        }
    }

    protected override ulong FindValue(ReadOnlySpan<byte> key, in MapCall caller)
    {
        Expire();
        lock (_lock)
        {
            return _slots.TryGetValue(MemoryMarshal.Read<int>(key), out var slot) ? _values.AddressOf(slot) : 0;
        }
    }

    protected override Errno ReadValue(
        ReadOnlySpan<byte> key, Span<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        // Under the lock: a moment later the slot may be another task's.
        Expire();
        lock (_lock)
        {
            if (!_slots.TryGetValue(MemoryMarshal.Read<int>(key), out var slot))
            {
                return Errno.ENOENT;
            }

            ReadValue(value, _values, slot, flags, caller);
            return Errno.None;
        }
    }

    protected override long VisitValues(MapElemCallback callback, in MapCall caller)
    {
        KeyValuePair<int, int>[] all;
        lock (_lock)
        {
            all = [.. _slots];
        }

        var visited = 0L;
        foreach (var (pid, slot) in all)
        {
            visited++;
            if (CallBack(callback, MemoryMarshal.AsBytes(new ReadOnlySpan<int>(in pid)), _values.AddressOf(slot)) != 0)
            {
                break;
            }
        }

        return visited;
    }

    protected override Errno UpdateValue(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        if (flags > MapUpdateFlags.Exist)
        {
            return Errno.EINVAL;
        }

        Expire();
        using var dying = new DyingFields(this, DeathPath.InPlaceUpdate);
        var pid = MemoryMarshal.Read<int>(key);
        lock (_lock)
        {
            var exists = _slots.TryGetValue(pid, out var slot);
            if (CheckExistence(exists, flags) is var bad and not Errno.None)
            {
                return bad;
            }

            if (!exists)
            {
                if (!_values.TryTake(out slot))
                {
                    return Errno.E2BIG;
                }

                _pidOf[slot] = pid;
                _slots[pid] = slot;
                _ring[_newest % _ring.Length].Add(slot);
            }

            // Old bytes give way to new ones; what the old task's reference comes to is the kernel's policy.
            if (exists)
            {
                dying.Overwrite(_values, slot, value, flags, caller);
            }
            else
            {
                InitValue(_values, slot, value, caller);
            }

            return Errno.None;
        }
    }

    protected override Errno DeleteValue(ReadOnlySpan<byte> key, in MapCall caller)
    {
        using var dying = new DyingFields(this, DeathPath.Delete);
        lock (_lock)
        {
            if (!_slots.Remove(MemoryMarshal.Read<int>(key), out var slot))
            {
                return Errno.ENOENT;
            }

            foreach (var bucket in _ring)
            {
                bucket.Remove(slot);
            }

            dying.Recycle(_values, slot);
            _values.Return(slot);
            return Errno.None;
        }
    }

    protected override Errno NextKey(ReadOnlySpan<byte> key, Span<byte> nextKey)
    {
        lock (_lock)
        {
            var pids = _slots.Keys.Order().ToList();
            var next = key.IsEmpty ? 0 : pids.IndexOf(MemoryMarshal.Read<int>(key)) + 1;
            if (next >= pids.Count)
            {
                return Errno.ENOENT;
            }

            MemoryMarshal.Write(nextKey, pids[next]);
            return Errno.None;
        }
    }
}
