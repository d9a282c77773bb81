using System.Collections.Concurrent;
using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary><c>BPF_MAP_TYPE_PERF_EVENT_ARRAY</c>: a channel from programs to user space, one per CPU.</summary>
/// <remarks>
/// There are no perf events to put in: every index is open from the start and takes records without limit until they
/// are read. Counters (<c>bpf_perf_event_read</c>) are not modelled.
/// </remarks>
public sealed class PerfEventArrayMap : ObjectArray
{
    private readonly ConcurrentQueue<byte[]>[] _records;

    /// <summary>Makes the array.</summary>
    /// <exception cref="MapCreateException">The kernel refuses the blueprint.</exception>
    public PerfEventArrayMap(KernelCore core, MapSpec spec)
        : base(core, MapRules.Admit(core, spec, BpfMapType.PerfEventArray))
    {
        _records = [.. Enumerable.Range(0, core.CpuCount).Select(_ => new ConcurrentQueue<byte[]>())];
    }

    /// <summary>Takes the oldest record of a CPU.</summary>
    /// <exception cref="ArgumentOutOfRangeException">No such CPU.</exception>
    public bool TryRead(int cpu, out byte[] record)
    {
        CheckCpu(cpu);
        return _records[cpu].TryDequeue(out record!);
    }

    /// <summary>Adds a record (<c>bpf_perf_event_output</c>).</summary>
    internal Errno Output(uint index, ReadOnlySpan<byte> record)
    {
        if (index >= MaxEntries || index >= _records.Length)
        {
            return Errno.E2BIG;
        }

        _records[index].Enqueue(record.ToArray());
        return Errno.None;
    }

    /// <inheritdoc/>
    protected override Errno ReadValue(
        ReadOnlySpan<byte> key, Span<byte> value, MapUpdateFlags flags, in MapCall caller) =>
        Errno.ENOTSUPP;
}
