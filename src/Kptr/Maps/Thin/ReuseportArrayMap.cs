using System.Buffers.Binary;
using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary><c>BPF_MAP_TYPE_REUSEPORT_SOCKARRAY</c>: sockets of one reuseport group, by index.</summary>
/// <remarks>
/// The model's sockets are in no such group, so none can be put in: every index is empty. Kernel:
/// <c>kernel/bpf/reuseport_array.c</c> (6.12).
/// </remarks>
internal sealed class ReuseportArrayMap : ObjectArray
{
    /// <summary>Makes the array.</summary>
    /// <exception cref="MapCreateException">The kernel refuses the blueprint.</exception>
    public ReuseportArrayMap(KernelCore core, MapSpec spec)
        : base(core, MapRules.Admit(core, spec, BpfMapType.ReuseportSockarray))
    {
    }

    /// <inheritdoc/>
    protected override Errno ReadValue(
        ReadOnlySpan<byte> key, Span<byte> value, MapUpdateFlags flags, in MapCall caller) =>
        ValueSize != sizeof(ulong) ? Errno.ENOSPC : Errno.ENOENT;

    /// <inheritdoc/>
    protected override Errno UpdateValue(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller) =>
            flags > MapUpdateFlags.Exist || !caller.IsUserSpace ? Errno.EINVAL
            : ArrayKeys.IndexOf(key) >= MaxEntries ? Errno.E2BIG
            : value.Length == sizeof(ulong) && BinaryPrimitives.ReadInt64LittleEndian(value) is < 0 or > int.MaxValue
                ? Errno.EINVAL : Errno.EBADF;
}
