using System.Runtime.InteropServices;

namespace Kptr.KernelSelftests;

/// <summary>Tells how long the thread that asks has run: what others do on the machine does not count.</summary>
/// <remarks>Linux only.</remarks>
public sealed partial class ProcessorClock : TimeProvider
{
    private const int ThreadCpuTime = 3;
    private const long NsPerSecond = 1_000_000_000;

    public override long TimestampFrequency => NsPerSecond;

    public override long GetTimestamp() => ClockGetTime(ThreadCpuTime, out var now) == 0
        ? (now.Seconds * NsPerSecond) + now.Nanoseconds
        : throw new PlatformNotSupportedException("There is no clock of this thread.");

    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    private static partial int ClockGetTime(int clock, out TimeSpec now);

    private struct TimeSpec
    {
        public long Seconds;
        public long Nanoseconds;
    }
}
