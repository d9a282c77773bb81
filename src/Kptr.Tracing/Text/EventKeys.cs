using System.Text;

namespace Kptr.Tracing.Text;

/// <summary>How a known event prints its fields: which keys in which order.</summary>
/// <remarks>
/// Names of tasks are printed bare and may hold anything, keys too. Only the order of an event's own keys, with numbers
/// where numbers belong, says where a name ends.
/// </remarks>
internal static class EventKeys
{
    // KEY:KIND or KEY>FIELD:KIND, with ? behind what may be missing. d decimal, x hexadecimal, s text, v either.
    // Kernel: TP_printk in include/trace/events (sched.h, task.h, cgroup.h), 6.12; raw forms are trace-cmd report -R.
    private static readonly (string Event, string Keys)[] Table =
    [
        ("sched_switch",
            "prev_comm:s prev_pid:d prev_prio:d prev_state:v next_comm:s next_pid:d next_prio:d"),
        ("sched_waking", "comm:s pid:d prio:d success:d? target_cpu:d"),
        ("sched_wakeup", "comm:s pid:d prio:d success:d? target_cpu:d"),
        ("sched_wakeup_new", "comm:s pid:d prio:d success:d? target_cpu:d"),
        ("sched_migrate_task", "comm:s pid:d prio:d orig_cpu:d dest_cpu:d"),
        ("sched_process_fork", "comm>parent_comm:s pid>parent_pid:d child_comm:s child_pid:d"),
        ("sched_process_fork", "parent_comm:s parent_pid:d child_comm:s child_pid:d"),
        ("sched_process_exec", "filename:s pid:d old_pid:d"),
        ("sched_process_exit", "comm:s pid:d prio:d group_dead:v?"),
        ("sched_process_free", "comm:s pid:d prio:d"),
        ("sched_process_wait", "comm:s pid:d prio:d"),
        ("sched_stat_runtime", "comm:s pid:d runtime:d vruntime:d?"),
        ("task_newtask", "pid:d comm:s clone_flags:x oom_score_adj:d"),
        ("task_rename", "pid:d oldcomm:s newcomm:s oom_score_adj:d"),
        ("task_rename", "oldcomm:s newcomm:s oom_score_adj:d"),
        ("cgroup_attach_task", "dst_root:d dst_id:d dst_level:d dst_path:s pid:d comm:s"),
        ("cgroup_attach_task", "dst_root:d dst_level:d dst_id:d pid:d dst_path:s comm:s"),
        ("cgroup_mkdir", "root:d id:d level:d path:s"),
        ("cgroup_rmdir", "root:d id:d level:d path:s"),
        ("cgroup_release", "root:d id:d level:d path:s"),
    ];

    private static readonly Dictionary<string, EventKey[][]> ByEvent = Table
        .GroupBy(row => row.Event)
        .ToDictionary(rows => rows.Key, rows => rows.Select(row => Parse(row.Keys)).ToArray());

    /// <summary>The ways in which an event is printed; empty for one that is not known.</summary>
    internal static EventKey[][] Of(string name) => ByEvent.GetValueOrDefault(name, []);

    private static EventKey[] Parse(string keys) => [.. keys.Split(' ').Select(key =>
    {
        var isOptional = key.EndsWith('?');
        var (names, kind) = (key.Split(':')[0].Split('>'), key.TrimEnd('?')[^1]);
        return new EventKey(Encoding.ASCII.GetBytes(names[0] + "="), names[^1], kind, isOptional);
    })];
}

/// <summary>A field of a known event.</summary>
/// <param name="Key">As it is printed, with the equals sign.</param>
/// <param name="Field">Its name in the event's format.</param>
/// <param name="Kind">d decimal, x hexadecimal, s text, v either.</param>
/// <param name="IsOptional">Whether some kernels do not print it.</param>
internal sealed record EventKey(byte[] Key, string Field, char Kind, bool IsOptional);
