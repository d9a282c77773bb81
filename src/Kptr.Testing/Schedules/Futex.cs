using System.Runtime.InteropServices;

namespace Kptr.Testing.Schedules;

/// <summary>
/// Linux's way to wait for a word: one call each to wait and to wake, where a monitor's takes several.
/// </summary>
internal static unsafe partial class Futex
{
    private const int WaitPrivate = 128;
    private const int WakePrivate = 129;
    private static readonly nint s_number = !OperatingSystem.IsLinux() ? 0
        : RuntimeInformation.ProcessArchitecture switch
        {
            Architecture.X64 => 202,
            Architecture.Arm64 => 98,
            _ => 0,
        };

    /// <summary>Whether this system has it.</summary>
    internal static bool IsThere { get; } = Try();

    /// <summary>Waits until woken, if the word still is so; may come back for no reason.</summary>
    internal static void Wait(int* word, int value) => _ = Call(s_number, word, WaitPrivate, value, 0, 0, 0);

    /// <summary>Wakes one who waits for the word.</summary>
    internal static void Wake(int* word) => _ = Call(s_number, word, WakePrivate, 1, 0, 0, 0);

    private static bool Try()
    {
        var word = 0;
        try
        {
            return s_number > 0 && Call(s_number, &word, WakePrivate, 1, 0, 0, 0) == 0;
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            return false;
        }
    }

    [LibraryImport("libc", EntryPoint = "syscall")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial nint Call(
        nint number, int* word, nint operation, nint value, nint timeout, nint otherWord, nint otherValue);
}
