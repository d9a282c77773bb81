using System.Buffers.Text;

namespace Kptr.Tracing.Text;

/// <summary>The short form in which <c>trace-cmd report</c> prints switches and wake-ups.</summary>
/// <remarks><c>bash:12 [120] S ==> swapper/0:0 [120]</c>, and <c>bash:12 [120] success=1 CPU:000</c>.</remarks>
internal static class PluginText
{
    /// <summary>Whether an event has such a form.</summary>
    internal static bool IsKnown(string name) =>
        name is "sched_switch" or "sched_wakeup" or "sched_wakeup_new" or "sched_waking";

    internal static bool TryParse(string name, ReadOnlySpan<byte> text, FieldParser fields) =>
        name == "sched_switch" ? TrySwitch(text, fields) : TryWakeup(text, fields);

    private static bool TrySwitch(ReadOnlySpan<byte> text, FieldParser fields)
    {
        var arrow = text.LastIndexOf(" ==> "u8);
        if (arrow < 0)
        {
            return false;
        }

        var prev = text[..arrow];
        var state = prev.LastIndexOf((byte)' ') + 1;
        if (state == 0 || !TryTask(prev[..state].TrimEnd((byte)' '), "prev_comm", "prev_pid", "prev_prio", fields))
        {
            return false;
        }

        fields.AddValue("prev_state", prev[state..]);
        return TryTask(text[(arrow + 5)..], "next_comm", "next_pid", "next_prio", fields);
    }

    private static bool TryWakeup(ReadOnlySpan<byte> text, FieldParser fields)
    {
        var cpu = text.LastIndexOf(" CPU:"u8);
        if (cpu < 0 || !Utf8Parser.TryParse(text[(cpu + 5)..], out int number, out var length)
            || cpu + 5 + length != text.Length)
        {
            return false;
        }

        // Newer kernels have no field success, and some versions of the tool say so at length.
        var task = text[..cpu];
        var close = task.LastIndexOf((byte)']');
        if (close < 0 || !TryTask(task[..(close + 1)], "comm", "pid", "prio", fields))
        {
            return false;
        }

        fields.AddNumber("target_cpu", number);
        return true;
    }

    // COMM:PID [PRIO], read from its end.
    private static bool TryTask(
        ReadOnlySpan<byte> text, string commField, string pidField, string prioField, FieldParser fields)
    {
        var open = text.LastIndexOf(" ["u8);
        var colon = open < 0 ? -1 : text[..open].LastIndexOf((byte)':');
        if (colon < 0 || text[^1] != ']' || !TryInt(text[(open + 2)..^1], out var prio)
            || !TryInt(text[(colon + 1)..open], out var pid))
        {
            return false;
        }

        fields.AddText(commField, text[..colon]);
        fields.AddNumber(pidField, pid);
        fields.AddNumber(prioField, prio);
        return true;
    }

    private static bool TryInt(ReadOnlySpan<byte> text, out int value) =>
        Utf8Parser.TryParse(text, out value, out var length) && length == text.Length;
}
