namespace Kptr.Testing.Schedules;

/// <summary>Lets one thread go on: given by one, taken by one.</summary>
/// <remarks>
/// A schedule hands over several times and does little between, so the taker looks for it a few times before it parks.
/// Where another core is free, the baton comes within these looks. Where none is, they only keep the giver from
/// running: they get fewer as they fail. To yield the core instead costs less than to park on an idle machine, and a
/// hundred times as much on a busy one, where others get the rest of the time slice.
/// </remarks>
internal sealed unsafe class Baton
{
    private const int LooksMax = 128;
    private const int LooksMin = 1;
    private const int TakesPerTry = 64;
    private const int Given = 1;
    private const int Parked = 2;

    // Two cache lines: what is looked at lies on none that another baton writes.
    private readonly int[] _words = GC.AllocateArray<int>(64, pinned: true);
    private readonly int* _state;
    private int _looks = LooksMin;
    private int _takes;

    internal Baton()
    {
        fixed (int* words = _words)
        {
            _state = words + 16;
        }
    }

    internal void Give()
    {
        if (Interlocked.Exchange(ref *_state, Given) != Parked)
        {
            return;
        }

        if (Futex.IsThere)
        {
            Futex.Wake(_state);
            return;
        }

        lock (_words)
        {
            Monitor.Pulse(_words);
        }
    }

    internal void Take()
    {
        if (!IsTakenSoon())
        {
            Park();
        }

        Volatile.Write(ref *_state, 0);
    }

    private bool IsTakenSoon()
    {
        // Now and then it is tried whether there is a free core again.
        var looks = ++_takes % TakesPerTry == 0 && Environment.ProcessorCount > 1 ? LooksMax : _looks;
        for (var i = 0; i < looks; i++)
        {
            if (Volatile.Read(ref *_state) == Given)
            {
                _looks = i == 0 ? _looks : Math.Min(LooksMax, 4 * i);
                return true;
            }

            Thread.SpinWait(1);
        }

        _looks = Math.Max(LooksMin, _looks / 2);
        return false;
    }

    private void Park()
    {
        if (Futex.IsThere)
        {
            while (Interlocked.CompareExchange(ref *_state, Parked, 0) != Given)
            {
                Futex.Wait(_state, Parked);
            }

            return;
        }

        lock (_words)
        {
            while (Interlocked.CompareExchange(ref *_state, Parked, 0) != Given)
            {
                Monitor.Wait(_words);
            }
        }
    }
}
