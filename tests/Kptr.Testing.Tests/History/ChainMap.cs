using System.Runtime.InteropServices;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Testing.Tests.History;

/// <summary>A value of a hash, with a lock.</summary>
public struct LockedValue
{
    public ulong First;
    public Kptr<TaskStruct> Task;
    public BpfSpinLock Lock;
    public int Middle;
    public Kptr<Cgroup> Cgroup;
    public ulong Last;
}

/// <summary>
/// A hash built as Linux's are: buckets with chains, a spare slot for replacing, an order of use for LRU maps. It is
/// written without regard to the checks, and Linux's old bugs are planted in it.
/// </summary>
public sealed partial class ChainMap : BpfMap
{
    private const int End = -1;
    private const int PausedOneIn = 8;
    private static readonly TimeSpan RaceWindow = TimeSpan.FromMilliseconds(1);
    private readonly Lock _lock = new();
    private readonly ManualResetEventSlim _never = new();
    private readonly LinkedList<int> _order = new();
    private readonly ValuePool _pool;
    private readonly int[] _next;
    private readonly int[] _keys;
    private readonly OldBug _bug;
    private int[] _heads = [End, End];
    private int _count;
    private int _pauses;

    public ChainMap(KernelCore core, MapSpec spec, OldBug bug = OldBug.None)
        : base(core, spec)
    {
        _bug = bug;
        _pool = CreatePool((int)spec.MaxEntries + 1);
        _next = new int[_pool.SlotCount];
        _keys = new int[_pool.SlotCount];
    }

    private bool IsLru => Type is BpfMapType.LruHash or BpfMapType.LruPercpuHash;

    protected override MapBatchOps BatchOps => MapBatchOps.All;

    protected override bool TryGetKey(ValuePool pool, int slot, Span<byte> key)
    {
        MemoryMarshal.Write(key, _keys[slot]);
        lock (_lock)
        {
            return Find(_keys[slot]) == slot;
        }
    }

    protected override ulong FindValue(ReadOnlySpan<byte> key, in MapCall caller)
    {
        var number = NumberOf(key);
        if (_bug is OldBug.KeyMissingWhileReplaced or OldBug.LinkedBeforeWritten)
        {
            return AddressOf(Find(number), caller);
        }

        lock (_lock)
        {
            return AddressOf(Find(number), caller);
        }
    }

    protected override Errno ReadValue(
        ReadOnlySpan<byte> key, Span<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        if (_bug is OldBug.CopiedWithoutLock or OldBug.KeyMissingWhileReplaced or OldBug.LinkedBeforeWritten)
        {
            var found = Find(NumberOf(key));
            Pause();
            return found == End ? Errno.ENOENT : Show(value, found, flags, caller);
        }

        lock (_lock)
        {
            var slot = Find(NumberOf(key));
            return slot == End ? Errno.ENOENT : Show(value, slot, flags, caller);
        }
    }

    protected override Errno TakeValue(
        ReadOnlySpan<byte> key, Span<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        using var dying = new DyingFields(this, DeathPath.LookupAndDelete);
        lock (_lock)
        {
            var slot = Find(NumberOf(key));
            if (slot == End)
            {
                return Errno.ENOENT;
            }

            if (_bug == OldBug.TakeReadsTooLate)
            {
                ZeroPlain(_pool.AddressOf(slot));
            }

            _ = Show(value, slot, flags, caller);
            Unlink(slot);
            if (_bug == OldBug.PercpuTakeForgetsOthers)
            {
                dying.Recycle(_pool.AddressOf(slot, caller.Cpu));
            }
            else if (_bug != OldBug.TakeForgetsFields)
            {
                dying.Recycle(_pool, slot);
            }

            _pool.Return(slot);
            return Errno.None;
        }
    }

    protected override Errno DeleteValue(ReadOnlySpan<byte> key, in MapCall caller)
    {
        using var dying = new DyingFields(this, DeathPath.Delete);
        var number = NumberOf(key);
        var early = _bug == OldBug.DeleteFoundOutsideLock ? FindLocked(number) : End;
        if (early != End)
        {
            Pause();
        }

        lock (_lock)
        {
            var slot = early == End ? Find(number) : early;
            if (slot == End)
            {
                return Errno.ENOENT;
            }

            Unlink(slot, _bug == OldBug.DeletedStaysInOrder);
            using var inside = new DyingFields(this, DeathPath.Delete);
            if (_bug == OldBug.PercpuDeleteEndsOne)
            {
                dying.Recycle(_pool.AddressOf(slot));
            }
            else
            {
                (_bug == OldBug.DestroysUnderLock ? inside : dying).Recycle(_pool, slot);
            }

            _pool.Return(slot);
            return Errno.None;
        }
    }

    protected override Errno NextKey(ReadOnlySpan<byte> key, Span<byte> nextKey)
    {
        lock (_lock)
        {
            var all = Slots();
            var at = key.IsEmpty ? -1 : all.IndexOf(Find(NumberOf(key)));
            var next = at + 1;
            if (!key.IsEmpty && at < 0 && _bug == OldBug.WalkSkipsFromMissing)
            {
                next = 1;
            }

            if (next >= all.Count && all.Count > 0 && _bug == OldBug.WalkNeverEnds)
            {
                next = 0;
            }

            return next < all.Count && MemoryMarshal.TryWrite(nextKey, _keys[all[next]]) ? Errno.None : Errno.ENOENT;
        }
    }

    protected override long VisitValues(MapElemCallback callback, in MapCall caller)
    {
        var visited = 0L;
        for (var bucket = 0; bucket < _heads.Length; bucket++)
        {
            if (_bug == OldBug.VisitEndsAtEmptyBucket && _heads[bucket] == End)
            {
                break;
            }

            List<int> chain;
            lock (_lock)
            {
                chain = Chain(bucket);
            }

            foreach (var slot in chain)
            {
                visited++;
                if (CallBack(callback, BitConverter.GetBytes(_keys[slot]), _pool.AddressOf(slot, CpuOf(caller))) != 0)
                {
                    return visited;
                }

                if (_bug == OldBug.VisitFollowsDeleted && FindLocked(_keys[slot]) != slot)
                {
                    break;
                }
            }
        }

        return visited - (_bug == OldBug.VisitMiscounts && visited > 0 ? 1 : 0);
    }

    private Errno Show(Span<byte> value, int slot, MapUpdateFlags flags, in MapCall caller)
    {
        if (_bug == OldBug.PercpuReadsOne)
        {
            for (var at = 0; at < value.Length; at += value.Length / Core.Options.PossibleCpus.Count)
            {
                CopyOut(value[at..], _pool.AddressOf(slot, caller.Cpu));
            }
        }
        else
        {
            ReadValue(value, _pool, slot, flags, caller);
        }

        return Errno.None;
    }

    private ulong AddressOf(int slot, in MapCall caller) => slot == End ? 0 : _pool.AddressOf(slot, CpuOf(caller));

    private int CpuOf(in MapCall caller) => IsPerCpu ? caller.Cpu : 0;

    // Races are held open for so long, now and then: machines are busy, and threads rarely meet where they could.
    private void Pause()
    {
        if (Interlocked.Increment(ref _pauses) % PausedOneIn == 0)
        {
            _never.Wait(RaceWindow);
        }
    }
}
