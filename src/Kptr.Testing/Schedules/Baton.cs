namespace Kptr.Testing.Schedules;

/// <summary>Lets one thread go on: given by one, taken by one.</summary>
internal sealed class Baton
{
    private const int SpinsBeforeParking = 60;
    private readonly object _gate = new();
    private int _isGiven;
    private bool _isParked;

    internal void Give()
    {
        Interlocked.Exchange(ref _isGiven, 1);
        if (Volatile.Read(ref _isParked))
        {
            lock (_gate)
            {
                Monitor.Pulse(_gate);
            }
        }
    }

    internal void Take()
    {
        for (var i = 0; i < SpinsBeforeParking; i++)
        {
            if (Volatile.Read(ref _isGiven) != 0)
            {
                Volatile.Write(ref _isGiven, 0);
                return;
            }

            Thread.SpinWait(20);
        }

        lock (_gate)
        {
            Volatile.Write(ref _isParked, true);
            Interlocked.MemoryBarrier();
            while (Volatile.Read(ref _isGiven) == 0)
            {
                Monitor.Wait(_gate);
            }

            Volatile.Write(ref _isParked, false);
            Volatile.Write(ref _isGiven, 0);
        }
    }
}
