using System.Collections.Immutable;

namespace Kptr.Verifier;

/// <summary>How a fault came about: the path of one execution that leads to it.</summary>
/// <param name="Steps">In order of execution.</param>
/// <param name="Suggestion">What would mend it, or null.</param>
public sealed record VerifyStory(ImmutableArray<StoryStep> Steps, string? Suggestion)
{
    /// <summary>A line a step, with its C source where line info is there, and the suggestion last.</summary>
    public override string ToString()
    {
        var text = string.Join('\n', PathLines(s => s));
        return Suggestion is null ? text : $"{text}{(text.Length == 0 ? "" : "\n")}mend it: {Suggestion}";
    }

    // The source is told once for neighbours that share it.
    internal IEnumerable<string> PathLines(Func<StoryStep, StoryStep> shown) => Steps.Select((step, i) =>
        shown(i > 0 && step.Source is not null && Steps[i - 1].Source == step.Source
            ? step with { Source = null } : step).ToString());
}

/// <summary>One step of a <see cref="VerifyStory"/>.</summary>
/// <param name="InsnIdx">The instruction.</param>
/// <param name="Kind">What happened.</param>
/// <param name="Text">One sentence.</param>
/// <param name="Source">C source position as <c>file:line</c>, or null.</param>
/// <param name="SourceText">The C source line, or null.</param>
public sealed record StoryStep(int InsnIdx, StoryStepKind Kind, string Text, string? Source, string? SourceText)
{
    /// <summary>The C file as the compiler recorded it, or null.</summary>
    public string? File { get; init; }

    /// <summary>Line in <see cref="File"/>, from 1, or null.</summary>
    public int? Line { get; init; }

    /// <summary>Column in the C source, from 1, or null.</summary>
    public int? Column { get; init; }

    /// <summary>The same column within <see cref="SourceText"/>, which has no indentation; from 1, or null.</summary>
    public int? TextColumn { get; init; }

    /// <summary>
    /// Whether the step is worth a look at its source besides the fault: where the reference or the value came from,
    /// where it was lost or given back.
    /// </summary>
    public bool IsNote { get; init; }

    /// <summary>The step in one line: instruction, sentence, source.</summary>
    public override string ToString() => $"{InsnIdx,4}: {Text}{Place}";

    private string Place =>
        Source is null ? "" : string.IsNullOrEmpty(SourceText) ? $"  [{Source}]" : $"  [{Source}: {SourceText}]";
}

/// <summary>Kinds of <see cref="StoryStep"/>.</summary>
public enum StoryStepKind
{
    /// <summary>A reference was taken.</summary>
    Acquired,

    /// <summary>A reference moved to another register, stack slot or frame.</summary>
    Moved,

    /// <summary>The last place that held a reference was overwritten or ended.</summary>
    Lost,

    /// <summary>The value that the fault is about was made.</summary>
    Origin,

    /// <summary>A branch was decided.</summary>
    Branch,

    /// <summary>A subprogram was entered or left.</summary>
    Call,

    /// <summary>A reference was given back.</summary>
    Released,

    /// <summary>The fault.</summary>
    Fault,
}
