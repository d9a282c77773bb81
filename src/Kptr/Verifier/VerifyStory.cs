using System.Collections.Immutable;
using System.Text;

namespace Kptr.Verifier;

/// <summary>How a fault came about: the path of one execution that leads to it.</summary>
/// <param name="Steps">In order of execution.</param>
/// <param name="Suggestion">What would mend it, or null.</param>
public sealed record VerifyStory(ImmutableArray<StoryStep> Steps, string? Suggestion)
{
    /// <summary>A line a step, with its C source where line info is there, and the suggestion last.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        for (var i = 0; i < Steps.Length; i++)
        {
            // The line is told once for neighbours that share it.
            var step = Steps[i];
            var isSame = i > 0 && step.Source is not null && Steps[i - 1].Source == step.Source;
            text.Append(isSame ? step with { Source = null } : step).Append('\n');
        }

        return Suggestion is null
            ? text.ToString().TrimEnd('\n')
            : text.Append("mend it: ").Append(Suggestion).ToString();
    }
}

/// <summary>One step of a <see cref="VerifyStory"/>.</summary>
/// <param name="InsnIdx">The instruction.</param>
/// <param name="Kind">What happened.</param>
/// <param name="Text">One sentence.</param>
/// <param name="Source">C source position as <c>file:line</c>, or null.</param>
/// <param name="SourceText">The C source line, or null.</param>
public sealed record StoryStep(int InsnIdx, StoryStepKind Kind, string Text, string? Source, string? SourceText)
{
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
