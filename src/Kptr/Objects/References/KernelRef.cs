using System.Runtime.CompilerServices;

namespace Kptr.Objects;

/// <summary>How C# gets hold of references.</summary>
public static class KernelRef
{
    /// <summary>Takes one reference, unless the object's count has already reached zero.</summary>
    /// <param name="obj">The object; the caller must know it to be still there (a reference, or an RCU reader).</param>
    /// <param name="file">The caller's file; leave it to the compiler.</param>
    /// <param name="line">The caller's line; leave it to the compiler.</param>
    /// <returns>The owned reference, or null once the last user is gone.</returns>
    /// <typeparam name="T">The kind of object.</typeparam>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static KernelRef<T>? TryAcquire<T>(
        this T obj, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0)
        where T : KernelObject
    {
        ArgumentNullException.ThrowIfNull(obj);

        // Asked first: the locked instruction would hold the loads up, and without a token its tests fold away.
        var address = obj.Address;
        if (HeapChunk.IsAcquireWatched(address))
        {
            return TryAcquireSlow(obj, file, line);
        }

        return obj.TryAcquireCount() ? new(obj, null, address) : null;
    }

    /// <summary>Wraps a reference that is already counted, such as the first one of a new object.</summary>
    /// <param name="obj">The object whose count holds one for the caller.</param>
    /// <param name="file">The caller's file; leave it to the compiler.</param>
    /// <param name="line">The caller's line; leave it to the compiler.</param>
    /// <typeparam name="T">The kind of object.</typeparam>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static KernelRef<T> Own<T>(T obj, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0)
        where T : KernelObject
    {
        ArgumentNullException.ThrowIfNull(obj);
        obj.MarkBuilt();
        return new(obj, HeapChunk.IsFollowing(obj.Address) ? OwnSlow(obj, file, line) : null);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static KernelRef<T>? TryAcquireSlow<T>(T obj, string file, int line)
        where T : KernelObject =>
        obj.Core.Options.FaultPlan is { } plan && IsMadeToFail(plan, obj, file, line) ? null
        : obj.TryAcquireCount() ? new(obj, OwnSlow(obj, file, line))
        : null;

    private static bool IsMadeToFail(FaultPlan plan, KernelObject obj, string file, int line)
    {
        var site = obj.Core.SiteHere(file, line);
        if (obj.Core.Thread.CertainCalls == 0 && plan.Pass(FaultPoint.Acquire.Name, obj.TypeName, site))
        {
            return true;
        }

        if (plan.Pass(FaultPoint.Saturate.Name, obj.TypeName, site))
        {
            obj.FillCount();
        }

        return false;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static RefToken? OwnSlow(KernelObject obj, string file, int line)
    {
        obj.MarkBuilt();
        return obj.Ledger.OwnedByCSharp(obj, obj.Core.SiteHere(file, line));
    }
}
