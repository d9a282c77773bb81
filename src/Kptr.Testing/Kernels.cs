using Kptr.Objects;
using Kptr.Specs;
using Kptr.Testing.Scripts;

namespace Kptr.Testing;

/// <summary>Kernels in which nothing happens by itself.</summary>
internal static class Kernels
{
    internal static KernelModel Boot(DestroyBehavior policy) => new(new KernelModelOptions
    {
        Profile = policy == DestroyBehavior.Eager ? KernelProfile.Linux6_12 : KernelProfile.Linux7_2,
        Driver = DeferredDriver.Manual,
        Clock = new VirtualClock(),
        FaultPlan = new FaultPlan(),
    });

    /// <summary>Objects for scripts to store: some of each kind, which the kernel itself keeps.</summary>
    internal static KernelObject[] Objects(KernelModel kernel) =>
    [
        .. Enumerable.Range(0, MapShape.ObjectCount).Select(i => kernel.Tasks.Fork(kernel.Tasks.Init, $"task {i}")),
        .. Enumerable.Range(0, MapShape.ObjectCount).Select(i => kernel.Cgroups.Create($"cgroup {i}")),
    ];
}
