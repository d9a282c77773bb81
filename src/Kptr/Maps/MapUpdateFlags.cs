namespace Kptr.Maps;

/// <summary>Flags of element operations, with the bits of <c>include/uapi/linux/bpf.h</c>.</summary>
[Flags]
public enum MapUpdateFlags : ulong
{
    /// <summary><c>BPF_ANY</c>: create the element or replace it.</summary>
    Any = 0,

    /// <summary><c>BPF_NOEXIST</c>: create only.</summary>
    NoExist = 1,

    /// <summary><c>BPF_EXIST</c>: replace only.</summary>
    Exist = 2,

    /// <summary><c>BPF_F_LOCK</c>: copy the value in place under the element's <c>bpf_spin_lock</c>.</summary>
    Lock = 4,

    /// <summary>
    /// <c>BPF_F_CPU</c> (7.0): one CPU's value of a per-CPU map, named by the upper 32 bits; see <see cref="MapCpu"/>.
    /// </summary>
    Cpu = 8,

    /// <summary><c>BPF_F_ALL_CPUS</c> (7.0): one value for all CPUs of a per-CPU map.</summary>
    AllCpus = 16,
}

/// <summary>Names a CPU in the flags of a system call.</summary>
public static class MapCpu
{
    private const int Shift = 32;

    /// <summary>
    /// <see cref="MapUpdateFlags.Cpu"/> with a CPU; the value is one of <see cref="BpfMap.ValueSize"/> bytes then.
    /// </summary>
    /// <param name="cpu">The CPU's id.</param>
    public static MapUpdateFlags Only(int cpu) => MapUpdateFlags.Cpu | (MapUpdateFlags)((ulong)(uint)cpu << Shift);

    internal static uint Of(MapUpdateFlags flags) => (uint)((ulong)flags >> Shift);
}
