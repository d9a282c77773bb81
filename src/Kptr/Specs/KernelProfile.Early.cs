using System.Collections.Immutable;

namespace Kptr.Specs;

/// <content>Rules that kernels before 6.12 lack: on in every profile that does not say otherwise.</content>
public sealed partial record KernelProfile
{
    /// <summary>
    /// Whether pointers to kernel objects are trusted or not, and RCU-protected or not: since 6.2. Before, a pointer is
    /// as good as any other unless it came from a map without its reference.
    /// </summary>
    internal bool TracksTrust { get; init; } = true;

    /// <summary>
    /// Whether a kfunc's arguments are of kinds (dynptrs, objects, callbacks, lists): since 6.2. Before, they are
    /// compared with the prototype alone, and trusted means referenced.
    /// </summary>
    internal bool SortsKfuncArgs { get; init; } = true;

    /// <summary>
    /// Whether a referenced kptr loaded inside an RCU section can be used without taking it out: since 6.4. Before, it
    /// is untrusted as the others are.
    /// </summary>
    internal bool LoadsRcuKptrs { get; init; } = true;

    /// <summary>Whether reads through kernel pointers need a GPL-compatible license: since 6.2.</summary>
    internal bool ChecksTypedReadLicense { get; init; } = true;

    /// <summary>
    /// Whether a dynptr handed to a callback is known as one that may not be changed: since 6.2. Before, it is a
    /// pointer to a dynptr that helpers take as it is.
    /// </summary>
    internal bool TracksConstDynptrs { get; init; } = true;

    /// <summary>
    /// Whether functions that the kernel marks may have their return value changed, and sleepable programs: since 6.3.
    /// Before, it was those of error injection, which the kernels compared with do not have.
    /// </summary>
    internal bool HasModifiableFunctions { get; init; } = true;

    /// <summary>
    /// Whether callbacks are explored as called any number of times: since 6.7. Before, they are explored once, as if
    /// the helper were a call.
    /// </summary>
    internal bool UnrollsCallbacks { get; init; } = true;

    /// <summary>
    /// Whether it has the instructions of <c>-mcpu=v4</c> (sign extension, byte swaps, signed division, long jumps):
    /// since 6.6.
    /// </summary>
    internal bool HasV4Insns { get; init; } = true;

    /// <summary>Whether it has <c>may_goto</c>: since 6.9.</summary>
    internal bool HasMayGoto { get; init; } = true;

    /// <summary>
    /// Whether arguments of global functions may be tagged and dynptrs: since 6.8. Before, tags say nothing.
    /// </summary>
    internal bool HasArgTags { get; init; } = true;

    /// <summary>Whether it knows which arguments of tracepoints may be null: in 6.12, not in 6.1.</summary>
    internal bool KnowsNullTracepointArgs { get; init; } = true;

    /// <summary>
    /// Whether tracepoint and perf event programs may call the kfuncs of tracing programs: in 6.12, not in 6.1.
    /// </summary>
    internal bool TracepointsCallKfuncs { get; init; } = true;

    /// <summary>To how many bytes the stack of each function of a call chain is rounded up.</summary>
    internal int StackAlignBytes { get; init; } = 16;

    /// <summary>The newest program type that it has: types are numbered in the order they came.</summary>
    internal ProgType LastProgType { get; init; } = ProgType.Netfilter;

    /// <summary>Types of maps whose values may have kptrs.</summary>
    internal ImmutableArray<BpfMapType> MapsWithKptrs { get; init; } = MapBtfRules.KptrMaps;
}
