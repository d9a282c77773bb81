using System.Runtime.InteropServices;

namespace Kptr.Testing.Tests.Schedules;

/// <summary>Small things that several threads use, each with one fault of its own.</summary>
public sealed class Racy
{
    private readonly object _first = new();
    private readonly object _second = new();
    private readonly Lock _lock = new();
    private readonly Stack<int> _free = new([1, 2, 3]);
    private readonly Dictionary<int, int> _slots = new() { [7] = 1 };
    private readonly Dictionary<int, int> _newSlots = [];
    private int _count;
    private int _spinLock;
    private bool _isWanted0;
    private bool _isWanted1;
    private bool _isIdle;
    private bool _isReady;
    private volatile bool _isReadyVolatile;
    private Entry? _entry;
    private readonly long[] _cells = new long[16];
    private readonly NativeCells _native = new();

    public int Count => _count;

    public IReadOnlyCollection<int> Free => _free;

    public void CountApart()
    {
        var count = _count;
        _count = count + 1;
    }

    public void CountAtOnce() => Interlocked.Increment(ref _count);

    public void CountUnderLock()
    {
        lock (_lock)
        {
            _count++;
        }
    }

    public void CountUnderMonitor()
    {
        lock (_first)
        {
            _count++;
        }
    }

    /// <summary>Nothing in it can be told from outside, but that it is held.</summary>
    public void HoldLock()
    {
        lock (_lock)
        {
        }
    }

    /// <summary>Who cannot have the lock at once does not count.</summary>
    public void CountIfFree()
    {
        if (_lock.TryEnter())
        {
            _count++;
            _lock.Exit();
        }
    }

    /// <summary>Each attempt at this lock writes to it.</summary>
    public void CountUnderSpinLock()
    {
        var spin = default(SpinWait);
        while (Interlocked.Exchange(ref _spinLock, 1) != 0)
        {
            spin.SpinOnce();
        }

        _count++;
        Volatile.Write(ref _spinLock, 0);
    }

    public void FirstThenSecond()
    {
        lock (_first)
        {
            lock (_second)
            {
                _count++;
            }
        }
    }

    public void SecondThenFirst()
    {
        lock (_second)
        {
            lock (_first)
            {
                _count++;
            }
        }
    }

    public void EnterByFlag(bool isFirst, bool isFenced)
    {
        if (isFirst)
        {
            Volatile.Write(ref _isWanted0, true);
        }
        else
        {
            Volatile.Write(ref _isWanted1, true);
        }

        if (isFenced)
        {
            Interlocked.MemoryBarrier();
        }

        if (isFirst ? Volatile.Read(ref _isWanted1) : Volatile.Read(ref _isWanted0))
        {
            return;
        }

        Interlocked.Increment(ref _count);
    }

    /// <summary>Moves the entry to the other generation; careless: it is in neither for a moment.</summary>
    public void Flip(bool isCareless)
    {
        if (isCareless)
        {
            lock (_lock)
            {
                _slots.Remove(7);
            }
        }

        lock (_lock)
        {
            _newSlots[7] = 1;
            _slots.Remove(7);
        }
    }

    public void Find()
    {
        lock (_lock)
        {
            if (!_slots.ContainsKey(7) && !_newSlots.ContainsKey(7))
            {
                throw new InvalidOperationException("the entry is lost");
            }
        }
    }

    public void DeleteTwice(bool isCareless)
    {
        if (isCareless)
        {
            int slot;
            lock (_lock)
            {
                if (!_slots.TryGetValue(7, out slot))
                {
                    return;
                }
            }

            lock (_lock)
            {
                _slots.Remove(7);
                _free.Push(10 + slot);
            }

            return;
        }

        lock (_lock)
        {
            if (_slots.Remove(7, out var slot))
            {
                _free.Push(10 + slot);
            }
        }
    }

    /// <summary>Writes an entry and then says that it is there; careless: with no word that keeps the two in order.
    /// </summary>
    public unsafe void Publish(PublishedBy how, bool isCareless)
    {
        switch (how)
        {
            case PublishedBy.Field:
            case PublishedBy.FieldBehindAVolatileOne:
                _count = 1;
                break;
            case PublishedBy.Element:
                _cells[0] = 1;
                break;
            case PublishedBy.Native:
                _native.First->Content = 1;
                break;
            case PublishedBy.Copy:
                new ReadOnlySpan<long>([1, 2, 3]).CopyTo(new(_native.First, 3));
                break;
            case PublishedBy.Reference:
                var entry = new Entry();
                entry.Content = 1;
                _entry = entry;     // .NET keeps this behind what the entry holds
                return;
        }

        if (!isCareless && how == PublishedBy.FieldBehindAVolatileOne)
        {
            _isReadyVolatile = true;
        }
        else if (!isCareless)
        {
            Volatile.Write(ref _isReady, true);
        }
        else if (how == PublishedBy.Native)
        {
            _native.First[1].Content = 1;
        }
        else
        {
            _isReady = true;
        }
    }

    public void Use(PublishedBy how)
    {
        if (IsReady(how) && Content(how) != 1)
        {
            throw new InvalidOperationException("the entry is empty");
        }
    }

    /// <summary>What is published, whether it is there or not.</summary>
    public unsafe long Content(PublishedBy how) => how switch
    {
        PublishedBy.Reference => Volatile.Read(ref _entry)?.Content ?? 1,
        PublishedBy.Field or PublishedBy.FieldBehindAVolatileOne => _count,
        PublishedBy.Element => _cells[0],
        _ => _native.First->Content,
    };

    private unsafe bool IsReady(PublishedBy how) => how switch
    {
        PublishedBy.Reference => true,
        PublishedBy.FieldBehindAVolatileOne => _isReadyVolatile || Volatile.Read(ref _isReady),
        _ => Volatile.Read(ref _isReady)
            || (how == PublishedBy.Native && Volatile.Read(ref _native.First[1].Content) != 0),
    };

    public void AwaitIdle(bool isCareless)
    {
        if (isCareless && _isIdle)
        {
            return;
        }

        lock (_first)
        {
            // Careless: whether it is idle was asked before the lock was taken.
            while (isCareless || !_isIdle)
            {
                Monitor.Wait(_first);
                isCareless = false;
            }
        }
    }

    public void BecomeIdle()
    {
        lock (_first)
        {
            _isIdle = true;
            Monitor.PulseAll(_first);
        }
    }

    public void AwaitSpinning()
    {
        var spin = default(SpinWait);
        while (!Volatile.Read(ref _isIdle))
        {
            spin.SpinOnce();
        }
    }

    public enum PublishedBy
    {
        Field, FieldBehindAVolatileOne, Element, Native, Copy, Reference,
    }

    private sealed class Entry
    {
        internal long Content;
    }

    private sealed unsafe class NativeCells
    {
        internal Cell* First { get; } = (Cell*)NativeMemory.AllocZeroed(16 * (nuint)sizeof(Cell));

        ~NativeCells() => NativeMemory.Free(First);
    }

    private struct Cell
    {
        internal long Content;
    }
}
