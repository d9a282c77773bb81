using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Tests.Objects;

namespace Kptr.Tests.Maps;

/// <summary>Kernels for the tests of this folder: no BTF, stepped by hand, of either destroy policy.</summary>
internal static class MapKernel
{
    internal static KernelCore Boot(
        DestroyBehavior behavior = DestroyBehavior.Eager, int cpuCount = 2, LedgerLevel level = LedgerLevel.Counts,
        FaultPlan? faults = null)
    {
        var profile = behavior == DestroyBehavior.Eager ? KernelProfile.Linux6_12 : KernelProfile.Linux7_2;
        return new(TestKernel.Spec with { Profile = profile },
            new() { CpuCount = cpuCount, LedgerLevel = level, Driver = DeferredDriver.Manual,
                FaultPlan = faults });
    }

    /// <summary>Frees a map and everything that waits for it.</summary>
    internal static void FreeNow(this BpfMap map)
    {
        map.Dispose();
        map.Core.Quiesce();
        map.IsFreed.Should().BeTrue();
    }
}

#pragma warning disable CS0649 // maps fill these structs, C# does not

/// <summary>A value of 24 bytes with one referenced kptr.</summary>
internal struct WidgetEntry
{
    public ulong Before;
    public Kptr<Widget> Slot;
    public ulong After;
}

/// <summary>A value of 24 plain bytes.</summary>
internal struct Plain24
{
    public ulong A;
    public ulong B;
    public ulong C;
}

/// <summary>A value with a lock.</summary>
internal struct LockedEntry
{
    public BpfSpinLock Lock;
    public int Number;
    public Kptr<Widget> Slot;
}
