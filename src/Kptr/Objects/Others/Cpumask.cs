namespace Kptr.Objects;

/// <summary>A <c>struct bpf_cpumask</c>: a counted set of CPUs that programs may change.</summary>
public sealed unsafe class Cpumask : KernelObject
{
    private const string CountField = "usage.refs.counter";
    private static readonly FieldSpec[] Fields = [new("cpumask", 1024), FieldSpec.Count(CountField)];
    private readonly ulong* _words;

    /// <summary>Makes an empty mask; its one reference is the caller's (see <see cref="KernelRef.Own{T}"/>).</summary>
    public Cpumask(KernelCore core)
        : base(core ?? throw new ArgumentNullException(nameof(core)), core.LayoutOf("bpf_cpumask", Fields), CountField)
    {
        var field = Layout.Field("cpumask");
        _words = (ulong*)(Address + (ulong)field.OffsetBytes);
        BitCount = field.SizeBytes * 8;
        Publish();
    }

    /// <summary>How many CPUs the kernel's masks have room for.</summary>
    public int BitCount { get; }

    /// <summary>
    /// The CPUs in it now, by rising number; a copy. None, and a reported fault, once the mask is freed.
    /// </summary>
    public IEnumerable<int> Cpus
    {
        get
        {
            var cpus = CpusNow();
            return IsReadTooLate("cpumask") ? [] : cpus;
        }
    }

    /// <summary>
    /// Whether a CPU is in it; false beyond <see cref="BitCount"/>, and with a reported fault once the mask is freed.
    /// </summary>
    public bool Contains(int cpu)
    {
        if ((uint)cpu >= (uint)BitCount)
        {
            return false;
        }

        var word = Volatile.Read(ref _words[cpu / 64]);
        return !IsReadTooLate("cpumask") && (word & (1ul << (cpu % 64))) != 0;
    }

    /// <summary>
    /// Puts a CPU in, atomically; whether it was in before. Does nothing beyond the kernel's CPUs, and is a reported
    /// fault once the mask is freed.
    /// </summary>
    public bool Add(int cpu) => (uint)cpu < (uint)Core.CpuCount && MayWrite("cpumask")
        && (Interlocked.Or(ref _words[cpu / 64], 1ul << (cpu % 64)) & (1ul << (cpu % 64))) != 0;

    /// <summary>Type and CPUs.</summary>
    public override string ToString()
    {
        var cpus = string.Join(",", CpusNow());
        Volatile.ReadBarrier();
        return IsFreed ? $"{TypeName}@{Address:x} (freed)" : $"{TypeName} {{{cpus}}}";
    }

    /// <summary>
    /// Takes a CPU out, atomically; whether it was in before. Does nothing beyond the kernel's CPUs, and is a reported
    /// fault once the mask is freed.
    /// </summary>
    public bool Remove(int cpu) => (uint)cpu < (uint)Core.CpuCount && MayWrite("cpumask")
        && (Interlocked.And(ref _words[cpu / 64], ~(1ul << (cpu % 64))) & (1ul << (cpu % 64))) != 0;

    private List<int> CpusNow()
    {
        List<int> cpus = [];
        for (var cpu = 0; cpu < BitCount; cpu++)
        {
            if ((Volatile.Read(ref _words[cpu / 64]) & (1ul << (cpu % 64))) != 0)
            {
                cpus.Add(cpu);
            }
        }

        return cpus;
    }
}
