namespace Kptr.Specs;

#pragma warning disable CA1707 // the underscore stands for the dot of a kernel version

/// <summary>Set of kernel profiles a declaration belongs to.</summary>
[Flags]
public enum ProfileSet
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>Linux 6.2: tasks as kptrs, with <c>bpf_task_kptr_get</c>.</summary>
    Linux6_2 = 1,

    /// <summary>Linux 6.12: the reference.</summary>
    Linux6_12 = 2,

    /// <summary>Linux 7.2: values are recycled with their kptrs.</summary>
    Linux7_2 = 4,

    /// <summary>Linux 6.1: kptrs of modules and conntrack's kfuncs, before tasks had any.</summary>
    Linux6_1 = 8,

    /// <summary>The kernels before kptrs could be trusted: 6.1 and 6.2.</summary>
    Early = Linux6_1 | Linux6_2,

    /// <summary>Every profile.</summary>
    All = Linux6_1 | Linux6_2 | Linux6_12 | Linux7_2,
}
