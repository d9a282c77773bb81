using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Kptr.Diagnostics;

/// <summary>
/// Checks that each thread takes our locks in the order of <see cref="LockRank"/> and calls nobody out under one.
/// </summary>
/// <remarks>
/// On where the switch <see cref="SwitchName"/> of the runtime configuration is true, as in all our tests;
/// elsewhere the JIT drops the checks, because <see cref="IsChecked"/> never changes. What is held is noted per
/// thread for all kernels together.
/// </remarks>
internal static class LockOrder
{
    /// <summary>Name of the switch.</summary>
    internal const string SwitchName = "Kptr.IsLockOrderChecked";

    /// <summary>Whether the order is checked in this process.</summary>
    [FeatureSwitchDefinition(SwitchName)]
    internal static bool IsChecked { get; } = AppContext.TryGetSwitch(SwitchName, out var isOn) && isOn;

    /// <summary>This thread is about to take a lock.</summary>
    /// <exception cref="InvariantException">It holds one that comes later in the order, or the same.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Entering(LockRank rank)
    {
        if (IsChecked)
        {
            HeldLocks.OfThisThread.Add(rank);
        }
    }

    /// <summary>This thread has given a lock back.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Left(LockRank rank)
    {
        if (IsChecked)
        {
            HeldLocks.OfThisThread.Remove(rank);
        }
    }

    /// <summary>Code that is not ours to vouch for runs next: a user's, a derived map's, a program's.</summary>
    /// <param name="what">What is called, for the message.</param>
    /// <exception cref="InvariantException">This thread holds a lock of ours.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void CallingOut(string what)
    {
        if (IsChecked)
        {
            HeldLocks.OfThisThread.RequireNone(what);
        }
    }
}
