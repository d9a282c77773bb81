namespace Kptr.Objects;

/// <summary>
/// Which mistakes of C# code a kernel looks for at some cost; each is reported as a
/// <see cref="KernelFault"/> when it happens.
/// </summary>
/// <remarks>
/// What costs nothing is always looked for: reads and writes of a freed object, a <see cref="KernelRef{T}"/> used when
/// its object's count is zero, a count that is given back too often. What the others cost stands in
/// <c>tests/Kptr.Benchmarks/BASELINE.md</c>.
/// </remarks>
[Flags]
public enum MisuseChecks
{
    /// <summary>Nothing that costs time.</summary>
    None = 0,

    /// <summary>
    /// <see cref="Kptr{T}.Peek"/> outside an RCU reader: the object may be freed while the caller looks.
    /// </summary>
    Readers = 1,

    /// <summary>
    /// A <see cref="Kptr{T}"/> that lies in no memory of its kernel, because the value it is in was copied; and a
    /// reference that is put into a slot after the last release.
    /// </summary>
    Slots = 2,

    /// <summary>
    /// A <c>ref</c> to a value of a map that can delete it, taken outside readers of both RCU flavours: the memory
    /// may get another key's value.
    /// </summary>
    Values = 4,

    /// <summary>
    /// Each <see cref="KernelRef{T}"/> is told from others on the same object, as at <see cref="LedgerLevel.Sites"/>: a
    /// second release, a use after a move, through any copy of the struct, and one that nobody released.
    /// </summary>
    References = 8,

    /// <summary>What is cheap: <see cref="Readers"/> and <see cref="Slots"/>.</summary>
    Default = Readers | Slots,

    /// <summary>Everything.</summary>
    All = Readers | Slots | Values | References,
}
