namespace Kptr.Testing;

/// <summary>In which order stores that stay in a store buffer (<see cref="InterleavingOptions.HeldStores"/>) reach
/// memory.</summary>
public enum MemoryOrder
{
    /// <summary>In the order of the program, as on x86.</summary>
    X86,

    /// <summary>
    /// As on ARM: a store may be seen before one that was made earlier, elsewhere, by the same thread. Not ahead of it
    /// are what <see cref="Volatile"/> writes and, as .NET promises, references; nor what atomics and locks do.
    /// </summary>
    Arm,
}
