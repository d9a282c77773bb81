using System.Collections.Concurrent;
using Kptr.Kfuncs;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Testing.Cells;
using Kptr.Testing.Scripts;

namespace Kptr.Testing;

/// <summary>Kernels in which nothing happens by itself.</summary>
internal static class Kernels
{
    private static readonly string[] KindsOfMaps = ["bpf_task_release", "bpf_cgroup_release", "bpf_cpumask_release"];
    private static readonly KfuncRegistry Counted = DestructorBook.Around(KfuncRegistry.Builtin, KindsOfMaps);

    private static readonly KfuncRegistry WithCells = CellProgram.AddTo(Counted);
    private static readonly ConcurrentDictionary<KernelProfile, KernelSpec> CellSpecs = new();

    /// <summary>A kernel whose destructors of the objects that scripts store write down their calls.</summary>
    internal static KernelModel Boot(DestroyBehavior policy) => Boot(BuiltinKernel.Spec(ProfileOf(policy)), Counted);

    /// <summary>
    /// The same, with two CPUs that are both there, and what the programs of the table of answers call.
    /// </summary>
    internal static KernelModel BootForCells(DestroyBehavior policy)
    {
        var profile = ProfileOf(policy);
        var spec = CellSpecs.GetOrAdd(profile, static p => BuiltinKernel.Spec(p, WithCells));
        return new(OptionsFor(spec, WithCells) with { CpuCount = Cell.CpuCount, PossibleCpus = [0, 1] });
    }

    /// <summary>The profile that stands for a policy.</summary>
    internal static KernelProfile ProfileOf(DestroyBehavior policy) =>
        policy == DestroyBehavior.Eager ? KernelProfile.Linux6_12 : KernelProfile.Linux7_2;

    internal static KernelModel Boot(KernelSpec kernel, KfuncRegistry? kfuncs = null) =>
        new(OptionsFor(kernel, kfuncs));

    private static KernelModelOptions OptionsFor(KernelSpec kernel, KfuncRegistry? kfuncs) => new()
    {
        Profile = kernel.Profile,
        Kernel = kernel,
        Kfuncs = kfuncs ?? KfuncRegistry.Builtin,
        Driver = DeferredDriver.Manual,
        Clock = new VirtualClock(),
        FaultPlan = new FaultPlan(),

        // With a hole: who takes ids for places finds none, or another CPU's.
        CpuCount = 3,
        PossibleCpus = [0, 2],
    };

    /// <summary>Objects for scripts to store: some of each kind, which the kernel itself keeps.</summary>
    internal static KernelObject[] Objects(KernelModel kernel) =>
    [
        .. Enumerable.Range(0, MapShape.ObjectCount).Select(i => kernel.Tasks.Fork(kernel.Tasks.Init, $"task {i}")),
        .. Enumerable.Range(0, MapShape.ObjectCount).Select(i => kernel.Cgroups.Create($"cgroup {i}")),
        .. Enumerable.Range(0, MapShape.ObjectCount).Select(_ => new Cpumask(kernel)),
    ];
}
