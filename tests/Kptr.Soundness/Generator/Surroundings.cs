namespace Kptr.Soundness;

/// <summary>What surrounds the place that is being written: it decides what may stand there.</summary>
/// <param name="section">The section of the program, which says its kind.</param>
internal sealed class Surroundings(string section)
{
    public string Section => section;

    public bool IsLocked { get; set; }

    public bool IsInRcu { get; set; }

    /// <summary>Sections that are open: RCU, preemption.</summary>
    public int Sections { get; set; }

    /// <summary>References that must be given back.</summary>
    public int Owned { get; set; }

    /// <summary>Callbacks that the place is in.</summary>
    public int Callbacks { get; set; }

    public bool IsTracing => section.Contains('/', StringComparison.Ordinal)
        && !section.StartsWith("cgroup", StringComparison.Ordinal);
}
