using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Testing.Tests.Forms;

/// <summary>Faults of queues and stacks.</summary>
public enum QueueFault
{
    None,
    LastFirst,
    LosesAtWrap,
    PeekTakes,
    PopKeeps,
    MakesRoomUnasked,
    DropsTheNewest,
    RefusesTooEarly,
    TakesUnknownFlags,
    WritesBeforeRefusing,
    LeavesBufferDirty,
    CountsOutsideLock,
    ReadsOutsideLock,
    UserSeesOtherEnd,
    AnswersENospc,
}

/// <summary>A ring of values under a lock, as a queue or a stack.</summary>
public sealed class PlainQueue : BpfMap
{
    // Races are held open for so long.
    private static readonly TimeSpan RaceWindow = TimeSpan.FromMilliseconds(1);
    private readonly ManualResetEventSlim _never = new();
    private readonly Lock _lock = new();
    private readonly byte[][] _ring;
    private readonly QueueFault _fault;
    private readonly bool _isStack;
    private int _head;
    private int _count;

    public PlainQueue(KernelCore core, bool isStack, QueueFault fault)
        : base(core, new("ring", isStack ? BpfMapType.Stack : BpfMapType.Queue) { ValueSize = 12, MaxEntries = 4 })
    {
        (_isStack, _fault) = (isStack, fault);
        _ring = [.. Enumerable.Range(0, 4).Select(_ => new byte[12])];
    }

    public override MapCensus TakeCensus() => new(0, 0, 0);

    protected override void OnFree() => _never.Dispose();

    protected override bool TryGetKey(ValuePool pool, int slot, Span<byte> key) => false;

    protected override ulong FindValue(ReadOnlySpan<byte> key, in MapCall caller) => 0;

    protected override Errno DeleteValue(ReadOnlySpan<byte> key, in MapCall caller) => Errno.EINVAL;

    // User space comes by keys of no bytes.
    protected override Errno UpdateValue(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller) =>
        PushValue(value, flags);

    protected override Errno ReadValue(
        ReadOnlySpan<byte> key, Span<byte> value, MapUpdateFlags flags, in MapCall caller) => PeekValue(value);

    protected override Errno TakeValue(
        ReadOnlySpan<byte> key, Span<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        lock (_lock)
        {
            return Get(value, removes: true, isStack: _fault == QueueFault.UserSeesOtherEnd ? !_isStack : _isStack);
        }
    }

    protected override Errno PushValue(ReadOnlySpan<byte> value, MapUpdateFlags flags)
    {
        if (flags is not (MapUpdateFlags.Any or MapUpdateFlags.Exist) && _fault != QueueFault.TakesUnknownFlags)
        {
            return Errno.EINVAL;
        }

        if (_fault == QueueFault.CountsOutsideLock && _count < _ring.Length)
        {
            _never.Wait(RaceWindow);
            lock (_lock)
            {
                Put(value);
                return Errno.None;
            }
        }

        lock (_lock)
        {
            var room = _ring.Length - (_fault == QueueFault.RefusesTooEarly ? 1 : 0);
            if (_count >= room)
            {
                if (_fault == QueueFault.WritesBeforeRefusing)
                {
                    value[..ValueSize].CopyTo(_ring[_head]);
                }

                if (flags != MapUpdateFlags.Exist && _fault != QueueFault.MakesRoomUnasked)
                {
                    return _fault == QueueFault.AnswersENospc ? Errno.ENOSPC : Errno.E2BIG;
                }

                if (_fault == QueueFault.DropsTheNewest)
                {
                    _count--;
                }
                else
                {
                    DropOldest();
                }
            }

            Put(value);
            return Errno.None;
        }
    }

    protected override Errno PopValue(Span<byte> value)
    {
        if (_fault == QueueFault.ReadsOutsideLock)
        {
            var err = PeekValue(value);
            _never.Wait(RaceWindow);
            lock (_lock)
            {
                return err == Errno.None && _count > 0 ? Get(new byte[ValueSize], removes: true, _isStack) : err;
            }
        }

        lock (_lock)
        {
            return Get(value, removes: _fault != QueueFault.PopKeeps, _isStack);
        }
    }

    protected override Errno PeekValue(Span<byte> value)
    {
        lock (_lock)
        {
            return Get(value, removes: _fault == QueueFault.PeekTakes, _isStack);
        }
    }

    private void Put(ReadOnlySpan<byte> value)
    {
        var at = (_head + _count) % _ring.Length;
        value[..ValueSize].CopyTo(_ring[at]);
        _count = Math.Min(_count + 1, _ring.Length);
        if (_fault == QueueFault.LosesAtWrap && at == 0 && _count == _ring.Length)
        {
            _count--;
        }
    }

    private void DropOldest()
    {
        _head = (_head + 1) % _ring.Length;
        _count--;
    }

    private Errno Get(Span<byte> value, bool removes, bool isStack)
    {
        if (_count == 0)
        {
            if (_fault != QueueFault.LeavesBufferDirty)
            {
                value[..ValueSize].Clear();
            }

            return Errno.ENOENT;
        }

        var isLast = isStack != (_fault == QueueFault.LastFirst);
        _ring[isLast ? (_head + _count - 1) % _ring.Length : _head].CopyTo(value);
        if (removes && isLast)
        {
            _count--;
        }
        else if (removes)
        {
            DropOldest();
        }

        return Errno.None;
    }
}
