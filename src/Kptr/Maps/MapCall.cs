namespace Kptr.Maps;

/// <summary>Who calls a map operation, and on which CPU.</summary>
/// <param name="Cpu">The CPU the caller runs on; spare elements are chosen by it.</param>
/// <param name="IsUserSpace">
/// True for the <c>bpf()</c> system call: per-CPU values then come and go for all CPUs at once.
/// </param>
public readonly record struct MapCall(int Cpu, bool IsUserSpace)
{
    private int NamedCpu { get; init; }

    internal MapCpus Cpus { get; private init; }

    /// <summary>Whose of an element's per-CPU values is meant: the one that flags name, else the caller's.</summary>
    public int ValueCpu => Cpus == MapCpus.One ? NamedCpu : Cpu;

    /// <summary>Whether the value that comes along is one CPU's, or one for all; else it has a part per CPU.</summary>
    internal bool HasOnePart => !IsUserSpace || Cpus != MapCpus.Parts;

    /// <summary>Whether the caller's value is for this CPU too.</summary>
    internal bool Writes(int cpu) => cpu == ValueCpu || (IsUserSpace && Cpus != MapCpus.One);

    /// <summary>A system call made on a CPU.</summary>
    public static MapCall User(int cpu = 0) => new(cpu, true);

    // A system call about one CPU's values (BPF_F_CPU), or with one value for those of all (BPF_F_ALL_CPUS).
    internal static MapCall UserFor(int cpu, int named) => new(cpu, true) { Cpus = MapCpus.One, NamedCpu = named };

    internal static MapCall UserForAll(int cpu) => new(cpu, true) { Cpus = MapCpus.Same };

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
