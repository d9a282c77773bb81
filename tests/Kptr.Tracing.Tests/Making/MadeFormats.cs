using System.Globalization;
using System.Text;

namespace Kptr.Tracing.Tests.Making;

/// <summary>Formats of the events that are made, laid out by C's rules.</summary>
internal static class MadeFormats
{
    private const string Common =
        "unsigned short common_type;unsigned char common_flags;unsigned char common_preempt_count;int common_pid";

    private static readonly (string System, string Name, int Id, string Fields)[] Table =
    [
        ("sched", "sched_switch", 301, "char prev_comm[16];pid_t prev_pid;int prev_prio;long prev_state;"
            + "char next_comm[16];pid_t next_pid;int next_prio"),
        ("sched", "sched_wakeup", 302, "char comm[16];pid_t pid;int prio;int target_cpu"),
        ("sched", "sched_wakeup_new", 303, "char comm[16];pid_t pid;int prio;int target_cpu"),
        ("sched", "sched_process_fork", 304, "__data_loc char[] parent_comm;pid_t parent_pid;"
            + "__data_loc char[] child_comm;pid_t child_pid"),
        ("sched", "sched_process_exec", 305, "__data_loc char[] filename;pid_t pid;pid_t old_pid"),
        ("sched", "sched_process_exit", 306, "char comm[16];pid_t pid;int prio"),
        ("sched", "sched_process_free", 307, "char comm[16];pid_t pid;int prio"),
        ("sched", "sched_stat_runtime", 308, "char comm[16];pid_t pid;u64 runtime"),
        ("task", "task_newtask", 201, "pid_t pid;char comm[16];unsigned long clone_flags;short oom_score_adj"),
    ];

    public static IReadOnlyDictionary<string, TraceEventFormat> ByName { get; } =
        All.Select(f => TraceEventFormat.Parse(f.System, f.Text)).ToDictionary(f => f.Name);

    public static IEnumerable<(string System, string Text)> All =>
        Table.Select(row => (row.System, Text(row.Name, row.Id, row.Fields)));

    private static string Text(string name, int id, string fields)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"name: {name}\nID: {id}\nformat:\n");
        var offset = 0;
        foreach (var field in $"{Common};{fields}".Split(';'))
        {
            var (size, align, isSigned) = Size(field);
            offset = (offset + align - 1) / align * align;
            text.Append(CultureInfo.InvariantCulture,
                $"\tfield:{field};\toffset:{offset};\tsize:{size};\tsigned:{(isSigned ? 1 : 0)};\n");
            offset += size;
        }

        return text.Append("\nprint fmt: \"\"\n").ToString();
    }

    private static (int Size, int Align, bool IsSigned) Size(string field) =>
        field.StartsWith("__data_loc", StringComparison.Ordinal) ? (4, 4, false)
        : field.EndsWith("[16]", StringComparison.Ordinal) ? (16, 1, false)
        : field.StartsWith("unsigned char", StringComparison.Ordinal) ? (1, 1, false)
        : field.StartsWith("unsigned short", StringComparison.Ordinal) ? (2, 2, false)
        : field.StartsWith("short", StringComparison.Ordinal) ? (2, 2, true)
        : field.StartsWith("long", StringComparison.Ordinal) ? (8, 8, true)
        : field.StartsWith("unsigned long", StringComparison.Ordinal) ? (8, 8, false)
        : field.StartsWith("u64", StringComparison.Ordinal) ? (8, 8, false)
        : (4, 4, true);
}
