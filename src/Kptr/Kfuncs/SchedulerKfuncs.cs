using System.Collections.Immutable;

namespace Kptr.Kfuncs;

/// <summary>
/// Which functions of a scheduler may call which of the schedulers' kfuncs (kernel/sched/ext, 7.2). A kfunc in none of
/// the groups may be called by every function.
/// </summary>
internal static class SchedulerKfuncs
{
    private const string Cpu = "sched_ext_ops";
    private const string Cid = "sched_ext_ops_cid";

    // The functions of both forms, which lie at the same offsets: those of CPUs are named otherwise in the second.
    private static readonly string[] Selecting = ["select_cpu", "select_cid", "enqueue"];
    private static readonly string[] Inserting = [.. Selecting, "dispatch"];

    private static readonly string[] Unlocked =
    [
        "init_task", "dump", "cgroup_init", "cgroup_exit", "cgroup_prep_move", "cgroup_cancel_move",
        "cgroup_set_weight", "cgroup_set_bandwidth", "cgroup_set_idle", "sub_attach", "sub_detach", "cpu_online",
        "cid_online", "cpu_offline", "cid_offline", "init", "exit",
    ];

    /// <summary>
    /// Kfuncs of CPUs and their masks, which a scheduler of CPU indices (<c>cid</c>) may not call.
    /// </summary>
    private static readonly HashSet<string> OfCpusOnly =
    [
        "__scx_bpf_select_cpu_and", "scx_bpf_cpu_curr", "scx_bpf_cpu_node", "scx_bpf_cpu_rq", "scx_bpf_cpuperf_cap",
        "scx_bpf_cpuperf_cur", "scx_bpf_cpuperf_set", "scx_bpf_get_idle_cpumask", "scx_bpf_get_idle_cpumask_node",
        "scx_bpf_get_idle_smtmask", "scx_bpf_get_idle_smtmask_node", "scx_bpf_get_online_cpumask",
        "scx_bpf_get_possible_cpumask", "scx_bpf_kick_cpu", "scx_bpf_pick_any_cpu", "scx_bpf_pick_any_cpu_node",
        "scx_bpf_pick_idle_cpu", "scx_bpf_pick_idle_cpu_node", "scx_bpf_put_cpumask", "scx_bpf_put_idle_cpumask",
        "scx_bpf_select_cpu_and", "scx_bpf_select_cpu_dfl", "scx_bpf_task_cpu", "scx_bpf_test_and_clear_cpu_idle",
    ];

    /// <summary>The structs of functions that may call a kfunc.</summary>
    internal static ImmutableArray<string> TypesOf(string kfunc) => OfCpusOnly.Contains(kfunc) ? [Cpu] : [Cpu, Cid];

    /// <summary>The functions that may call a kfunc; empty where all may.</summary>
    internal static ImmutableArray<string> MembersOf(string kfunc) => kfunc switch
    {
        "scx_bpf_dsq_insert" or "scx_bpf_dsq_insert___v2" or "scx_bpf_dsq_insert_vtime"
            or "__scx_bpf_dsq_insert_vtime" => [.. Inserting],
        "scx_bpf_dispatch_nr_slots" or "scx_bpf_dispatch_cancel" or "scx_bpf_dsq_move_to_local"
            or "scx_bpf_dsq_move_to_local___v2" or "scx_bpf_sub_dispatch" => ["dispatch"],
        "scx_bpf_dsq_move" or "scx_bpf_dsq_move_vtime" or "scx_bpf_dsq_move_set_slice"
            or "scx_bpf_dsq_move_set_vtime" => ["dispatch", .. Unlocked],
        "scx_bpf_select_cpu_dfl" or "scx_bpf_select_cpu_and" or "__scx_bpf_select_cpu_and" =>
            [.. Selecting, .. Unlocked],
        "scx_bpf_create_dsq" => [.. Unlocked],
        "scx_bpf_reenqueue_local" => ["cpu_release"],
        "scx_bpf_cid_override" => ["init"],
        _ => [],
    };
}
