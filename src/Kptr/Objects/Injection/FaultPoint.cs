namespace Kptr.Objects;

/// <summary>A place where a <see cref="FaultPlan"/> can make the modelled kernel fail.</summary>
/// <param name="Name">What plans call it, such as <c>alloc_elem</c>.</param>
/// <param name="What">What fails there, and what the caller gets.</param>
public sealed record FaultPoint(string Name, string What)
{
    /// <summary>
    /// <c>alloc_elem</c>: memory for an element of a map (<c>-ENOMEM</c>; <c>-E2BIG</c> where elements are preallocated
    /// or come from a <c>ValuePool</c>). The subject is the map's name.
    /// </summary>
    public static FaultPoint AllocElem { get; } = new("alloc_elem", "a map has no memory for an element");

    /// <summary>
    /// <c>alloc_object</c>: memory for an object that a kfunc makes. A kernel object of a user's own throws
    /// <see cref="OutOfMemoryException"/> from its constructor; the program's call gives null where the kfunc's flags
    /// allow it. The subject is the object's type.
    /// </summary>
    public static FaultPoint AllocObject { get; } = new("alloc_object", "a kfunc has no memory for an object");

    /// <summary>
    /// <c>alloc_map_memory</c>: what a map asks of the host beside its elements. It throws
    /// <see cref="OutOfMemoryException"/>, as the host does. The subject is the map's name.
    /// </summary>
    public static FaultPoint AllocMapMemory { get; } = new("alloc_map_memory", "the host has no memory for a map");

    /// <summary>
    /// <c>lock_bucket</c>: the lock of a hash's bucket is taken, as where an NMI interrupted its holder
    /// (<c>-EBUSY</c>). The subject is the map's name.
    /// </summary>
    public static FaultPoint LockBucket { get; } = new("lock_bucket", "a bucket's lock is busy");

    /// <summary>
    /// <c>acquire</c>: <see cref="KernelRef.TryAcquire"/> finds the count at zero and gives null
    /// (<c>refcount_inc_not_zero</c>). Kfuncs that never return null (no <c>KF_RET_NULL</c>) are spared: their caller
    /// has a reference. The subject is the object's type.
    /// </summary>
    public static FaultPoint Acquire { get; } = new("acquire", "an object's last reference has just gone");

    /// <summary>
    /// <c>saturate</c>: the count stands at its maximum when <see cref="KernelRef.TryAcquire"/> comes: it saturates,
    /// which is reported, and the object leaks. The subject is the object's type.
    /// </summary>
    public static FaultPoint Saturate { get; } = new("saturate", "an object's count is at its maximum");

    /// <summary>Those that every kernel has.</summary>
    internal static IEnumerable<FaultPoint> Common =>
        [AllocElem, AllocObject, AllocMapMemory, LockBucket, Acquire, Saturate];

    /// <summary>Name and what fails.</summary>
    public override string ToString() => $"{Name}: {What}";
}
