using System.Collections.Immutable;

namespace Kptr.Objects;

/// <summary>References were not given back, or faults happened on the way.</summary>
/// <remarks>
/// The message has a line for each leak, then one for each fault, and then, apart, what maps recycle.
/// </remarks>
public sealed class LedgerLeakException : Exception
{
    internal LedgerLeakException(
        ImmutableArray<LedgerEntry> leaks, ImmutableArray<LedgerEntry> recycled, IReadOnlyList<KernelFault> faults)
        : base(string.Join(Environment.NewLine, [
            .. leaks.Select(l => $"{l.Object} is held by {l}"),
            .. faults.Select(f => f.ToString()),
            .. LedgerFormat.Recycled(recycled)]))
    {
        Leaks = leaks;
        Recycled = recycled;
        Faults = faults;
    }

    /// <summary>The references; what maps recycle is not among them.</summary>
    public ImmutableArray<LedgerEntry> Leaks { get; }

    /// <summary>
    /// References that map memory without a key keeps by the rules of the kernel, and gives back with the map.
    /// For <see cref="Ledger.AssertNoLeaks"/> they are no reason to throw, for
    /// <see cref="Ledger.AssertAllReturned"/> they are.
    /// </summary>
    public ImmutableArray<LedgerEntry> Recycled { get; }

    /// <summary>The faults.</summary>
    public IReadOnlyList<KernelFault> Faults { get; }
}
