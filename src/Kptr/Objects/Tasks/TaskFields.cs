namespace Kptr.Objects;

/// <summary>The fields of the task family that the model maintains; every other field reads as zero.</summary>
internal static class TaskFields
{
    internal const string RcuUsers = "rcu_users.refs.counter";
    internal const string Usage = "usage.refs.counter";
    internal const int PidLevelsMax = 4;

    /// <summary>The lists that hang on a task, and the links by which it is in others.</summary>
    internal static string[] TaskLinks { get; } = [
        "children", "sibling", "tasks", "thread_node", "cg_list",
    ];

    internal static IReadOnlyList<FieldSpec> Task { get; } =
    [
        FieldSpec.Count(RcuUsers), FieldSpec.Count(Usage), new("pid", 4), new("tgid", 4), new("flags", 4),
        new("__state", 4), new("exit_state", 4),
        new("exit_code", 4), new("comm", 16), new("real_parent", 8), new("parent", 8), new("group_leader", 8),
        new("thread_pid", 8),
        new("utime", 8), new("stime", 8), new("se.sum_exec_runtime", 8),
        new("start_time", 8), new("start_boottime", 8), new("nr_cpus_allowed", 4),
        new("cpus_ptr", 8), new("cpus_mask", 1024), new("cgroups", 8), new("mm", 8), new("files", 8),
        new("nsproxy", 8), new("signal", 8),
        new("prio", 4), new("static_prio", 4), new("normal_prio", 4), new("exit_signal", 4),
        new("cred", 8), new("real_cred", 8),
        .. TaskLinks.Select(FieldSpec.Link),
    ];

    /// <summary>A pid's number by namespace level; each a string that is made once.</summary>
    internal static string[] NumberPaths { get; } =
        [.. Enumerable.Range(0, PidLevelsMax).Select(i => $"numbers[{i}].nr")];

    /// <summary>The namespace of that number.</summary>
    internal static string[] NumberNsPaths { get; } =
        [.. Enumerable.Range(0, PidLevelsMax).Select(i => $"numbers[{i}].ns")];

    internal static IReadOnlyList<FieldSpec> Pid { get; } =
    [
        new("count.refs.counter", 4), new("level", 4),
        .. Enumerable.Range(0, PidLevelsMax).SelectMany(
            i => new FieldSpec[] { new(NumberPaths[i], 4), new(NumberNsPaths[i], 8) }),
    ];

    internal static IReadOnlyList<FieldSpec> PidNamespace { get; } = [
        new("level", 4), new("parent", 8), new("child_reaper", 8), new("ns.inum", 4),
    ];

    internal static IReadOnlyList<FieldSpec> Nsproxy { get; } = [new("count.refs.counter", 4), new(
        "pid_ns_for_children", 8)];

    internal static IReadOnlyList<FieldSpec> Signal { get; } =
    [
        new("sigcnt.refs.counter", 4), new("live.counter", 4), new("nr_threads", 4),
        new("utime", 8), new("stime", 8), new("cutime", 8), new("cstime", 8), new("sum_sched_runtime", 8),
        FieldSpec.Link("thread_head"),
    ];

    internal static IReadOnlyList<FieldSpec> Cred { get; } =
    [
        new("usage.counter", 8), new("uid.val", 4), new("gid.val", 4), new("euid.val", 4), new("egid.val", 4),
        new("fsuid.val", 4), new("fsgid.val", 4), new("suid.val", 4), new("sgid.val", 4),
    ];
}
