using System.Diagnostics;

namespace Kptr.Fuzz;

/// <summary>Something is wrong with Kptr: what an input shows.</summary>
internal sealed class Finding(string message) : Exception(message)
{
    /// <summary>The most that the reading of one input may allocate, in bytes.</summary>
    private const long AllocatedBytesMax = 256 << 20;

    /// <summary>The longest that one input may take; a loaded machine has to meet it too.</summary>
    private static readonly TimeSpan s_timeMax = TimeSpan.FromSeconds(20);

    /// <summary>Throws a finding unless <paramref name="holds"/>.</summary>
    internal static void Unless(bool holds, string message)
    {
        if (!holds)
        {
            throw new Finding(message);
        }
    }

    /// <summary>Runs a target on one input, in bounded time and memory.</summary>
    internal static bool Look(FuzzTarget target, byte[] input)
    {
        var bytesBefore = GC.GetAllocatedBytesForCurrentThread();
        var clock = Stopwatch.GetTimestamp();
        var isAccepted = target.Run(input);
        var bytes = GC.GetAllocatedBytesForCurrentThread() - bytesBefore;
        Unless(bytes < AllocatedBytesMax, $"{bytes} bytes allocated for an input of {input.Length}");
        Unless(Stopwatch.GetElapsedTime(clock) < s_timeMax,
            $"{Stopwatch.GetElapsedTime(clock)} for an input of {input.Length} bytes");
        return isAccepted;
    }
}
