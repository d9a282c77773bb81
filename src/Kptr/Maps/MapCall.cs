namespace Kptr.Maps;

/// <summary>Who calls a map operation, and on which CPU.</summary>
/// <param name="Cpu">The CPU the caller runs on; per-CPU values and spare elements are chosen by it.</param>
/// <param name="IsUserSpace">
/// True for the <c>bpf()</c> system call: per-CPU values then come and go for all CPUs at once.
/// </param>
public readonly record struct MapCall(int Cpu, bool IsUserSpace)
{
    /// <summary>A system call made on a CPU.</summary>
    public static MapCall User(int cpu = 0) => new(cpu, true);

    /// <summary>A helper called by a program on a CPU.</summary>
    public static MapCall Program(int cpu = 0) => new(cpu, false);
}
