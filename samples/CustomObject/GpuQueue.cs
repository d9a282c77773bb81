using Kptr.Kfuncs;
using Kptr.Objects;
using Kptr.Specs;

namespace CustomObject;

/// <summary>A kernel object of our own: its C type, where its count is, its destructor.</summary>
public sealed class GpuQueue(KernelCore kernel, uint owner) : KernelObject(kernel, "gpu_queue", "usage.refs.counter")
{
    public const string Declaration = "struct gpu_queue { u32 owner; refcount_t usage; };";

    public override string ToString() => $"gpu_queue of pid {owner}";

    protected override void OnFree() => Console.WriteLine($"   destructor: {this}");

    [Kfunc("gpu_queue_open", KfuncFlags.Acquire | KfuncFlags.RetNull,
        Prototype = "struct gpu_queue *gpu_queue_open(u32 owner)")]
    public static KernelRef<GpuQueue> Open(KernelCore kernel, uint owner) => KernelRef.Own(new GpuQueue(kernel, owner));

    [Kfunc("gpu_queue_get", KfuncFlags.Acquire | KfuncFlags.RetNull | KfuncFlags.Rcu,
        Prototype = "struct gpu_queue *gpu_queue_get(struct gpu_queue *queue)")]
    public static KernelRef<GpuQueue>? Get(GpuQueue queue) => queue.TryAcquire();

    [Kfunc("gpu_queue_put", KfuncFlags.Release, DestructorOf = "gpu_queue",
        Prototype = "void gpu_queue_put(struct gpu_queue *queue)")]
    public static void Put(KernelRef<GpuQueue> queue) => queue.Release();
}
