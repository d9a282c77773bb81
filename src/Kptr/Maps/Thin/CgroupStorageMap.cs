using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary>
/// <c>BPF_MAP_TYPE_CGROUP_STORAGE</c> and <c>PERCPU_CGROUP_STORAGE</c>: one value for each cgroup that a program is
/// attached to.
/// </summary>
/// <remarks>
/// Programs are not attached to cgroups here, so user space finds no value. A test run has one of its own, zeroed,
/// which ends with the run, as <c>bpf_test_run</c> has it. Kernel: <c>kernel/bpf/local_storage.c</c> (6.12).
/// </remarks>
internal sealed class CgroupStorageMap : KeylessMap
{
    /// <summary>Makes the map.</summary>
    /// <exception cref="MapCreateException">The kernel refuses the blueprint.</exception>
    public CgroupStorageMap(KernelCore core, MapSpec spec)
        : base(core, MapRules.Admit(core, spec, BpfMapType.CgroupStorage, BpfMapType.PercpuCgroupStorage))
    {
    }

    /// <inheritdoc/>
    protected override Errno UpdateValue(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller) =>
        (flags & ~(MapUpdateFlags.Exist | MapUpdateFlags.Lock)) != 0 ? Errno.EINVAL : Errno.ENOENT;

    /// <inheritdoc/>
    protected override Errno DeleteValue(ReadOnlySpan<byte> key, in MapCall caller) => Errno.EINVAL;

    /// <inheritdoc/>
    protected override Errno NextKey(ReadOnlySpan<byte> key, Span<byte> nextKey) => Errno.ENOENT;
}
