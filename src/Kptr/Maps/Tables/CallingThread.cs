using System.Runtime.CompilerServices;

namespace Kptr.Maps;

/// <summary>Who calls.</summary>
internal static class CallingThread
{
    /// <summary>The calling thread's number; never 0 or less.</summary>
    /// <remarks>Costs a call into the runtime, so ask once an operation.</remarks>
    internal static int Id
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Environment.CurrentManagedThreadId;
    }
}
