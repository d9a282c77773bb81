using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace CustomMap;

/// <summary>What the window keeps of a task; <c>struct seen_task</c> of the program.</summary>
[SuppressMessage("Design", "CA1051", Justification = "the struct is the value in memory")]
[SuppressMessage("Performance", "CA1815", Justification = "it is never compared")]
public struct SeenTask
{
    /// <summary>The task; found as a special field by its type.</summary>
    public Kptr<TaskStruct> Task;

    /// <summary>How often it was seen in the window.</summary>
    public ulong Times;
}

/// <summary>Tasks by pid; an entry leaves a while after it was made, and takes its task with it.</summary>
/// <remarks>
/// A whole map type over the public base class: memory from a pool, a lock of its own, and <see cref="DyingFields"/>
/// for everything that ends. It works under both destroy policies without looking at them.
/// </remarks>
public sealed class TimeWindowMap : BpfMap, ITypedMap<int, SeenTask>
{
    private readonly Lock _lock = new();
    private readonly ValuePool _values;
    private readonly SortedDictionary<int, int> _slots = [];
    private readonly (int Pid, long SinceNs)[] _entries;
    private readonly long _windowNs;

    public TimeWindowMap(KernelCore core, MapSpec spec, TimeSpan window)
        : base(core, spec)
    {
        _values = CreatePool((int)MaxEntries);
        _entries = new (int, long)[_values.SlotCount];
        _windowNs = (long)window.TotalNanoseconds;
    }

    public TimeWindowMap(KernelCore core, string name, uint maxEntries, TimeSpan window)
        : this(core, StructSpec.Of<int, SeenTask>(core, name, BpfMapType.Hash, maxEntries), window)
    {
    }

    BpfMap ITypedMap<int, SeenTask>.Map => this;

    /// <summary>Lets go of what has left the window.</summary>
    /// <returns>Tasks that are still in it.</returns>
    public int Expire()
    {
        // Declared before the lock is taken: destructors run after it is left.
        using var dying = new DyingFields(this, DeathPath.Evict);
        lock (_lock)
        {
            foreach (var (pid, slot) in _slots.Where(s => Core.NowNs - _entries[s.Value].SinceNs >= _windowNs).ToList())
            {
                Remove(pid, slot, dying);
            }

            return _slots.Count;
        }
    }

    protected override bool TryGetKey(ValuePool pool, int slot, Span<byte> key)
    {
        lock (_lock)
        {
            MemoryMarshal.Write(key, _entries[slot].Pid);
            return _slots.TryGetValue(_entries[slot].Pid, out var at) && at == slot;
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

    // Copied under the lock: a moment later the slot may be another task's.
    protected override Errno ReadValue(
        ReadOnlySpan<byte> key, Span<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
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

            if (exists)
            {
                // What the old task's reference comes to is the kernel's policy.
                dying.Overwrite(_values, slot, value, flags, caller);
            }
            else if (_values.TryTake(out slot))
            {
                InitValue(_values, slot, value, caller);
                _entries[slot] = (pid, Core.NowNs);
                _slots[pid] = slot;
            }

            return slot < 0 ? Errno.E2BIG : Errno.None;
        }
    }

    protected override Errno DeleteValue(ReadOnlySpan<byte> key, in MapCall caller)
    {
        var pid = MemoryMarshal.Read<int>(key);
        using var dying = new DyingFields(this, DeathPath.Delete);
        lock (_lock)
        {
            return _slots.TryGetValue(pid, out var slot) ? Remove(pid, slot, dying) : Errno.ENOENT;
        }
    }

    protected override Errno NextKey(ReadOnlySpan<byte> key, Span<byte> nextKey)
    {
        lock (_lock)
        {
            List<int> pids = [.. _slots.Keys];
            var next = key.IsEmpty ? 0 : pids.IndexOf(MemoryMarshal.Read<int>(key)) + 1;
            return next < pids.Count && MemoryMarshal.TryWrite(nextKey, pids[next]) ? Errno.None : Errno.ENOENT;
        }
    }

    protected override long VisitValues(MapElemCallback callback, in MapCall caller)
    {
        List<(int Pid, ulong Value)> all;
        lock (_lock)
        {
            all = [.. _slots.Select(s => (s.Key, _values.AddressOf(s.Value)))];
        }

        var goneOn = all.TakeWhile(e => CallBack(callback, BitConverter.GetBytes(e.Pid), e.Value) == 0).Count();
        return Math.Min(goneOn + 1, all.Count);
    }

    private Errno Remove(int pid, int slot, DyingFields dying)
    {
        _slots.Remove(pid);
        dying.Recycle(_values, slot);
        _values.Return(slot);
        return Errno.None;
    }
}
