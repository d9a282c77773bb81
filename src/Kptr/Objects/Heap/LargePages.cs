using System.Runtime.InteropServices;
using System.Runtime.Versioning;

namespace Kptr.Objects;

/// <summary>Native memory in large pages, where the system has them for the asking.</summary>
/// <remarks>
/// A hash of a million elements touches two cache lines an operation and, in 4 KiB pages, misses the address cache on
/// both. Only memory that its owner uses from end to end should ask: a large page is there whole or not at all.
/// </remarks>
internal static unsafe partial class LargePages
{
    /// <summary>Smaller allocations do not ask.</summary>
    internal const long SizeBytesMin = 2 * PageBytes;

    private const int PageBytes = 2 << 20;
    private const int MadvHugepage = 14;

    /// <summary>The alignment with which memory of this size can be in large pages whole.</summary>
    /// <param name="sizeBytes">Its size.</param>
    /// <param name="atLeast">The alignment it needs anyway.</param>
    internal static nuint AlignmentOf(long sizeBytes, int atLeast) =>
        (nuint)(OperatingSystem.IsLinux() && sizeBytes >= SizeBytesMin ? Math.Max(atLeast, PageBytes) : atLeast);

    /// <summary>Asks for large pages under memory that nobody touched yet. Nothing depends on the answer.</summary>
    internal static void Ask(void* memory, long sizeBytes)
    {
        if (OperatingSystem.IsLinux() && sizeBytes >= SizeBytesMin)
        {
            AskLinux(memory, sizeBytes);
        }
    }

    [SupportedOSPlatform("linux")]
    private static void AskLinux(void* memory, long sizeBytes)
    {
        try
        {
            _ = MAdvise(memory, (nuint)sizeBytes, MadvHugepage);
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            // A C library of another name: small pages, then.
        }
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int MAdvise(void* memory, nuint sizeBytes, int advice);
}
