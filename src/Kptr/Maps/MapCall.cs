namespace Kptr.Maps;

/// <summary>Who calls a map operation, and on which CPU.</summary>
/// <param name="Cpu">The CPU the caller runs on; per-CPU values and spare elements are chosen by it.</param>
/// <param name="IsUserSpace">
/// True for the <c>bpf()</c> system call: per-CPU values then come and go for all CPUs at once.
/// </param>
public readonly record struct MapCall(int Cpu, bool IsUserSpace)
{
    internal MapCpus Cpus { get; init; }

    /// <summary>Whether the value that comes along is one CPU's, or one for all; else it has a part per CPU.</summary>
    internal bool HasOnePart => !IsUserSpace || Cpus != MapCpus.Parts;

    /// <summary>Whether the caller's value is for this CPU too.</summary>
    internal bool Writes(int cpu) => cpu == Cpu || (IsUserSpace && Cpus != MapCpus.One);

    /// <summary>A system call made on a CPU.</summary>
    public static MapCall User(int cpu = 0) => new(cpu, true);

    /// <summary>A helper called by a program on a CPU.</summary>
    public static MapCall Program(int cpu = 0) => new(cpu, false);
}

/// <summary>Which CPUs a system call on a per-CPU map is about.</summary>
internal enum MapCpus
{
    /// <summary>All; the value has a part per CPU.</summary>
    Parts,

    /// <summary>The caller's only (<c>BPF_F_CPU</c>).</summary>
    One,

    /// <summary>All, with the same value (<c>BPF_F_ALL_CPUS</c>).</summary>
    Same,
}
