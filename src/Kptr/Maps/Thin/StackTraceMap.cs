using System.Numerics;
using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary><c>BPF_MAP_TYPE_STACK_TRACE</c>: stacks by the number that <c>bpf_get_stackid</c> gave them.</summary>
/// <remarks>
/// The model's tasks run no code, so no stack is ever taken and the map stays empty. Kernel:
/// <c>kernel/bpf/stackmap.c</c> (6.12).
/// </remarks>
internal sealed class StackTraceMap : KeylessMap
{
    /// <summary>Makes the map.</summary>
    /// <exception cref="MapCreateException">The kernel refuses the blueprint.</exception>
    public StackTraceMap(KernelCore core, MapSpec spec)
        : base(core, MapRules.Admit(core, spec, BpfMapType.StackTrace))
    {
    }

    private uint BucketCount => BitOperations.RoundUpToPowerOf2(MaxEntries);

    /// <inheritdoc/>
    protected override Errno DeleteValue(ReadOnlySpan<byte> key, in MapCall caller) =>
        ArrayKeys.IndexOf(key) >= BucketCount ? Errno.E2BIG : Errno.ENOENT;

    /// <inheritdoc/>
    protected override Errno NextKey(ReadOnlySpan<byte> key, Span<byte> nextKey) => Errno.ENOENT;
}
