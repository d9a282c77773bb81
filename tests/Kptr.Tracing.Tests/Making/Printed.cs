namespace Kptr.Tracing.Tests.Making;

/// <summary>Prints the fields of events as the kernel does.</summary>
internal static class Printed
{
    public static string Fields(TraceEvent e) => e.Name switch
    {
        "sched_switch" => $"prev_comm={Text(e, "prev_comm")} prev_pid={Number(e, "prev_pid")} "
            + $"prev_prio={Number(e, "prev_prio")} prev_state={Text(e, "prev_state")} ==> "
            + $"next_comm={Text(e, "next_comm")} next_pid={Number(e, "next_pid")} next_prio={Number(e, "next_prio")}",
        "sched_process_fork" => $"comm={Text(e, "parent_comm")} pid={Number(e, "parent_pid")} "
            + $"child_comm={Text(e, "child_comm")} child_pid={Number(e, "child_pid")}",
        "sched_wakeup" or "sched_wakeup_new" => $"comm={Text(e, "comm")} pid={Number(e, "pid")} "
            + $"prio={Number(e, "prio")} target_cpu={Number(e, "target_cpu"):000}",
        "sched_stat_runtime" => $"comm={Text(e, "comm")} pid={Number(e, "pid")} runtime={Number(e, "runtime")} [ns]",
        "task_newtask" => $"pid={Number(e, "pid")} comm={Text(e, "comm")} clone_flags={Number(e, "clone_flags"):x} "
            + $"oom_score_adj={Number(e, "oom_score_adj")}",
        _ => string.Join(' ', e.Fields),
    };

    private static string? Text(TraceEvent e, string field) => e.TextOf(field);

    private static long Number(TraceEvent e, string field) => e.TryGetNumber(field, out var number) ? number : 0;
}
