using System.Diagnostics;

namespace Kptr.Testing;

/// <summary>Sees whether a check still moves.</summary>
internal sealed class Watch
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);
    private long _beats;
    private List<string> _log = [];

    /// <summary>What was going on at the last beat.</summary>
    internal IReadOnlyList<string> Log => [.. Volatile.Read(ref _log)];

    internal void Beat(List<string> log)
    {
        Volatile.Write(ref _log, log);
        Interlocked.Increment(ref _beats);
    }

    /// <summary>Waits for a thread's end; false once it has not moved for so long.</summary>
    internal bool WaitFor(Thread thread, TimeSpan hangAfter)
    {
        var last = Interlocked.Read(ref _beats);
        var since = Stopwatch.StartNew();
        while (!thread.Join(Interval))
        {
            var now = Interlocked.Read(ref _beats);
            if (now != last)
            {
                last = now;
                since.Restart();
            }
            else if (since.Elapsed > hangAfter)
            {
                return false;
            }
        }

        return true;
    }
}
