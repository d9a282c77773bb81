using System.Collections.Immutable;

namespace Kptr.Objects;

/// <summary>References were not given back, or faults happened on the way.</summary>
public sealed class LedgerLeakException : Exception
{
    internal LedgerLeakException(ImmutableArray<LedgerEntry> leaks, IReadOnlyList<KernelFault> faults)
        : base(string.Join(Environment.NewLine, [.. leaks.Select(l => $"{l.Object} is held by {l}"), .. faults.Select(f => f.ToString())]))
    {
        Leaks = leaks;
        Faults = faults;
    }

    /// <summary>The references.</summary>
    public ImmutableArray<LedgerEntry> Leaks { get; }

    /// <summary>The faults.</summary>
    public IReadOnlyList<KernelFault> Faults { get; }
}
