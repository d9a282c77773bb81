namespace Kptr.Objects;

/// <summary>
/// Why the fast paths of references must leave the objects of a kernel to the slow ones; a word
/// at the start of each chunk.
/// </summary>
[Flags]
internal enum HeapWatch
{
    /// <summary>They need not.</summary>
    None = 0,

    /// <summary>The ledger follows references one by one.</summary>
    References = 1,

    /// <summary>
    /// Slots are checked: whether they are copies, and who looks at them (see <see cref="MisuseChecks"/>).
    /// </summary>
    Slots = 2,

    /// <summary>A plan may want an acquire to fail.</summary>
    Acquires = 4,
}
