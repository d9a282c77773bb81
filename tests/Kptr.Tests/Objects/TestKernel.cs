using Kptr.Btf;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Tests.Objects;

/// <summary>Kernels for the tests of this folder: no BTF at all, stepped by hand.</summary>
internal static class TestKernel
{
    private static readonly BtfSpec NoTypes = BtfSpec.Read(
        new byte[] { 0x9f, 0xeb, 1, 0, 24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0 }, "vmlinux");

    internal static KernelSpec Spec { get; } = new(KernelProfile.Linux6_12, new KernelTypes(NoTypes));

    internal static KernelCore Boot(
        LedgerLevel level = LedgerLevel.Counts, DeferredDriver driver = DeferredDriver.Manual,
        bool throwOnFault = false) =>
        new(Spec, new() { LedgerLevel = level, Driver = driver, ThrowOnFault = throwOnFault });
}

/// <summary>A kernel object of the tests' own.</summary>
internal sealed class Widget(KernelCore core) : KernelObject(core, "widget", "usage.refs.counter")
{
    internal int DestructorRuns;

    protected override void OnFree() => Interlocked.Increment(ref DestructorRuns);
}
