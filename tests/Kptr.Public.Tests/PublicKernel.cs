using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Public.Tests;

/// <summary>A kernel as a user of the package boots it.</summary>
internal static class PublicKernel
{
    internal static KernelModel Boot(
        DestroyBehavior policy = DestroyBehavior.Eager, VirtualClock? clock = null, int cpuCount = 2) =>
        new(new KernelModelOptions
        {
            Profile = policy == DestroyBehavior.Eager ? KernelProfile.Linux6_12 : KernelProfile.Linux7_2,
            Driver = DeferredDriver.Manual,
            Clock = clock ?? new VirtualClock(),
            CpuCount = cpuCount,
        });

    /// <summary>Frees a map and everything that waits for it.</summary>
    internal static void FreeNow(this BpfMap map)
    {
        map.Dispose();
        map.Core.Quiesce();
        map.IsFreed.Should().BeTrue();
    }
}
