using System.Buffers.Binary;
using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary>
/// <c>BPF_MAP_TYPE_CGROUP_ARRAY</c>: cgroups by index, for <c>bpf_current_task_under_cgroup</c>.
/// </summary>
/// <remarks>
/// Owns a reference on each cgroup, given back when the entry or the map goes. User space names a cgroup by its id
/// (Linux: a file descriptor) and cannot read entries back. Kernel: <c>kernel/bpf/arraymap.c</c> (6.12).
/// </remarks>
public sealed class CgroupArrayMap : ObjectArray
{
    /// <summary>Makes the array.</summary>
    /// <exception cref="MapCreateException">The kernel refuses the blueprint.</exception>
    public CgroupArrayMap(KernelCore core, MapSpec spec)
        : base(core, MapRules.Admit(core, spec, BpfMapType.CgroupArray))
    {
    }

    /// <summary>
    /// The cgroup at an index, or null. Use it inside an RCU reader; the array may let go of it at any time.
    /// </summary>
    public Cgroup? Lookup(uint index) => (ItemAt(index) as KernelRef<Cgroup>?)?.Target;

    /// <inheritdoc/>
    protected override Errno ReadValue(
        ReadOnlySpan<byte> key, Span<byte> value, MapUpdateFlags flags, in MapCall caller) =>
        Errno.ENOTSUPP;

    /// <inheritdoc/>
    protected override Errno UpdateValue(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        var index = ArrayKeys.IndexOf(key);
        if (flags != MapUpdateFlags.Any || !caller.IsUserSpace)
        {
            return Errno.EINVAL;
        }

        if (index >= MaxEntries)
        {
            return Errno.E2BIG;
        }

        using var reader = Core.Rcu.ReadLock();
        return Core.Cgroups.Find(BinaryPrimitives.ReadUInt32LittleEndian(value))?.TryAcquire() is { } cgroup
            ? Put(index, cgroup)
            : Errno.EBADF;
    }

    /// <inheritdoc/>
    protected override void OnFree()
    {
        for (uint index = 0; index < MaxEntries; index++)
        {
            Put(index, null);
        }
    }

    private protected override void LetGo(object? old) => (old as KernelRef<Cgroup>?)?.Release();

    private Errno Put(uint index, KernelRef<Cgroup>? cgroup)
    {
        var err = Exchange(index, cgroup, out var old);
        LetGo(old);
        return err;
    }
}
