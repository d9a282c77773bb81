namespace Kptr.KernelSelftests;

/// <summary>
/// Exceptions of single objects or programs: printed and counted, while the run goes on. Any
/// number of threads may report.
/// </summary>
public sealed class Failures(TextWriter? output = null)
{
    private readonly TextWriter _output = TextWriter.Synchronized(output ?? Console.Out);
    private int _count;

    /// <summary>How many there were.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>Does something for <paramref name="name"/>; an exception is its failure.</summary>
    public void Guard(string name, Action action)
    {
        ArgumentNullException.ThrowIfNull(action);
        try
        {
            action();
        }
#pragma warning disable CA1031 // whatever it is, it is said of this object, and the next one has its turn
        catch (Exception e)
#pragma warning restore CA1031
        {
            Add(name, e.ToString());
        }
    }

    /// <summary>Prints and counts one failure.</summary>
    public void Add(string name, string detail)
    {
        Interlocked.Increment(ref _count);
        _output.WriteLine($"FAILED {name}: {detail}");
    }
}
