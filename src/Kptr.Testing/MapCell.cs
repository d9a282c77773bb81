using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Testing;

/// <summary>One point of the table that a map's answers are held against.</summary>
/// <param name="Operation">What is done.</param>
/// <param name="Flags">With which flags.</param>
/// <param name="Fields">What the values hold; "Own" for those that the map was made with.</param>
/// <param name="From">Who does it, from where.</param>
/// <param name="Policy">Under which destroy policy: eager is Linux 6.12, recycle 7.2.</param>
public sealed record MapCell(string Operation, string Flags, string Fields, string From, DestroyBehavior Policy)
{
    /// <summary>Why there is no such case; null where there is one.</summary>
    public string? WhyNot { get; init; }

    /// <summary>Whether a map of the type is refused that has such values, with <c>-EOPNOTSUPP</c>.</summary>
    public bool IsRefused { get; init; }

    /// <summary>Whether it was carried out, and not only noted.</summary>
    public bool IsTried { get; init; }

    /// <summary>What the operation must answer.</summary>
    public Errno Errno { get; init; }

    /// <summary>
    /// References of the value that must be given back, before the map is freed; null where that is the map's business.
    /// </summary>
    public int? GivenBack { get; init; }

    /// <summary>Timers and work of the value that the operation must stop; null where that is not one number.</summary>
    public int? Stopped { get; init; }

    /// <summary>References that a full value owns.</summary>
    public int Owned { get; init; }

    /// <summary>The same of all CPUs together.</summary>
    public int OwnedByAllCpus { get; init; }

    /// <summary>Whether the value has a <c>bpf_spin_lock</c>.</summary>
    public bool HasLock { get; init; }
}
