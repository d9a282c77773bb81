using System.Collections.Immutable;
using Kptr.Btf;

namespace Kptr.Specs;

/// <summary>
/// Blueprint of a kernel as the loader and the verifier see it: its types, its kfuncs, its version's rules.
/// </summary>
/// <param name="Profile">Its version's rules.</param>
/// <param name="Types">Its types.</param>
public sealed record KernelSpec(KernelProfile Profile, KernelTypes Types)
{
    /// <summary>Its version's rules.</summary>
    public KernelProfile Profile { get; init; } = Profile ?? throw new ArgumentNullException(nameof(Profile));

    /// <summary>Its types.</summary>
    public KernelTypes Types { get; init; } = Types ?? throw new ArgumentNullException(nameof(Types));

    /// <summary>The kfuncs this kernel has, by name.</summary>
    public ImmutableDictionary<string, KfuncSpec> Kfuncs { get; init; } = ImmutableDictionary<string, KfuncSpec>.Empty;

    /// <summary>
    /// Destructor whitelist: kernel struct name to the release kfunc that <c>__kptr</c> fields of it use
    /// (<c>task_struct</c> to <c>bpf_task_release</c>).
    /// </summary>
    public ImmutableDictionary<string, string> Dtors { get; init; } = ImmutableDictionary<string, string>.Empty;

    /// <summary>
    /// One more than the highest number a CPU can have (<c>nr_cpu_ids</c>), which bounds what
    /// <c>bpf_get_smp_processor_id</c> returns. The default is the most that a kernel can be built for: a program
    /// accepted with it loads on any machine.
    /// </summary>
    public int CpuIds { get; init; } = 8192;

    /// <summary>Map types that it has beside the kernel's.</summary>
    public ImmutableArray<MapTypeSpec> MapTypes { get; init; } = [];

    /// <summary>Version and types.</summary>
    public override string ToString() => $"{Profile.Name} ({Types}, {Kfuncs.Count} kfuncs)";

    /// <summary>
    /// The kernel's configuration, for <c>__kconfig</c> externs: <c>CONFIG_HZ</c> to <c>250</c>, booleans to <c>y</c>,
    /// strings with their quotes. What is not set is not in it.
    /// </summary>
    public ImmutableDictionary<string, string> Kconfig { get; init; } = KernelConfig.Default;
}
