using System.Runtime.CompilerServices;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Tests.Maps;

/// <summary>
/// A small map of each kind (array, hash, LRU, per-CPU, storage) for one thread, that can be given one of Linux's
/// bugs. Without one it is right.
/// </summary>
internal sealed class BuggyMap : BpfMap
{
    private readonly Dictionary<int, int> _slots = [];
    private readonly List<int> _order = [];
    private readonly ValuePool _values;
    private readonly Bug _bug;
    private long _deferred;
    private int _spare;
    private bool _isLocked;

    internal BuggyMap(KernelCore core, MapSpec spec, Bug bug)
        : base(core, spec)
    {
        _bug = bug;
        _values = CreatePool((int)Math.Max(8, spec.MaxEntries) + 1);
        _values.TryTake(out _spare);
    }

    private bool IsArray => Type is BpfMapType.Array or BpfMapType.PercpuArray;

    private bool IsLru => Type is BpfMapType.LruHash or BpfMapType.LruPercpuHash;

    public override MapCensus TakeCensus() =>
        new(_values.SlotCount, _slots.Count, _values.SlotCount - _values.LiveCount, 1, _deferred);

    /// <summary>An owner is copied; with the bug, its storage too.</summary>
    internal void Clone(int from, int to)
    {
        if (_bug == Bug.SharesOnClone && _slots.TryGetValue(from, out var slot))
        {
            _slots[to] = slot;
        }
    }

    protected internal override bool TryGetKey(ValuePool pool, int slot, Span<byte> key)
    {
        var found = _slots.Where(s => s.Value == slot).Select(s => (int?)s.Key).FirstOrDefault();
        BitConverter.TryWriteBytes(key, found ?? 0);
        return found is not null;
    }

    protected override ulong FindValue(ReadOnlySpan<byte> key, in MapCall caller)
    {
        CheckReader();
        var number = BitConverter.ToInt32(key);
        var slot = !IsArray ? _slots.GetValueOrDefault(number, -1) : (uint)number >= MaxEntries
            ? -1 : _bug == Bug.HasNoElementSize ? 0 : number;
        return slot < 0 ? 0 : _values.AddressOf(slot, caller.Cpu);
    }

    protected override Errno UpdateValue(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        CheckReader();
        var number = BitConverter.ToInt32(key);
        var dying = new DyingFields(this, IsPerCpu || IsArray ? DeathPath.InPlaceUpdate : DeathPath.Replace);
        Enter();
        var spare = _spare;
        var err = Upsert(number, value, caller, dying);
        Leave(dying);
        if (_bug == Bug.FreesFieldsOfTheSpare && spare != _spare)
        {
            FreeOneByOne(_spare);
        }

        dying.Dispose();
        return err;
    }

    protected override Errno DeleteValue(ReadOnlySpan<byte> key, in MapCall caller)
    {
        CheckReader();
        var number = BitConverter.ToInt32(key);
        var dying = new DyingFields(this, DeathPath.Delete);
        if (!_slots.TryGetValue(number, out var slot))
        {
            return Errno.ENOENT;
        }

        if (_bug == Bug.UnlinksLast)
        {
            dying.Recycle(_values, slot);
            dying.Dispose();
        }

        Enter();
        if (_slots.Remove(number))
        {
            _order.Remove(number);
            dying.Recycle(_values, slot);
            Retire(slot);
        }

        Leave(dying);
        dying.Dispose();
        return Errno.None;
    }

    protected override long VisitValues(MapElemCallback callback, in MapCall caller) => 0;

    protected override void ReleaseUserRef()
    {
        if (_bug == Bug.SleepsInReleaseUref)
        {
            Core.Rcu.Synchronize();
        }

        base.ReleaseUserRef();
    }

