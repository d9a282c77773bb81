using System.Text;
using Kptr.Execution;
using Kptr.Maps;
using Kptr.Objects;

namespace Kptr;

/// <summary>What an iterator program goes over, where its section does not say enough.</summary>
public sealed record IterOptions
{
    /// <summary>For <c>iter/bpf_map_elem</c>: the map.</summary>
    public BpfMap? Map { get; init; }

    /// <summary>For <c>iter/cgroup</c>: the top; null for the root.</summary>
    public Cgroup? Cgroup { get; init; }

    /// <summary>For <c>iter/cgroup</c>: which of the cgroups, and in which order.</summary>
    public CgroupOrder Order { get; init; } = CgroupOrder.DescendantsPre;

    /// <summary>
    /// For <c>iter/task</c>, <c>iter/task_file</c> and <c>iter/task_vma</c>: the process; null for all.
    /// </summary>
    public TaskStruct? Task { get; init; }
}

/// <summary>Order of a walk over cgroups (<c>enum bpf_cgroup_iter_order</c>).</summary>
public enum CgroupOrder
{
    /// <summary>The one cgroup.</summary>
    SelfOnly = 1,

    /// <summary>Parents before their children.</summary>
    DescendantsPre,

    /// <summary>Children before their parents.</summary>
    DescendantsPost,

    /// <summary>From the cgroup up to the root.</summary>
    AncestorsUp,
}

/// <summary>What reading an iterator gave.</summary>
/// <param name="Bytes">The program's output.</param>
/// <param name="RunCount">How often the program ran, the last time with null included.</param>
/// <param name="Fault">The fault that ended it early; null for none.</param>
public sealed record IterOutput(ReadOnlyMemory<byte> Bytes, int RunCount, RunFault? Fault)
{
    /// <summary>How much was written.</summary>
    public override string ToString() =>
        $"{Bytes.Length} bytes of {RunCount} runs{(Fault is null ? "" : $", {Fault}")}";

    /// <summary>The output as text.</summary>
    public string Text => Encoding.UTF8.GetString(Bytes.Span);
}
