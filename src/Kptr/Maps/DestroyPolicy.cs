using Kptr.Specs;

namespace Kptr.Maps;

/// <summary>Decides, for every map alike, what the end of a value does to its special fields.</summary>
/// <remarks>
/// Two of them, because Linux has two (see <see cref="DestroyBehavior"/>). Map code names the
/// <see cref="DeathPath"/> and never looks at the policy: the per-CPU hash of Linux leaked for two years because its
/// update path had its own opinion (6af6e49a76c9).
/// </remarks>
public sealed class DestroyPolicy
{
    private readonly DeathAction _onRecycle;
    private readonly Func<DeathPath, DeathAction?>? _override;

    private DestroyPolicy(DestroyBehavior behavior, DeathAction onRecycle)
    {
        Behavior = behavior;
        _onRecycle = onRecycle;
    }

    /// <summary>A policy with some decisions replaced: for experiments, and to prove that tests notice.</summary>
    /// <param name="basis">The policy to change.</param>
    /// <param name="change">The new decision for a path, or null to leave it.</param>
    internal DestroyPolicy(DestroyPolicy basis, Func<DeathPath, DeathAction?> change)
        : this(basis.Behavior, basis._onRecycle)
    {
        _override = change;
    }

    /// <summary>Update, delete and eviction destroy at once (Linux 5.19 to 7.1).</summary>
    public static DestroyPolicy Eager { get; } = new(DestroyBehavior.Eager, DeathAction.Destroy);

    /// <summary>
    /// They only cancel; kptrs ride along on the recycled memory (7.2 and stable trees with the same fix). What a
    /// deleted local storage holds stays in it until both RCU flavours have passed, and dies with its memory.
    /// </summary>
    public static DestroyPolicy Recycle { get; } = new(DestroyBehavior.Recycle, DeathAction.Cancel);

    /// <summary>Which of the two it is.</summary>
    public DestroyBehavior Behavior { get; }

    /// <summary>The policy of a kernel.</summary>
    public static DestroyPolicy Of(KernelProfile profile)
    {
        ArgumentNullException.ThrowIfNull(profile);
        return profile.Destroy == DestroyBehavior.Recycle ? Recycle : Eager;
    }

    /// <summary>What a path does to special fields.</summary>
    public DeathAction ActionOn(DeathPath path) => _override?.Invoke(path) ?? path switch
    {
        DeathPath.LockedUpdate => DeathAction.Keep,
        DeathPath.LastUserRef => DeathAction.Cancel,
        DeathPath.AllocatorRelease or DeathPath.MapFree => DeathAction.Destroy,
        DeathPath.OwnerExit => DeathAction.Destroy,
        _ => _onRecycle,
    };

    /// <summary>Its name.</summary>
    public override string ToString() => Behavior.ToString();

    /// <summary>Where Linux 6.12 runs the destructors of a path. The model itself never holds a lock then.</summary>
    /// <param name="path">The path.</param>
    /// <param name="type">The map's type.</param>
    /// <param name="isPreallocated">Whether the map's elements are preallocated.</param>
    public static DeathContext ContextOf(DeathPath path, BpfMapType type, bool isPreallocated) => path switch
    {
        DeathPath.Replace =>
            type == BpfMapType.Hash && isPreallocated ? DeathContext.UnderBucketLock : DeathContext.Caller,
        DeathPath.InPlaceUpdate => type is BpfMapType.PercpuHash or BpfMapType.LruPercpuHash
            ? DeathContext.UnderBucketLock
            : DeathContext.Caller,
        DeathPath.LookupAndDelete =>
            type is BpfMapType.Hash or BpfMapType.PercpuHash ? DeathContext.UnderBucketLock : DeathContext.Caller,
        DeathPath.Evict => DeathContext.UnderBucketLock,
        DeathPath.StorageDelete or DeathPath.OwnerExit => DeathContext.UnderStorageLock,
        DeathPath.MapFree => DeathContext.WorkQueue,
        DeathPath.AllocatorRelease => DeathContext.RcuCallback,
        _ => DeathContext.Caller,
    };
}
