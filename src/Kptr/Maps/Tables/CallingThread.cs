using System.Runtime.CompilerServices;

namespace Kptr.Maps;

/// <summary>Who calls.</summary>
internal static class CallingThread
{
    /// <summary>The calling thread's number; never 0 or less.</summary>
    /// <remarks>The same as <see cref="Environment.CurrentManagedThreadId"/>, which the runtime calls out for: 4 ns instead of 0.6.</remarks>
    internal static int Id
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Thread.CurrentThread.ManagedThreadId;
    }
}