    private Errno Upsert(int number, ReadOnlySpan<byte> value, in MapCall caller, DyingFields dying)
    {
        if (IsArray && (uint)number >= MaxEntries)
        {
            return Errno.E2BIG;
        }

        if (IsArray || (IsPerCpu && _slots.ContainsKey(number)))
        {
            dying.Overwrite(_values, IsArray ? number : _slots[number], value, MapUpdateFlags.Any, caller);
            return Errno.None;
        }

        if (_slots.TryGetValue(number, out var old))
        {
            Init(_spare, value, caller);
            _slots[number] = _spare;
            _spare = old;
            if (_bug != Bug.FreesFieldsOfTheSpare)
            {
                dying.Recycle(_values, old);
            }

            return Errno.None;
        }

        return Insert(number, value, caller, dying);
    }

    private Errno Insert(int number, ReadOnlySpan<byte> value, in MapCall caller, DyingFields dying)
    {
        var isEvicted = IsLru && _slots.Count >= MaxEntries;
        int slot;
        if (isEvicted)
        {
            _slots.Remove(_order[0], out slot);
            _order.RemoveAt(0);
            dying.Recycle(_values, slot);
        }
        else if (!_values.TryTake(out slot))
        {
            return Errno.E2BIG;
        }

        if (Fails(FaultPoint.LockBucket))
        {
            if (_bug != (isEvicted ? Bug.LosesEvictedElement : Bug.LosesElementOnBusy))
            {
                _values.Return(slot);
            }

            return Errno.EBUSY;
        }

        Init(slot, value, caller);
        _slots[number] = slot;
        _order.Add(number);
        return Errno.None;
    }

    private void Init(int slot, ReadOnlySpan<byte> value, in MapCall caller)
    {
        if (_bug == Bug.LeavesOtherCpus && !caller.IsUserSpace)
        {
            CopyIn(_values.AddressOf(slot, caller.Cpu), value);
        }
        else if (_bug == Bug.IndexesByCpuId && caller.IsUserSpace)
        {
            foreach (var cpu in Core.PossibleCpus)
            {
                CopyIn(_values.AddressOf(slot, cpu), value[(cpu * ValueSize % value.Length)..]);
            }
        }
        else
        {
            InitValue(_values, slot, value, caller);
        }
    }

    private void Retire(int slot)
    {
        if (Type != BpfMapType.TaskStorage || _bug == Bug.ReusesUnderReaders)
        {
            _values.Return(slot);
            return;
        }

        _deferred++;
        Core.RcuTrace.Call(_ => Core.Rcu.Call(_ => ReturnLater(slot), this, "test"), this, "test");
    }

    private void ReturnLater(int slot)
    {
        if (IsFreed && _bug == Bug.CallsBackAfterFree)
        {
            throw new InvalidOperationException("the map was freed");
        }

        if (!IsFreed)
        {
            _deferred--;
            using var dying = new DyingFields(this, DeathPath.AllocatorRelease);
            dying.Recycle(_values, slot);
            _values.Return(slot);
        }
    }

    private unsafe void FreeOneByOne(int slot)
    {
        foreach (var field in Record.Fields.Where(f => f.Kind == BtfFieldKind.KptrRef))
        {
            Unsafe.AsRef<Kptr<KernelObject>>((void*)(_values.AddressOf(slot) + (ulong)field.OffsetBytes)).Exchange(null)
                ?.Release();
        }
    }

    private void CheckReader()
    {
        if (_bug == Bug.KnowsOneReaderFlavour && !Core.Rcu.IsReader)
        {
            Core.Report(new(DiagCode.WaitInsideReader, "no RCU reader"));
        }
    }

    private void Enter()
    {
        if (_isLocked)
        {
            throw new InvalidOperationException("waits for a lock that it holds itself");
        }

        _isLocked = true;
    }

    private void Leave(DyingFields dying)
    {
        try
        {
            if (_bug == Bug.DestroysUnderLock)
            {
                dying.Dispose();
            }
        }
        finally
        {
            _isLocked = false;
        }
    }
}
