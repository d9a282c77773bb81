using System.Globalization;
using System.Text;
using Kptr.Diagnostics;

namespace Kptr.Verifier;

/// <summary>
/// A refusal as compilers print one: the fault on its C line, notes on the lines that it came from, the path in the
/// order of execution, and what would help.
/// </summary>
internal static class StoryText
{
    /// <param name="message">The refusal's one line.</param>
    /// <param name="reason">What is wrong; null where only the message is known.</param>
    /// <param name="story">How it came about; null where no path leads to it.</param>
    public static string Of(string message, Diagnostic? reason, VerifyStory? story)
    {
        var text = new StringBuilder($"{message} ({reason?.Code})");
        if (story is null)
        {
            return reason?.Source is { } source ? text.Append($"\n  at {source}").ToString() : text.ToString();
        }

        var fault = story.Steps.LastOrDefault(s => s.Kind == StoryStepKind.Fault);
        if (fault is not null)
        {
            Place(text, fault, fault.Text == message ? "" : fault.Text);
        }

        foreach (var step in story.Steps.Where(s => s.IsNote && s.Source is not null))
        {
            text.Append("\nnote: ").Append(step.Text);
            Place(text, step, "");
        }

        if (story.Steps.Length > 1)
        {
            text.Append("\npath:");
            foreach (var line in story.PathLines(s => s.IsNote || s.Kind == StoryStepKind.Fault
                ? s with { SourceText = null } : s))
            {
                text.Append("\n  ").Append(line);
            }
        }

        return (story.Suggestion is null ? text : text.Append("\nmend it: ").Append(story.Suggestion)).ToString();
    }

    // Where it is, and where there is line info, the line with a mark below.
    private static void Place(StringBuilder text, StoryStep step, string remark)
    {
        var column = step.Column is { } c ? string.Create(CultureInfo.InvariantCulture, $":{c}") : "";
        var insn = string.Create(CultureInfo.InvariantCulture, $"instruction {step.InsnIdx}");
        text.Append($"\n  at {(step.Source is null ? insn : $"{step.Source}{column}, {insn}")}");
        if (step.Source is null || string.IsNullOrEmpty(step.SourceText))
        {
            text.Append(remark.Length == 0 ? "" : $": {remark}");
            return;
        }

        var number = step.Source[(step.Source.LastIndexOf(':') + 1)..].PadLeft(6);
        text.Append($"\n{number} | {step.SourceText}\n{new string(' ', number.Length)} | ");

        // Tabs stay tabs, so that the mark stands below its word however wide they are.
        var before = step.SourceText.AsSpan(0, Math.Clamp((step.TextColumn ?? 1) - 1, 0, step.SourceText.Length));
        foreach (var letter in before)
        {
            text.Append(letter == '\t' ? '\t' : ' ');
        }

        text.Append(remark.Length == 0 ? "^" : $"^ {remark}");
    }
}
