namespace Kptr.Tracing;

/// <summary>The state in which a task was switched away from.</summary>
/// <remarks>Kernel: <c>__trace_sched_switch_state</c> and <c>TASK_REPORT</c>, 6.12.</remarks>
internal readonly record struct TaskStates(uint State, long Reported, bool IsDead)
{
    private const uint TaskDead = 0x80;
    /// <summary>Bit of the reported state that says that the task would have run on (<c>R+</c>).</summary>
    internal const long ReportedPreempted = 0x100;

    private const string Letters = "SDTtXZPI";

    // What the letters stand for in a task's own state, which is what programs get. Both dead ones are one there.
    private static readonly uint[] StateOfLetter = [0x1, 0x2, 0x4, 0x8, TaskDead, TaskDead, 0x40, 0x402];

    /// <summary>Letters, as in <c>prev_state=S</c> and <c>prev_state=R+</c>.</summary>
    internal static TaskStates Parse(string text)
    {
        var letter = text.Length == 0 ? -1 : Letters.IndexOf(text[0], StringComparison.Ordinal);
        letter = text.StartsWith('x') ? 4 : letter;
        return letter < 0
            ? new(0, text.EndsWith('+') ? ReportedPreempted : 0, false)
            : new(StateOfLetter[letter], 1L << letter, letter is 4 or 5);
    }

    /// <summary>A number, as records have it.</summary>
    internal static TaskStates Of(long reported)
    {
        for (var letter = 0; letter < Letters.Length; letter++)
        {
            if ((reported & (1L << letter)) != 0)
            {
                return new(StateOfLetter[letter], reported, letter is 4 or 5);
            }
        }

        return new(0, reported, false);
    }

    internal static TaskStates Of(TraceEvent from, string field) =>
        from.TryGetNumber(field, out var number) ? Of(number) : Parse(from.TextOf(field) ?? "");
}
